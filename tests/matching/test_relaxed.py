"""Doubly stochastic matrices along places: permutations are a special case."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from ridgeline.errors import UsageError
from ridgeline.matching.relaxed import barycentre, degree, harden, matrix, soft, soft_place
from ridgeline.symmetry import Group, Place, Symmetry, orders_of

law = settings(deadline=None, max_examples=30, derandomize=True)


def places():
    """A flattened channel, interleaved fibres, and fibres confined to rows of another axis."""
    flat = np.arange(12).reshape(1, 4, 3)
    spread = np.arange(12).reshape(4, 3, 1).transpose(1, 0, 2) + 1
    within = np.tile(np.arange(4)[None, :, None], (3, 1, 1))
    return {
        "flat": (Place("x", 1, flat), (5, 12), 1),
        "last": (Place("x", -1, flat[:, ::-1].copy()), (5, 12), 1),
        "fibres": (Place("x", 0, spread), (14, 2), 3),
        "within": (Place("x", 1, within, (0, np.arange(6).reshape(3, 2))), (6, 4, 2), 3),
    }


@law
@given(seed=st.integers(0, 999))
@pytest.mark.parametrize("kind", places())
def test_a_permutations_matrix_permutes(kind, seed):
    place, shape, fibres = places()[kind]
    draw = np.random.default_rng(seed)
    order = draw.permuted(np.tile(np.arange(4), (fibres, 1)), axis=1)
    x = torch.from_numpy(draw.normal(size=shape))
    assert torch.equal(soft_place(place, x, matrix(order)), place.permute(x, order))


@pytest.mark.parametrize("kind", places())
def test_it_is_linear_and_differentiable_in_both(kind):
    place, shape, fibres = places()[kind]
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=draw, dtype=torch.float64, requires_grad=True)
    p = torch.rand(fibres, 4, 4, generator=draw, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, p: soft_place(place, x, p), (x, p))
    units, mixed = place.units(x), place.units(soft_place(place, x, p))
    assert torch.allclose(mixed, p @ units)


def nested():
    """Two heads of three channels: channels inside heads, on rows of q and columns of out."""
    channels = np.arange(6).reshape(2, 3, 1)
    heads = np.arange(6).reshape(1, 2, 3)
    shapes = {"q": (6, 4), "out": (4, 6)}
    inner = Group("channels", (Place("q", 0, channels), Place("out", 1, channels)), inside="heads")
    outer = Group("heads", (Place("q", 0, heads), Place("out", 1, heads)))
    return Symmetry((inner, outer), shapes)


def test_nested_groups_are_applied_as_a_transform_is():
    symmetry = nested()
    x = {n: torch.randn(s, dtype=torch.float64) for n, s in symmetry.shapes.items()}
    for seed in range(5):
        transform = symmetry.random(seed)
        p = {n: matrix(order) for n, order in orders_of(transform, symmetry).items()}
        wanted, got = transform(x), soft(x, symmetry, p)
        assert all(torch.equal(wanted[n], got[n]) for n in x)
    assert degree(symmetry, ["q", "out"]) == 2


def test_ties_follow_the_tensor_that_they_are():
    index = np.arange(3)[None, :, None]
    group = Group("g", (Place("w", 0, index),))
    symmetry = Symmetry((group,), {"w": (3, 2), "v": (3, 2)}, ties={"v": "w"})
    x = torch.randn(3, 2)
    mixed = soft({"w": x, "v": x}, symmetry, {"g": barycentre(group, torch.float32)})
    assert mixed["v"] is mixed["w"]
    assert torch.allclose(mixed["w"], x.mean(0).expand(3, 2))


@law
@given(seed=st.integers(0, 999))
def test_hardening_gives_a_permutation_back(seed):
    order = np.random.default_rng(seed).permuted(np.tile(np.arange(5), (2, 1)), axis=1)
    assert (harden(0.6 * matrix(order) + 0.08) == order).all()


def test_a_search_that_diverged_is_named():
    with pytest.raises(UsageError, match="finite"):
        harden(torch.full((1, 2, 2), float("nan")))
