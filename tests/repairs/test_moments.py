import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.repairs.moments import Moments, PairMoments, columns


@given(
    cuts=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    offset=st.sampled_from([0.0, 1e3, -1e6]),
    seed=st.integers(0, 99),
)
def test_streamed_moments_are_those_of_the_whole(cuts, offset, seed):
    draws = np.random.default_rng(seed)
    x, y = draws.normal(size=(2, sum(cuts), 3)) * [1, 10, 0] + offset
    both = PairMoments(Moments(), Moments())
    start = 0
    for n in cuts:
        part = slice(start, start + n)
        both.add(torch.from_numpy(x[part]), torch.from_numpy(y[part]))
        start += n
    size = 1e-9 * max(1.0, abs(offset))
    np.testing.assert_allclose(both.a.average, x.mean(0), rtol=1e-12)
    np.testing.assert_allclose(both.a.variance, x.var(0), rtol=1e-9, atol=size)
    np.testing.assert_allclose(both.b.deviation, y.std(0), rtol=1e-7, atol=size)
    covariance = ((x - x.mean(0)) * (y - y.mean(0))).mean(0)
    np.testing.assert_allclose(both.covariance, covariance, rtol=1e-7, atol=size)


def test_single_precision_far_from_zero_loses_no_more_than_the_data_have():
    x = torch.randn(4000, 2, dtype=torch.float64) + 300
    moments = Moments()
    for part in x.float().split(700):
        moments.add(part)
    exact = x.float().double()
    torch.testing.assert_close(moments.variance, exact.var(0, correction=0), rtol=1e-6, atol=0)


def test_columns_count_samples_and_positions():
    x = torch.arange(24.0).view(2, 3, 4)
    assert columns(x, -2).shape == (8, 3)
    assert columns(x, -2)[:, 1].tolist() == [4, 5, 6, 7, 16, 17, 18, 19]
