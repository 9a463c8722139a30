"""Intervals over runs hold the truth as often as they say."""

import numpy as np
import pytest
from scipy import stats

from ridgeline.study import intervals

REPEATS = 400


@pytest.mark.parametrize("n", [5, 10, 30])
@pytest.mark.parametrize("draw", ["normal", "exponential"])
def test_the_mean_is_covered(n, draw):
    draws = np.random.default_rng(n)
    truth = {"normal": 0.0, "exponential": 1.0}[draw]
    held = 0
    for _ in range(REPEATS):
        low, high = intervals.mean(getattr(draws, draw)(size=n))
        held += low <= truth <= high
    # Five numbers of a skewed law are covered less; 0.8 is what Student's interval gives there.
    assert held / REPEATS > (0.89 if draw == "normal" else 0.78)


def test_five_numbers_get_an_interval_nearly_as_wide_as_students():
    draws = np.random.default_rng(0)
    ratios = []
    for _ in range(200):
        values = draws.normal(size=5)
        low, high = intervals.mean(values)
        t = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
        ratios.append((high - low) / (t[1] - t[0]))
    assert 0.8 < np.median(ratios) < 1.1


def test_a_constant_has_an_interval_of_no_width():
    assert intervals.mean(np.full(6, 2.5)) == (2.5, 2.5)


def test_one_number_has_no_interval():
    assert np.isnan(intervals.mean(np.array([1.0]))).all()


def test_shares_are_clopper_and_pearsons():
    assert intervals.share(5, 5) == pytest.approx((0.025 ** (1 / 5), 1.0))
    assert intervals.share(0, 10) == pytest.approx((0.0, 1 - 0.025 ** (1 / 10)))


def test_the_difference_of_shares_does_not_collapse_where_all_agree():
    middle, (low, high) = intervals.difference(np.ones(5), np.zeros(5), shares=True)
    assert middle == 1.0
    assert 0.3 < low < 0.6
    assert high == pytest.approx(1.0)


def test_newcombes_own_example():
    # Newcombe 1998, table II, 56/70 against 48/80, method 10: 0.0524 to 0.3339.
    more, less = (np.r_[np.ones(k), np.zeros(n - k)] for k, n in ((56, 70), (48, 80)))
    _, span = intervals.difference(more, less, shares=True)
    assert span == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_the_difference_of_means_is_covered():
    draws = np.random.default_rng(1)
    held = 0
    for _ in range(REPEATS):
        _, (low, high) = intervals.difference(draws.normal(1, 1, 6), draws.normal(0, 2, 8))
        held += low <= 1 <= high
    assert held / REPEATS > 0.9


def test_the_rank_correlation_is_scipys():
    draws = np.random.default_rng(2)
    x = draws.normal(size=20)
    y = x + draws.normal(size=20)
    middle, (low, high) = intervals.spearman(x, y)
    assert middle == pytest.approx(stats.spearmanr(x, y).statistic)
    assert low < middle < high


def test_a_rank_correlation_needs_two_numbers_that_vary():
    assert np.isnan(intervals.spearman(np.arange(5.0), np.ones(5))[0])


def test_the_same_numbers_have_the_same_interval():
    values = np.random.default_rng(3).normal(size=7)
    assert intervals.mean(values) == intervals.mean(values)
