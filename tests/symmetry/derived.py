"""A derivation held against evaluation: what the groups are, and that outputs stay."""

import copy
from typing import Any

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
