"""The closed risk against sampling and automatic quadrature, and theorem 6."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgeline.errors import UsageError
from ridgeline.theory.minima import draw, is_minimum, risk


def sampled(weights, teachers, n=400_000):
    """Mean squared error on the sphere and its standard error, by drawing."""
    x = np.random.default_rng(1).standard_normal((n, weights.shape[1]))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    off = np.maximum(x @ weights.T, 0).sum(1) - np.maximum(x[:, :teachers], 0).sum(1)
    return (off**2).mean(), (off**2).std() / n**0.5


@pytest.mark.parametrize(("m", "M", "d"), [(1, 1, 2), (3, 2, 2), (5, 2, 4), (6, 4, 4)])
def test_the_risk_is_that_of_samples(m, M, d):
    weights = np.random.default_rng(m).standard_normal((m, d))
    mean, stderr = sampled(weights, M)
    assert risk(weights, M) == pytest.approx(mean, abs=4 * stderr)


def test_the_risk_in_the_plane_is_the_integral_over_the_angle():
    weights = np.array([[0.7, -0.2], [0.1, 0.9], [-0.4, 0.3]])
    angle = (np.arange(200_000) + 0.5) / 200_000 * 2 * np.pi
    x = np.stack((np.cos(angle), np.sin(angle)), 1)
    off = np.maximum(x @ weights.T, 0).sum(1) - np.maximum(x, 0).sum(1)
    assert risk(weights, 2) == pytest.approx((off**2).mean(), rel=1e-9)


def test_many_students_at_once_and_neurons_that_are_zero():
    weights = np.random.default_rng(0).standard_normal((2, 3, 5, 3))
    weights[..., 2, :] = 0
    found = risk(weights, 2)
    assert found.shape == (2, 3)
    assert found[1, 2] == pytest.approx(float(risk(np.delete(weights[1, 2], 2, 0), 2)))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    spoil=st.sampled_from(["none", "split", "sign", "size", "spare coordinate"]),
)
def test_theorem_6_says_which_students_have_zero_risk(seed, spoil):
    rng = np.random.default_rng(seed)
    weights = draw("with_zeros", teachers=3, neurons=8, size=1, rng=rng).weights(4)[0]
    i, j = (np.flatnonzero(weights[:, c])[0] for c in (0, 1))
    match spoil:
        case "split":  # column sums stay
            share = 0.5 * min(weights[i, 0], weights[j, 1])
            weights[i] += [-share, share, 0, 0]
            weights[j] += [share, -share, 0, 0]
        case "sign":
            weights[i, 0] += 1.5
            weights[j] = [-1.5, weights[j, 1], 0, 0]
        case "size":
            weights[i, 0] += 0.01
        case "spare coordinate":
            weights[i, 3] += 0.01
    exact = bool(is_minimum(weights, 3))
    assert exact == (spoil == "none") == (abs(risk(weights, 3)) < 1e-12)


def test_a_neuron_of_two_coordinates_with_the_same_sums_has_the_risk_that_was_sampled():
    weights = np.array([[0.5, 0.5], [0.5, 0], [0, 0.5]])
    mean, stderr = sampled(weights, 2)
    assert risk(weights, 2) == pytest.approx(mean, abs=4 * stderr)
    assert risk(weights, 2) > 1e-3


@pytest.mark.parametrize(("M", "d"), [(3, 2), (0, 2), (1, 1)])
def test_a_teacher_that_does_not_fit_is_refused(M, d):
    with pytest.raises(UsageError, match="dimension"):
        risk(np.ones((2, d)), M)
    with pytest.raises(UsageError, match="dimension"):
        is_minimum(np.ones((2, d)), M)
