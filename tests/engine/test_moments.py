"""Moments: means, ratios and their covariance against arrays held whole, and against chance."""

import numpy as np
import pytest
import torch

from ridgeline.engine import Moments
from ridgeline.measures import Curve, barrier

K, N = 4, 60


def drawn(seed=0, n=N):
    """Values that move together at neighbouring positions, and counts of 0 to 5."""
    rng = np.random.default_rng(seed)
    own = rng.exponential(1.0, n)
    counts = rng.integers(0, 6, n).astype(float)
    values = own + 0.3 * rng.standard_normal((K, n)) + np.array([1, 3, 2, 1.5])[:, None]
    return values + counts / 5, counts  # long ones are harder


def gathered(values, weights=None, strata=None, *, joint=True, chunk=17):
    classes = 1 if strata is None else int(strata.max()) + 1
    moments = Moments(len(values), joint, classes)
    for start in range(0, values.shape[1], chunk):
        at = slice(start, start + chunk)
        held = None if weights is None else torch.from_numpy(np.ascontiguousarray(weights[:, at]))
        own = None if strata is None else torch.from_numpy(strata[at])
        moments.add(torch.from_numpy(np.ascontiguousarray(values[:, at])), own, held)
    return moments


def everywhere(weights):
    return np.broadcast_to(weights, (K, len(weights)))


def test_without_weights_they_are_the_plain_ones():
    values, _ = drawn()
    found = gathered(values)
    np.testing.assert_allclose(found.mean, values.mean(1), rtol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(values), rtol=1e-10)
    alone = gathered(values, joint=False)
    np.testing.assert_allclose(alone.covariance, values.var(1, ddof=1), rtol=1e-10)
    assert (found.n, found.left_out) == (N, 0)


def test_weights_of_zero_and_one_are_the_samples_that_count_alone():
    values, counts = drawn()
    live = counts > 0
    values[:, ~live] = np.nan  # of what does not count nothing is asked
    for joint in (True, False):
        found = gathered(values, everywhere(live.astype(float)), joint=joint)
        among = gathered(values[:, live], joint=joint)
        assert (found.n, found.left_out) == (live.sum(), N - live.sum())
        np.testing.assert_allclose(found.mean, among.mean, rtol=1e-12)
        np.testing.assert_allclose(found.covariance, among.covariance, rtol=1e-9)
        assert not found.nonfinite.any()


def test_equal_weights_change_nothing():
    values, _ = drawn()
    found, plain = gathered(values, np.full((K, N), 7.0)), gathered(values)
    np.testing.assert_allclose(found.mean, plain.mean, rtol=1e-12)
    np.testing.assert_allclose(found.covariance, plain.covariance, rtol=1e-9)


def test_a_ratio_and_its_linearised_covariance_by_hand():
    values, counts = drawn()
    found = gathered(values, everywhere(counts))
    ratio = (values * counts).sum(1) / counts.sum()
    np.testing.assert_allclose(found.mean, ratio, rtol=1e-12)
    live = counts > 0
    residual = counts[live] * (values[:, live] - ratio[:, None]) / counts[live].mean()
    np.testing.assert_allclose(
        found.covariance, residual @ residual.T / (live.sum() - 1), rtol=1e-9
    )
    alone = gathered(values, everywhere(counts), joint=False)
    np.testing.assert_allclose(alone.mean, found.mean, rtol=1e-12)
    np.testing.assert_allclose(alone.covariance, np.diag(found.covariance), rtol=1e-9)


def test_weights_that_come_late_are_those_from_the_start():
    values, counts = drawn()
    counts[:17] = 1
    weights = everywhere(counts)
    late = Moments(K)
    late.add(torch.from_numpy(values[:, :17].copy()))
    late.add(
        torch.from_numpy(values[:, 17:].copy()), None, torch.from_numpy(weights[:, 17:].copy())
    )
    found = gathered(values, weights)
    np.testing.assert_allclose(late.mean, found.mean, rtol=1e-12)
    np.testing.assert_allclose(late.covariance, found.covariance, rtol=1e-9)
    assert (late.n, late.left_out) == (found.n, found.left_out)


def test_weights_may_differ_by_position():
    """As of a precision: of the samples that are predicted to be of a class, at each position."""
    values, _ = drawn()
    weights = np.random.default_rng(3).integers(0, 2, (K, N)).astype(float)
    found = gathered(values, weights)
    ratio = (values * weights).sum(1) / weights.sum(1)
    np.testing.assert_allclose(found.mean, ratio, rtol=1e-12)
    live = weights.any(0)
    residual = weights * (values - ratio[:, None]) / (weights.sum(1, keepdims=True) / live.sum())
    np.testing.assert_allclose(
        found.covariance, residual @ residual.T / (live.sum() - 1), rtol=1e-9
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_each_stratum_costs_a_degree_of_freedom(weighted):
    """The pooled variance within strata: its sum of squares over n less the number of strata."""
    values, counts = drawn()
    strata = np.arange(N) % 6
    weights = everywhere(counts + 1) if weighted else None
    found = gathered(values, weights, strata)
    w = counts + 1 if weighted else np.ones(N)
    ratio = (values * w).sum(1) / w.sum()
    residual = w * (values - ratio[:, None]) / w.mean()
    within = np.zeros((K, K))
    for stratum in range(6):
        own = residual[:, strata == stratum]
        own = own - own.mean(1, keepdims=True)
        within += own @ own.T
    np.testing.assert_allclose(found.covariance, within / (N - 6), rtol=1e-9)


def test_nan_and_infinity_of_what_counts_are_carried():
    values, counts = drawn()
    counts[:3] = [1, 0, 2]
    values[1, 0], values[2, 1], values[3, 2] = np.nan, np.nan, np.inf
    found = gathered(values, everywhere(counts))
    assert found.nonfinite.tolist() == [0, 1, 0, 1]
    assert np.isfinite(found.mean).tolist() == [True, False, True, False]
    assert np.isfinite(found.covariance[0, 0])


def test_the_interval_of_a_token_mean_covers_at_the_stated_rate():
    """Sequences are drawn, lengths with them; the barrier's interval is paired across t."""
    t = np.array([0, 0.3, 0.6, 1.0])
    values, counts = drawn(1, n=400_000)
    truth = (values * counts).sum(1) / counts.sum()
    height = truth[1] - 0.7 * truth[0] - 0.3 * truth[3]
    hits, heights, errors = 0, [], []
    for seed in range(300):
        values, counts = drawn(100 + seed, n=150)
        found = gathered(values, everywhere(counts), chunk=150)
        about = {"population": 150, "nonfinite": found.nonfinite, "left_out": found.left_out}
        curve = Curve(t, found.mean, found.covariance, found.n, **about)
        made = barrier(curve)
        low, high = made.interval(0.9)
        hits += low <= height <= high
        heights.append(made.height)
        errors.append(made.stderr)
    assert hits / 300 == pytest.approx(0.9, abs=0.06)
    assert np.mean(errors) == pytest.approx(np.std(heights), rel=0.12)


def test_the_standard_error_is_that_of_the_bootstrap():
    values, counts = drawn(5, n=300)
    found = gathered(values, everywhere(counts))
    rng, means = np.random.default_rng(0), []
    for _ in range(2000):
        at = rng.integers(0, 300, 300)
        means.append((values[:, at] * counts[at]).sum(1) / counts[at].sum())
    expected = np.std(means, axis=0)
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance) / found.n), expected, rtol=0.08)


def test_one_sample_that_counts_has_no_standard_error():
    values, _ = drawn()
    weights = everywhere((np.arange(N) == 3).astype(float))
    for joint in (True, False):
        found = gathered(values, weights, joint=joint)
        np.testing.assert_allclose(found.mean, values[:, 3])
        assert np.isnan(found.covariance).all()
