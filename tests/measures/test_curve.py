"""Curves: standard errors are paired by sample."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.stats import norm

from ridgeline.errors import UsageError
from ridgeline.measures import Curve, barrier, interval

law = settings(deadline=None, max_examples=40, derandomize=True)


def sampled(values, population=None, t=None, **more):
    """The curve of N x K values, with numpy's own mean and covariance."""
    n, k = values.shape
    return Curve(
        t=np.linspace(0, 1, k) if t is None else np.asarray(t, float),
        mean=values.mean(0),
        covariance=np.cov(values, rowvar=False).reshape(k, k),
        n=n,
        population=population or n,
        nonfinite=np.zeros(k, dtype=np.int64),
        **more,
    )


def draws(seed, n=200, k=5):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, 1)) * 3  # neighbouring positions move together
    return shared + rng.normal(size=(n, k)) * range(1, k + 1) + np.array([0, 2, 5, 1, 0.5])[:k]


@law
@given(seed=st.integers(0, 2**16))
def test_standard_errors_are_those_of_the_samples(seed):
    values = draws(seed)
    curve = sampled(values)
    np.testing.assert_allclose(curve.stderr, values.std(0, ddof=1) / np.sqrt(200))
    weights = {0: -0.3, 2: 1.0, 4: -0.7}
    combined = values @ np.array([-0.3, 0, 1.0, 0, -0.7])
    want = combined.std(ddof=1) / np.sqrt(200)
    assert curve.stderr_of(weights) == pytest.approx(want, rel=1e-9)


@law
@given(
    seed=st.integers(0, 2**16),
    kind=st.sampled_from(["chord", "mean", "half", "max", "abs"]),
    top=st.integers(0, 4),
)
def test_the_standard_error_of_a_barrier_is_that_of_its_own_combination(seed, kind, top):
    values = draws(seed) + 9 * (np.arange(5) == top)
    curve = sampled(values)
    found = barrier(curve, kind)
    k = int(np.argmin(np.abs(curve.t - found.at)))
    first, last = values[:, 0], values[:, -1]
    against = {
        "chord": (1 - found.at) * first + found.at * last,
        "mean": (first + last) / 2,
        "half": (first + last) / 2,
        "max": first if first.mean() >= last.mean() else last,
        "abs": 0,
    }[kind]
    per_sample = values[:, k] - against
    assert found.height == pytest.approx(per_sample.mean(), rel=1e-9)
    assert found.stderr == pytest.approx(per_sample.std(ddof=1) / np.sqrt(200), rel=1e-9, abs=1e-9)


def test_pairing_takes_away_what_all_positions_share():
    curve = sampled(draws(0))
    unpaired = np.sqrt((curve.stderr**2).sum())
    assert barrier(curve).stderr < unpaired / 2


def test_a_part_of_a_finite_population_is_known_better():
    values = draws(1)
    part = sampled(values, population=800)
    whole = sampled(values)
    assert part.scope == "data set" and whole.scope == "distribution"
    np.testing.assert_allclose(part.stderr, whole.stderr * np.sqrt(1 - 200 / 800))
    assert part.stderr_of({1: 1.0}) == pytest.approx(whole.stderr_of({1: 1.0}) * np.sqrt(0.75))


def test_the_interval_covers_at_the_stated_rate():
    truth, hits = np.array([0, 2, 5, 1, 0.5]), 0
    height = truth[2] - 0.5 * truth[0] - 0.5 * truth[4]
    for seed in range(300):
        low, high = barrier(sampled(draws(seed, n=100))).interval(0.9)
        hits += low <= height <= high
    assert hits / 300 == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
def test_the_interval_is_the_normal_one(confidence):
    low, high = interval(2.0, 0.1, confidence)
    assert (low, high) == pytest.approx(norm.interval(confidence, 2.0, 0.1))


@pytest.mark.parametrize("confidence", [0, 1, 1.5, float("nan")])
def test_confidence_lies_between_zero_and_one(confidence):
    with pytest.raises(UsageError, match="between 0 and 1"):
        interval(0, 1, confidence)


def test_an_exact_curve_has_no_error_and_marks_what_is_not_finite():
    curve = Curve.exact([0, 0.5, 1], [1, np.nan, np.inf], chance=0.9)
    assert curve.stderr.tolist() == [0, 0, 0]
    assert curve.nonfinite.tolist() == [0, 1, 1]
    assert len(curve) == 3 and curve.chance == 0.9


def test_the_cost_is_up_where_it_is_worse():
    assert Curve.exact([0, 1], [1, 2]).cost.tolist() == [1, 2]
    assert Curve.exact([0, 1], [1, 2], higher_is_better=True).cost.tolist() == [-1, -2]


def test_the_ends_are_those_of_the_path_and_not_of_an_extrapolated_grid():
    curve = Curve.exact([-0.5, 0, 0.5, 1, 1.5], np.arange(5))
    assert curve.ends() == (1, 3) and curve.middle == 2
    assert Curve.exact([0, 1], [1, 2]).middle is None
    assert curve.mean[curve.inside()].tolist() == [1, 2, 3]
    with pytest.raises(UsageError, match=r"must contain 0 and 1\. Got t from 0\.1 to 1\. Add"):
        Curve.exact([0.1, 1], [0, 0]).ends()


def test_a_covariance_a_little_below_zero_by_rounding_is_no_error():
    curve = Curve(
        np.array([0, 1.0]), np.zeros(2), np.full((2, 2), -1e-18), 5, 5, np.zeros(2, np.int64)
    )
    assert curve.stderr.tolist() == [0, 0] and curve.stderr_of({0: 1.0, 1: 1.0}) == 0
