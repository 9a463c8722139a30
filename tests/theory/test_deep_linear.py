"""Stars of deep linear networks: exact arms, too few units, and the pair without a chain."""

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize

from ridgeline.errors import UsageError
from ridgeline.theory.deep_linear import (
    arm_errors,
    draw_networks,
    linear_centre,
    product,
    summed_loss,
)

SHAPES = [(2, 2, 1), (2, 2, 3), (3, 2, 3), (3, 3, 3), (4, 3, 2), (2, 10, 4)]


def star(depth, feet, dimension, width):
    rng = np.random.default_rng(0)
    target = rng.standard_normal((1, dimension))
    found = draw_networks(depth=depth, width=width, target=target, count=feet, rng=rng)
    return found, linear_centre(found, target, rng), target


@pytest.mark.parametrize(("depth", "feet", "dimension"), SHAPES)
@pytest.mark.parametrize("more", [0, 1, 5])
def test_arms_are_exact_from_1_plus_r_times_L_less_1_units_on(depth, feet, dimension, more):
    found, centre, target = star(depth, feet, dimension, 1 + feet * (depth - 1) + more)
    assert max(np.abs(product(one) - target).max() for one in (*found, centre)) < 1e-12
    assert arm_errors(centre, found, target).max() < 1e-11


@pytest.mark.parametrize(("depth", "feet", "dimension"), SHAPES)
def test_with_one_unit_less_they_are_not(depth, feet, dimension):
    found, centre, target = star(depth, feet, dimension, feet * (depth - 1))
    assert arm_errors(centre, found, target).max() > 1e-3


def test_the_error_of_an_arm_is_seen_between_its_ends():
    one = [np.array([[1.0], [0.0]]), np.array([[1.0, 0.0]])]
    other = [np.array([[0.0], [1.0]]), np.array([[0.0, 1.0]])]
    assert arm_errors(one, [other], np.ones((1, 1)), points=3) == pytest.approx([0.5])


def integrated(a, b, points=2001):
    """Lemma 17's losses from the products themselves."""
    t = np.linspace(0, 1, points)[:, None]
    total = 0.0
    for sign in (1, -1):
        foot = sign * np.eye(4)[0]
        first, last = (1 - t) * foot + t * a, (1 - t) * foot + t * b
        total += np.trapezoid(((first * last).sum(1) - 1) ** 2, t[:, 0])
    return total


def test_the_summed_loss_is_the_integral_over_both_arms():
    rng = np.random.default_rng(0)
    for _ in range(5):
        a, b = rng.standard_normal((2, 4))
        b = b / (a @ b)
        assert summed_loss(a, b) == pytest.approx(integrated(a, b), rel=1e-5)


def test_lemma_17_is_attained_and_not_undercut():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 20_000, 4))
    b /= (a * b).sum(1, keepdims=True)
    assert summed_loss(a, b).min() >= 4 / 15
    assert summed_loss(np.eye(4)[1], np.eye(4)[1]) == pytest.approx(4 / 15)
    found = minimize(
        lambda z: summed_loss(z[:4], z[4:]),
        np.array([1.0, 2.0, 0, 0, 0.5, 0.25, 0, 0]),
        constraints={"type": "eq", "fun": lambda z: z[:4] @ z[4:] - 1},
    )
    assert found.fun == pytest.approx(4 / 15, abs=1e-8)


def test_a_centre_that_need_not_be_a_minimum_does_better():
    """Lemma 17 is about minima: at <a, b> = 1 + 3/2 the sum is 1/6 [derived]."""
    losses = []
    for p, s in itertools.product(np.linspace(0.5, 2.5, 41), np.linspace(-1, 1, 21)):
        # a = (s/2, u, 0, 0) = b has <a, b> = p where u^2 = p - s^2/4.
        a = np.array([s / 2, np.sqrt(p - s**2 / 4), 0, 0])
        losses.append(integrated(a, a, 101))
    assert min(losses) == pytest.approx(1 / 6, abs=1e-3)


def test_a_network_of_one_layer_is_refused():
    with pytest.raises(UsageError, match="depth 1"):
        draw_networks(
            depth=1, width=3, target=np.ones((1, 1)), count=1, rng=np.random.default_rng()
        )


def test_a_centre_has_feet():
    with pytest.raises(UsageError, match="foot"):
        linear_centre([], np.ones((1, 1)), np.random.default_rng())
