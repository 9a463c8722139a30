"""Laws of transforms, as properties, on every small network."""

from functools import cache
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgeline.errors import StateMismatch, UnknownName, UsageError
from ridgeline.graph import Network
from ridgeline.rng import stream
from ridgeline.symmetry import Group, Place, discover
from symmetric import NETWORKS, seeded

NAMES = st.sampled_from(list(NETWORKS))
SEEDS = st.integers(0, 10**6)


@cache
def held(name):
    """A network in float64, its symmetry, its state, its input."""
    make, example, _ = NETWORKS[name]
    network = Network(seeded(make)().double())
    example = example.double() if example.is_floating_point() else example
    state = {
        k: x + 0.1 * torch.randn(x.shape, generator=stream(0, "law", k), dtype=x.dtype).abs()
        if x.is_floating_point()
        else x
        for k, x in network.tensors.items()
    }
    return network, discover(network, example), state, example


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@settings(max_examples=60, deadline=None)
@given(NAMES, SEEDS)
def test_law_the_inverse_undoes_bit_for_bit(name, seed):
    _, symmetry, state, _ = held(name)
    element = symmetry.random(seed)
    assert same(element.inverse()(element(state)), state)
    assert same(element(element.inverse()(state)), state)


@settings(max_examples=60, deadline=None)
@given(NAMES, SEEDS, SEEDS)
def test_law_a_product_is_one_after_the_other(name, one, other):
    _, symmetry, state, _ = held(name)
    g, h = symmetry.random(one), symmetry.random(other)
    assert same((g @ h)(state), g(h(state)))
    assert same((g @ h).inverse()(g(h(state))), state)


@settings(max_examples=60, deadline=None)
@given(NAMES, SEEDS)
def test_law_a_random_element_leaves_outputs_unchanged(name, seed):
    network, symmetry, state, example = held(name)
    before, after = network(state, example), network(symmetry.random(seed)(state), example)
    assert torch.allclose(before, after, rtol=1e-10, atol=1e-10)


@settings(max_examples=40, deadline=None)
@given(NAMES, SEEDS)
def test_law_a_state_keeps_its_numbers_and_is_left_alone(name, seed):
    _, symmetry, state, _ = held(name)
    kept = {k: x.clone() for k, x in state.items()}
    after = symmetry.random(seed)(state)
    assert same(state, kept)
    slots = {
        n: slot
        for e in symmetry.exchanges
        for tensors in e.members.tensors
        for n, slot in zip(tensors, e.members.slots, strict=True)
    }
    for slot in {slots.get(k, k) for k in state}:
        mine = [k for k in state if slots.get(k, k) == slot]
        one, other = (torch.cat([s[k].flatten() for k in mine]) for s in (after, state))
        assert torch.equal(one.sort()[0], other.sort()[0])


@settings(max_examples=20, deadline=None)
@given(NAMES, SEEDS)
def test_law_elements_do_not_depend_on_torchs_random_numbers(name, seed):
    """peers.md 9, 12."""
    _, symmetry, state, _ = held(name)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        one, drawn = symmetry.random(7)(state), torch.rand(())
        torch.manual_seed(seed)
        assert torch.equal(torch.rand(()), drawn)  # nothing was drawn from them
    assert same(one, symmetry.random(7)(state))


# --- a brute-force reference --------------------------------------------------------------------


def exchanges(network, state, example, axes):
    """Pairs of positions on some axes of one size whose exchange leaves the outputs unchanged.

    Args:
        axes: (tensor, axis) that are exchanged together.
    """
    before = network(state, example)
    size = state[axes[0][0]].shape[axes[0][1]]
    found = set()
    for i, j in combinations(range(size), 2):
        order = torch.arange(size)
        order[[i, j]] = order[[j, i]]
        swapped = dict(state)
        for tensor, axis in axes:
            swapped[tensor] = swapped[tensor].index_select(axis, order)
        if torch.allclose(network(swapped, example), before, rtol=1e-9, atol=1e-9):
            found.add((i, j))
    return found


def implied(symmetry, axes):
    """The same, of those that a symmetry says."""
    found = set()
    for g in symmetry.groups:
        stands = {(p.tensor, p.axis): p.index for p in g.places if p.width == 1}
        if set(stands) == set(axes) and len(g.places) == len(stands):
            for fibre in stands[axes[0]]:
                found |= {tuple(sorted((int(a), int(b)))) for [a], [b] in combinations(fibre, 2)}
    return found


UNITS = [
    ("mlp", [("0.weight", 0), ("0.bias", 0), ("2.weight", 1)]),
    ("mlp", [("2.weight", 0), ("2.bias", 0), ("4.weight", 1)]),
    ("mlp", [("0.weight", 1)]),
    ("mlp", [("4.weight", 0), ("4.bias", 0)]),
    ("residual", [("a.weight", 0), ("a.bias", 0), ("b.weight", 0), ("b.bias", 0)]),
    (
        "residual",
        [(f"{m}.{x}", 0) for m in "ab" for x in ("weight", "bias")]
        + [("b.weight", 1), ("c.weight", 1)],
    ),
    (
        "group norm",
        [("0.weight", 0), ("0.bias", 0), ("1.weight", 0), ("1.bias", 0), ("5.weight", 1)],
    ),
    (
        "depthwise convolution",
        [("0.weight", 0), ("0.bias", 0), ("1.weight", 0), ("1.bias", 0), ("3.weight", 1)],
    ),
    ("transposed convolution", [("0.weight", 0), ("0.bias", 0), ("2.weight", 0)]),
    ("gate", [("down.weight", 0), ("down.bias", 0), ("up.weight", 1)]),
    ("gate", [("up.weight", 0), ("up.bias", 0)]),
    ("attention", [(f"{m}.{x}", 0) for m in "qk" for x in ("weight", "bias")]),
    ("attention", [("v.weight", 0), ("v.bias", 0), ("o.weight", 1)]),
    ("attention", [("q.weight", 0), ("q.bias", 0)]),
    ("rotary", [(f"{m}.{x}", 0) for m in "qk" for x in ("weight", "bias")]),
    ("rotary", [("v.weight", 0), ("v.bias", 0), ("o.weight", 1)]),
    ("gated", [(f"{m}.{x}", 0) for m in "ab" for x in ("weight", "bias")] + [("c.weight", 1)]),
    ("mixer", [("down.weight", 0), ("down.bias", 0), ("up.weight", 1)]),
    ("embedding", [("embed.weight", 1), ("head.weight", 1)]),
    ("concatenation", [("two.weight", 0), ("two.bias", 0)]),
]


@pytest.mark.parametrize(("name", "axes"), UNITS)
def test_every_pair_of_positions_that_may_change_places_is_found_and_no_other(name, axes):
    network, symmetry, state, example = held(name)
    assert implied(symmetry, axes) == exchanges(network, state, example, axes)


# --- what is refused ---------------------------------------------------------------------------


def test_groups_of_ones_own_are_checked_by_name_when_they_are_made():
    """peers.md 9, 10: git-re-basin's issue 10."""
    _, symmetry, state, _ = held("mlp")
    index = np.arange(6).reshape(1, 6, 1)
    with pytest.raises(UnknownName, match=r"0\.wieght"):
        symmetry.adding(Group("mine", (Place("0.wieght", 0, index),)))
    with pytest.raises(UsageError, match=r"axis 0 of '2\.weight', shape \(5, 6\), position 5"):
        symmetry.adding(Group("mine", (Place("2.weight", 0, index),)))
    with pytest.raises(UsageError, match="same units"):
        Group("mine", (Place("0.weight", 0, index), Place("2.weight", 0, index[:, :5])))
    with pytest.raises(UsageError, match="different names"):
        symmetry.adding(symmetry.groups[0])
    with pytest.raises(UnknownName, match="hidden"):
        symmetry.without("hidden")
    with pytest.raises(UsageError, match="permutation of 6 units"):
        symmetry.transform({"0": np.array([[0, 0, 1, 2, 3, 4]])})
    with pytest.raises(StateMismatch, match=r"2\.bias|2\.weight"):
        symmetry.random(0)({k: x for k, x in state.items() if not k.startswith("2")})
    with pytest.raises(StateMismatch, match=r"0\.weight"):
        symmetry.check({**state, "0.weight": torch.zeros(7, 4)})
