"""The group of an ensemble: its order by trying all, the laws of the wreath product."""

from itertools import permutations, product
from math import factorial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from forests import SMALL, answers, drawn, patterned
from ridgeline.errors import UsageError
from ridgeline.symmetry.trees import (
    Ensemble,
    Patterns,
    TreeElement,
    TreePermutations,
    patterns_of,
    symmetries_of,
    turned,
)

X = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def order(kind: str, depth: int) -> int:
    """The closed forms of the paper's table 1."""
    return {
        "perfect": 2 ** (2**depth - 1),
        "oblivious": 2**depth * factorial(depth),
        "list": 2,
        "modified-list": 1,
    }[kind]


@pytest.mark.parametrize(("kind", "depth"), [*SMALL, ("oblivious", 4)])
def test_every_pattern_leaves_the_function_unchanged(kind, depth):
    e = Ensemble(kind, depth, 1)
    assert len(patterns_of(e).nodes) == order(kind, depth)
    state = drawn(e, 1)
    want = answers(e, state, X)
    for k in range(order(kind, depth)):
        found = answers(e, {**state, **patterned(e, k).changed(state)}, X)
        assert float((found - want).abs().max()) < 1e-12


def signature(e: Ensemble, state, nodes, signs):
    """For each leaf the share of samples that reaches it, splits put elsewhere."""
    moved = {
        **state,
        e.weight: state[e.weight][:, nodes] * signs[:, None],
        e.bias: state[e.bias][:, nodes] * signs,
    }
    rows = []
    for leaf in range(e.ends):
        one = torch.zeros_like(state[e.leaves])
        one[:, leaf] = 1
        rows.append(answers(e, {**moved, e.leaves: one}, X)[:, 0, 0])
    return torch.stack(rows)


@pytest.mark.parametrize(
    ("kind", "depth"),
    [
        *[("perfect", 1), ("perfect", 2), ("oblivious", 1), ("oblivious", 2), ("oblivious", 3)],
        *[("list", 1), ("list", 2), ("list", 3), ("modified-list", 1), ("modified-list", 3)],
    ],
)
def test_no_other_signed_permutation_of_splits_does(kind, depth):
    """Brute force: one that does reaches the same leaves by the same shares, in some order."""
    e = Ensemble(kind, depth, 1)
    state = drawn(e, 2, outputs=1)
    still = torch.ones(e.nodes, dtype=torch.float64)
    want = signature(e, state, list(range(e.nodes)), still).sum(1).sort()[0]
    found = set()
    for nodes in permutations(range(e.nodes)):
        for signs in product([1.0, -1.0], repeat=e.nodes):
            have = signature(e, state, list(nodes), torch.tensor(signs, dtype=torch.float64))
            if torch.allclose(have.sum(1).sort()[0], want, atol=1e-9):
                found.add((nodes, signs))
    u = patterns_of(e)
    assert found == {(tuple(n), tuple(map(float, s))) for n, s in zip(u.nodes, u.signs)}  # noqa: B905


@st.composite
def pairs(draw):
    """An ensemble and three random elements of its group."""
    kind = draw(st.sampled_from(["perfect", "oblivious", "list", "modified-list"]))
    e = Ensemble(kind, draw(st.integers(1, 3)), draw(st.integers(1, 4)))
    group, every = TreePermutations(e), patterns_of(e)
    elements = []
    for _ in range(3):
        draws = np.random.default_rng(draw(st.integers(0, 10**6)))
        which = draws.integers(len(every.nodes), size=e.trees)
        elements.append(TreeElement(group, e, every[which], draws.permutation(e.trees)))
    return e, *elements


def same(a, b):
    return all(torch.equal(a[n], x) for n, x in b.items())


@settings(max_examples=60, deadline=None)
@given(pairs())
def test_law_a_product_is_one_after_the_other(case):
    e, g, h, k = case
    state = drawn(e, 3)
    both = g.after(h)
    assert same(both.changed(state), g.changed(h.changed(state)))
    assert same(g.after(h.after(k)).changed(state), both.after(k).changed(state))


@settings(max_examples=60, deadline=None)
@given(pairs())
def test_law_the_inverse_undoes_bit_for_bit(case):
    e, g, h, _ = case
    state = drawn(e, 4)
    assert same(g.inverse().changed(g.changed(state)), state)
    assert same(g.after(g.inverse()).changed(state), state)
    one, other = g.after(h).inverse(), h.inverse().after(g.inverse())
    assert same(one.changed(state), other.changed(state))


def test_patterns_are_numbered_by_the_tree_before_it_is_moved():
    e = Ensemble("list", 1, 2)
    flips = np.array([[True], [False]])
    g = TreeElement(TreePermutations(e), e, turned(e, flips), np.array([1, 0]))
    state = drawn(e, 5)
    found = g.changed(state)
    assert torch.equal(found["weight"][1], -state["weight"][0])
    assert torch.equal(found["leaves"][1], state["leaves"][0].flip(0))
    assert torch.equal(found["leaves"][0], state["leaves"][1])
    assert g.how == ("2 of 2 trees moved", "1 of 2 splits flipped")


def test_elements_of_other_trees_do_not_compose_to_one():
    one, other = (Ensemble("list", 1, 2, weight=w) for w in ("weight", "other"))
    g, h = (symmetries_of(e, 1)[0].identity() for e in (one, other))
    assert g.after(h) is None


def test_what_is_no_element_is_refused():
    e = Ensemble("modified-list", 2, 2)
    flips = np.zeros((2, 2), bool)
    with pytest.raises(UsageError, match=r"modified lists none.*2 modified-list trees of depth 2"):
        turned(e, ~flips)
    with pytest.raises(UsageError, match="Oblivious trees alone have orders"):
        turned(e, flips, np.zeros((2, 2), int))
    with pytest.raises(UsageError, match=r"permutation of 2.*\[0, 0\]"):
        TreeElement(TreePermutations(e), e, Patterns.still(e), np.array([0, 0]))
