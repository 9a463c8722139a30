"""Shortest paths of two pieces against constrained minimisation, and their limits."""

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize

from ridgeline.errors import UsageError
from ridgeline.theory.minima import (
    Minima,
    draw,
    is_minimum,
    least_ratio,
    least_ratio_limit,
    ratio_limit,
    risk,
    two_piece,
)


def pairs(law, M, m, size, seed=0):
    rng = np.random.default_rng(seed)
    return (draw(law, teachers=M, neurons=m, size=size, rng=rng) for _ in range(2))


def by_minimiser(a, b):
    """Least sum of two lengths, over every way to give types to the centre's neurons."""
    M, (ta, tb) = a.teachers, (a.types, b.types)
    wa, wb = a.weights(), b.weights()
    options = []
    for x, y in zip(ta.tolist(), tb.tolist(), strict=True):
        options.append(
            range(1, M + 1) if x == y == 0 else [x or y] if x * y == 0 or x == y else [0]
        )
    least = np.inf
    for types in itertools.product(*options):
        at = np.flatnonzero(types)
        axes = np.eye(M + 1)[list(types), 1:][at]  # (n, M)
        if not (axes.sum(0) > 0).all():
            continue

        def length(x, at=at, axes=axes):
            centre = np.zeros_like(wa)
            centre[at] = axes * x[:, None]
            return np.linalg.norm(wa - centre) + np.linalg.norm(wb - centre)

        found = minimize(
            length,
            1 / axes.sum(0)[axes.argmax(1)],
            method="SLSQP",
            bounds=[(0, None)] * len(at),
            constraints={"type": "eq", "fun": lambda x, axes=axes: axes.T @ x - 1},
            options={"ftol": 1e-14, "maxiter": 500},
        )
        least = min(least, found.fun)
    return least / np.linalg.norm(wa - wb)


@pytest.mark.parametrize(
    ("law", "M", "m", "seed"),
    [("types", 2, 8, 0), ("types", 3, 14, 1), ("volume", 2, 9, 2), (0.3, 2, 6, 3), (0.6, 2, 8, 4)],
)
def test_the_shortest_is_that_of_a_constrained_minimiser(law, M, m, seed):
    a, b = pairs(law, M, m, 4, seed)
    found = two_piece(a, b)
    for i in range(4):
        slow = by_minimiser(a.at(i), b.at(i))
        if np.isinf(slow):
            assert np.isinf(found.ratio[i])
        else:
            assert found.ratio[i] == pytest.approx(slow, rel=2e-6)
    assert np.isfinite(found.ratio).any()


@pytest.mark.parametrize("law", ["types", "volume", "with_zeros", 0.7])
def test_the_centre_is_a_minimum_on_lines_to_both_and_has_the_length_told(law):
    a, b = pairs(law, 3, 24, 40)
    found = two_piece(a, b)
    there = np.isfinite(found.ratio)
    assert there.any()
    wa, wb, centre = (one.at(there).weights(4) for one in (a, b, found.centre))
    assert is_minimum(centre, 3).all()
    for end in (wa, wb):
        assert np.abs(risk(0.5 * (end + centre), 3)).max() < 1e-12
    size = (1, 2)
    length = np.linalg.norm(wa - centre, axis=size) + np.linalg.norm(wb - centre, axis=size)
    straight = np.linalg.norm(wa - wb, axis=size)
    np.testing.assert_allclose(found.straight[there], straight)
    np.testing.assert_allclose(found.ratio[there], length / straight, rtol=1e-9)


def test_where_the_line_itself_is_at_zero_risk_the_ratio_is_one():
    types = np.array([[1, 2, 0, 1, 2]], np.int8)
    a = Minima(types, np.array([[0.3, 0.6, 0, 0.7, 0.4]]), 2)
    b = Minima(np.array([[1, 0, 2, 1, 2]], np.int8), np.array([[0.9, 0, 0.2, 0.1, 0.8]]), 2)
    assert two_piece(a, b).ratio == pytest.approx([1.0], abs=1e-9)
    assert least_ratio(a, b) == pytest.approx([1.0])
    assert two_piece(a, a).ratio == pytest.approx([1.0])


def test_without_a_centre_the_ratio_is_infinite():
    one, two = np.array([[1, 2]], np.int8), np.array([[2, 1]], np.int8)
    found = two_piece(Minima(one, np.ones((1, 2)), 2), Minima(two, np.ones((1, 2)), 2))
    assert np.isinf(found.ratio[0]) and np.isnan(found.centre.sizes).all()


@pytest.mark.parametrize("law", ["types", "with_zeros", 0.8])
def test_no_path_is_shorter_than_the_bound_from_below(law):
    a, b = pairs(law, 3, 30, 60)
    bound = least_ratio(a, b)
    assert (two_piece(a, b).ratio >= bound - 1e-9).all()
    clash = (a.types != b.types) & (a.types > 0) & (b.types > 0)
    np.testing.assert_array_equal(bound > 1, clash.any(1))


def test_the_bound_from_below_counts_each_neurons_way_through_zero():
    # Each of two neurons goes 1 to zero and 1 on: sqrt(2^2 + 2^2) over the straight sqrt(4).
    a = Minima(np.array([[1, 2]], np.int8), np.array([[1.0, 1.0]]), 2)
    b = Minima(np.array([[2, 1]], np.int8), np.array([[1.0, 1.0]]), 2)
    assert least_ratio(a, b) == pytest.approx([np.sqrt(8) / 2])


@pytest.mark.parametrize(
    ("zeros", "M", "limit"),
    [
        *((0, 2, 1.528), (0, 4, 2.104), (0, 8, 2.910)),
        *((0.3, 2, 1.250), (0.3, 4, 1.382), (0.3, 8, 1.457)),
        *((0.6, 2, 1.114), (0.6, 4, 1.166), (0.6, 8, 1.191)),
        *((0.9, 2, 1.025), (0.9, 4, 1.038), (0.9, 8, 1.044)),
        *((0.99, 2, 1.003), (0.99, 4, 1.004), (0.99, 8, 1.004)),
    ],
)
def test_the_limit_is_that_of_the_table(zeros, M, limit):
    assert ratio_limit(M, zeros) == pytest.approx(limit, abs=6e-4)


@pytest.mark.parametrize(("zeros", "M"), [(0.0, 2), (0.3, 4), (0.6, 2), (0.9, 4)])
def test_wide_students_are_near_both_limits(zeros, M):
    a, b = pairs(zeros, M, 4000, 12)
    assert two_piece(a, b).ratio.mean() == pytest.approx(ratio_limit(M, zeros), rel=0.015)
    assert least_ratio(a, b).mean() == pytest.approx(least_ratio_limit(M, zeros), rel=0.01)


def test_pairs_that_do_not_go_together_are_refused():
    a, b = pairs("types", 2, 6, 3)
    with pytest.raises(UsageError, match="shapes"):
        two_piece(a, b.at(slice(2)))
    with pytest.raises(UsageError, match="M = 2 and 3"):
        least_ratio(a, Minima(b.types, b.sizes, 3))
    with pytest.raises(UsageError, match=r"r = 1"):
        ratio_limit(2, 1.0)
