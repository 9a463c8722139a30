"""All pairs at once against every order tried, and against one turn of the units after another."""

from itertools import permutations, product

import numpy as np
import pytest
import torch

from ridgeline.matching import WeightMatching, align, blocks
from ridgeline.matching.contents import Contents
from ridgeline.matching.overlap import Overlap
from ridgeline.symmetry import Group, Place, Symmetry
from wreaths import CASES, drawn, grouped, heads, index


def fused():
    """Queries, keys and values of each head in one tensor, with a number of the head's own."""
    n, k = 3, 2
    own = np.arange(n * 7).reshape(n, 7)
    outer = own[None]
    qk = Place("qkv", 0, own[:, :2, None]), Place("qkv", 0, own[:, 2:4, None])
    shapes = {"qkv": (n * 7, 5), "o": (4, n * k)}
    heads = Place("qkv", 0, outer), Place("o", 1, index(1, n, k))
    vo = Place("qkv", 0, own[:, 4:6, None]), Place("o", 1, index(n, k))
    groups = Group("qk", qk, inside="heads"), Group("vo", vo, inside="heads")
    return Symmetry((*groups, Group("heads", heads)), shapes), shapes


MADE = {"heads": lambda: heads(4, 3), "grouped": lambda: grouped(4, 3), "fused": fused}
OUTER = {"heads": "heads", "grouped": "blocks", "fused": "heads"}


def overlap_of(name, seed=0):
    symmetry, shapes = MADE[name]()
    a, b = drawn(shapes, seed), drawn(shapes, seed + 100)
    return symmetry, Overlap(a, b, symmetry), a, b


def single(overlap, name, i, j, inner):
    """What unit j of b overlaps in the place of unit i, its contents in these orders."""
    group = overlap.groups[name]
    order = np.roll(np.arange(group.size), i - j)[None]
    orders = overlap.identities() | {name: order}
    for child, one in inner.items():
        whole = overlap.groups[child].identity()
        whole[i] = one
        orders[child] = whole
    return overlap.held(name, orders)[0, i]


@pytest.mark.parametrize("name", ["heads", "fused"])
def test_contents_that_share_nothing_are_at_their_best(name):
    """Every order of every inner group, for every pair."""
    _, overlap, *_ = overlap_of(name)
    outer = OUTER[name]
    assert Contents.suit(overlap, outer)
    fitted = Contents(overlap, outer, overlap.identities()).fitted()
    inner = overlap.inside[outer]
    choices = [list(permutations(range(overlap.groups[c].size))) for c in inner]
    n = overlap.groups[outer].size
    for i, j in product(range(n), range(n)):
        best = max(
            single(overlap, outer, i, j, dict(zip(inner, chosen, strict=True)))
            for chosen in product(*choices)
        )
        assert fitted.worth[i, j] == pytest.approx(best, rel=1e-12)


@pytest.mark.parametrize("name", list(MADE))
def test_a_pair_is_worth_what_it_overlaps(name):
    _, overlap, *_ = overlap_of(name, 3)
    outer = OUTER[name]
    fitted = Contents(overlap, outer, overlap.identities()).fitted()
    for i, j in np.ndindex(*fitted.worth.shape):
        inner = {c: x[i, j] for c, x in fitted.orders.items()}
        assert fitted.worth[i, j] == pytest.approx(single(overlap, outer, i, j, inner), rel=1e-12)


@pytest.mark.parametrize("name", list(MADE))
@pytest.mark.parametrize("seed", range(5))
def test_all_at_once_is_as_good_as_turn_by_turn(name, seed, monkeypatch):
    symmetry, _, a, b = overlap_of(name, seed)
    fast = align(a, b, symmetry, by=WeightMatching())
    monkeypatch.setattr(Contents, "suit", staticmethod(lambda *_: False))
    slow = align(a, b, symmetry, by=WeightMatching())
    ends = (found.matched.objective["after"] for found in (fast, slow))
    assert next(ends) == pytest.approx(next(ends), rel=1e-9)


@pytest.mark.parametrize("only", [None, {"q", "v"}, {"o"}])
def test_only_named_tensors_count(only):
    _, overlap, *_ = overlap_of("heads")
    orders = overlap.identities()
    fast = blocks._paired(overlap, "heads", orders, only)
    slow = blocks._nested(overlap, "heads", orders, only)
    held = [overlap.held("heads", o, only).sum() for o in (fast, slow)]
    assert held[0] == pytest.approx(held[1], rel=1e-12)


def test_equal_contents_stay_where_they_are():
    symmetry, shapes = grouped(3, 3)
    a = {n: torch.ones(s, dtype=torch.float64) for n, s in shapes.items()}
    overlap = Overlap(a, a, symmetry)
    found = blocks._paired(overlap, "blocks", overlap.identities(), None)
    for name, order in found.items():
        assert (order == overlap.groups[name].identity()).all()


def test_few_cells_at_a_time_are_the_same(monkeypatch):
    _, overlap, *_ = overlap_of("grouped")
    whole = Contents(overlap, "blocks", overlap.identities()).fitted()
    monkeypatch.setattr("ridgeline.matching.contents.CELLS", 40)
    parts = Contents(overlap, "blocks", overlap.identities()).fitted()
    np.testing.assert_allclose(parts.worth, whole.worth, rtol=1e-12)


def test_what_does_not_suit_is_told():
    """Units inside of units inside of units; and a group that crosses itself."""
    symmetry, shapes = CASES["three"]()
    overlap = Overlap(drawn(shapes, 0), drawn(shapes, 1), symmetry)
    assert not Contents.suit(overlap, "a")
    assert not Contents.suit(overlap, "b")
    n, k = 3, 2
    confined = np.tile(np.arange(k)[None, :, None], (n, 1, 1))
    rows = np.arange(n * k).reshape(n, k)
    inner = Group(
        "in",
        (Place("w", 0, index(n, k)), Place("w", 1, confined, within=(0, rows))),
        inside="out",
    )
    symmetry = Symmetry((inner, Group("out", (Place("w", 0, index(1, n, k)),))), {"w": (n * k, k)})
    overlap = Overlap({"w": torch.randn(6, 2)}, {"w": torch.randn(6, 2)}, symmetry)
    assert not Contents.suit(overlap, "out")
