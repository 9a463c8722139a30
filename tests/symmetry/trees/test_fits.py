"""Best patterns of pairs of trees against trying all of them."""

import numpy as np
import pytest
import torch

from forests import SMALL, drawn, overlaps, patterned
from ridgeline.symmetry.trees import (
    Ensemble,
    Half,
    TreeElement,
    TreePermutations,
    fit,
    patterns_of,
    turned,
)
from ridgeline.symmetry.trees.oblivious import EXACT, best_orders


def half(e, state):
    return Half(e.splits(state), e.outputs(state))


def best_by_enumeration(e, a, b, weights, allowed):
    found = np.full((e.trees, e.trees), -np.inf)
    for k in allowed:
        moved = {**b, **patterned(e, k).changed(b)}
        found = np.maximum(found, overlaps(e, a, moved, weights))
    return found


@pytest.mark.parametrize(("kind", "depth"), [*SMALL, ("oblivious", 4)])
@pytest.mark.parametrize("weighted", [True, False])
def test_values_are_those_of_enumeration_and_the_patterns_that_are_read_have_them(
    kind, depth, weighted
):
    e = Ensemble(kind, depth, 3)
    a, b = drawn(e, 1), drawn(e, 2)
    weights = e.node_weights if weighted else torch.ones(e.nodes, dtype=torch.float64)
    found = fit(e, half(e, a), half(e, b), weights=weights if weighted else None)
    every = range(len(patterns_of(e).nodes))
    want = best_by_enumeration(e, a, b, weights, every)
    np.testing.assert_allclose(found.values, want, rtol=1e-13, atol=1e-13)
    assert found.exact
    order = np.array([2, 0, 1])
    patterns = found.chosen(order)[np.argsort(order)]
    moved = TreeElement(TreePermutations(e), e, patterns, order).changed(b)
    have = np.diag(overlaps(e, a, {**b, **moved}, weights))
    np.testing.assert_allclose(have, want[np.arange(3), order], rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("over", ["orders", "flips"])
def test_of_oblivious_trees_orders_alone_and_flips_alone(over):
    e = Ensemble("oblivious", 3, 3)
    a, b = drawn(e, 3), drawn(e, 4)
    u = patterns_of(e)
    flat = (u.signs == 1).all(1) if over == "orders" else (u.nodes == np.arange(3)).all(1)
    ones = torch.ones(3, dtype=torch.float64)
    want = best_by_enumeration(e, a, b, ones, np.flatnonzero(flat))
    found = fit(e, half(e, a), half(e, b), over=(over,))
    np.testing.assert_allclose(found.values, want, rtol=1e-13)
    patterns = found.chosen(np.arange(3))
    assert (
        (patterns.signs == 1).all() if over == "orders" else (patterns.nodes == np.arange(3)).all()
    )


@pytest.mark.parametrize("kind", ["perfect", "oblivious", "list"])
def test_of_equal_patterns_the_one_that_turns_nothing_counts(kind):
    e = Ensemble(kind, 2, 2)
    zeros = {n: torch.zeros_like(x) for n, x in drawn(e, 1).items()}
    patterns = fit(e, half(e, drawn(e, 1)), half(e, zeros)).chosen(np.arange(2))
    assert (patterns.signs == 1).all() and (patterns.nodes == np.arange(e.nodes)).all()


def test_deep_oblivious_trees_are_searched_and_say_so():
    e = Ensemble("oblivious", EXACT + 1, 2)
    a = drawn(e, 1)
    draws = np.random.default_rng(0)
    orders = np.stack([draws.permutation(e.depth) for _ in range(2)])
    element = TreeElement(
        TreePermutations(e), e, turned(e, draws.random((2, e.depth)) < 0.5, orders), np.arange(2)
    )
    b = {**a, **element.changed(a)}
    found = fit(e, half(e, a), half(e, b))
    assert not found.exact
    np.testing.assert_allclose(np.diag(found.values), np.diag(overlaps(e, a, a, torch.ones(6))))


def test_a_search_finds_what_all_orders_give_at_a_depth_where_both_can_be_asked(monkeypatch):
    e = Ensemble("oblivious", 3, 6)
    a, b = half(e, drawn(e, 5)), half(e, drawn(e, 6))
    given = (a.splits, a.leaves, b.splits, b.leaves)
    want = best_orders(*given, orders=True, flips=True, seed=0)[0]
    monkeypatch.setattr("ridgeline.symmetry.trees.oblivious.EXACT", 1)
    found = best_orders(*given, orders=True, flips=True, seed=0)[0]
    assert (found <= want + 1e-12).all() and (found >= want - 1e-12).mean() > 0.9


@pytest.mark.parametrize(
    ("kind", "want"),
    [
        ("perfect", [8, 4, 4, 2, 2, 2, 2]),
        ("oblivious", [8, 8, 8]),
        ("list", [4, 3, 2]),
        ("modified-list", [4, 3, 2]),
    ],
)
def test_a_node_counts_as_many_times_as_it_has_leaves(kind, want):
    assert Ensemble(kind, 3, 1).node_weights.tolist() == want
