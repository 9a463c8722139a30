"""Kinds of tensors that a state can hold, and comparing their values."""

from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = ["equal", "unusable"]

PACKED = frozenset(
    [f"{sign}int{bits}" for sign in ("", "u") for bits in range(1, 8)]
    + ["bits1x8", "bits2x4", "bits4x2", "bits8", "bits16", "float4_e2m1fn_x2"]
)
"""Names of types that torch stores and does not compute with."""


def unusable(state: Mapping[str, Tensor]) -> dict[str, str]:
    """Tensors that hold no numbers of their own to compute with: name to what they are."""
    return {name: said for name, x in state.items() if (said := _reason(x))}


def _reason(x: Tensor) -> str:
    if x.layout != torch.strided:
        return f"{x.layout}, {x.dtype}"
    if x.is_nested:
        return f"nested, {x.dtype}"
    if x.is_meta:
        return f"{x.dtype} on {x.device}, without values"
    packed = x.is_quantized or str(x.dtype).removeprefix("torch.") in PACKED
    return f"{x.dtype}" if packed else ""


def equal(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors of one shape and type have the same values; 8-bit floats too."""
    if a is b:
        return True
    if a.is_floating_point() and a.itemsize == 1:  # torch.equal knows no such type
        a, b = a.float(), b.float()
    return torch.equal(a, b.to(a.device))
