"""A derivation held against evaluation: what the groups are, and that outputs stay."""

import copy
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils import _pytree as pytree

from ridgeline.matching import align
from ridgeline.symmetry import Symmetry, symmetries


def sizes(symmetry: Symmetry) -> list[Any]:
    """Units of each group, and where there are several fibres, their number before it."""
    return sorted(
        (g.size if g.fibres == 1 else (g.fibres, g.size) for g in symmetry.groups), key=str
    )


def fixed(symmetry: Symmetry) -> dict[tuple[str, int], str]:
    return {(f.tensor, f.axis): f.why for f in symmetry.fixed}


def orders(*sizes: int) -> float:
    """The natural logarithm of the number of elements of groups, by the size of each fibre."""
    return sum(math.lgamma(n + 1) for n in sizes)


def turned(model: nn.Module, symmetry: Symmetry, *inputs: Any) -> None:
    """Each group alone, all of its units moved, changes no output in float64, at any inputs."""
    double = copy.deepcopy(model).double().eval()
    for seed, given in enumerate(inputs):
        state = drawn(model, seed)
        inputs = tuple(
            x.double() if x.is_floating_point() else x
            for x in (given if isinstance(given, tuple) else (given,))
        )
        before = pytree.tree_leaves(functional_call(double, state, inputs))
        for group in symmetry.groups:
            order = np.roll(group.identity(), 1, axis=1)
            moved = symmetry.transform({group.name: order})(state)
            after = pytree.tree_leaves(functional_call(double, moved, inputs))
            for a, b in zip(before, after, strict=True):
                torch.testing.assert_close(b, a, rtol=1e-9, atol=1e-9, msg=group.name)


def planted(model: nn.Module, symmetry: Symmetry, moved: dict[str, Tensor] | None = None) -> None:
    """A state moved by a random element, or by hand, comes back bit for bit."""
    state = drawn(model, 50)
    moved = symmetry.random(9)(state) if moved is None else moved
    back = align(state, moved, symmetry).state
    assert all(torch.equal(back[n], state[n]) for n in state)


def drawn(model: nn.Module, seed: int) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(seed)
    return {
        n: torch.randn(x.shape, generator=g, dtype=torch.float64)
        for n, x in model.named_parameters()
    }


def derive(model: nn.Module, example: Any, expected: list[Any], *more: Any) -> Symmetry:
    """Discover and prove; then compare outputs by hand, at other inputs too, and align.

    Args:
        model: A network.
        example: What it is discovered at: a tensor, or a tuple of them.
        expected: Of `sizes`.
        more: Inputs of other batch sizes and lengths.
    """
    symmetry = symmetries(model, example)
    assert sizes(symmetry) == sorted(expected, key=str), str(symmetry)
    double = copy.deepcopy(model).double().eval()
    for seed, given in enumerate([example, *more]):
        state, element = drawn(model, seed), symmetry.random(seed + 1)
        inputs = pytree.tree_map(
            lambda x: x.double() if x.is_floating_point() else x,
            given if isinstance(given, tuple) else (given,),
        )
        before = pytree.tree_leaves(functional_call(double, state, inputs))
        after = pytree.tree_leaves(functional_call(double, element(state), inputs))
        for a, b in zip(before, after, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-9 * float(1 + a.double().abs().max()))
    if expected:
        state = drawn(model, 50)
        assert align(state, symmetry.random(9)(state), symmetry).after < 1e-9
    return symmetry
