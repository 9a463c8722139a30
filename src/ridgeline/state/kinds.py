"""Kinds of tensors that a state can hold, and comparing their values."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

__all__ = [
    "as_complex",
    "as_real",
    "bounded",
    "double",
    "equal",
    "finitely",
    "is_continuous",
    "is_mask",
    "matching",
    "unusable",
]

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


def is_continuous(x: Tensor) -> bool:
    """True if a tensor's values may be moved: real or complex numbers, not labels."""
    return x.is_floating_point() or x.is_complex()


def matching(dtype: torch.dtype | None, x: Tensor) -> torch.dtype | None:
    """The type that a tensor takes where floating ones take `dtype`: complex ones its twin.

    Args:
        dtype: Of floating tensors; none if they keep theirs.
        x: The tensor; labels keep their type.
    """
    if dtype is None or not is_continuous(x):
        return None
    if not x.is_complex() or dtype.is_complex:
        return dtype
    return dtype.to_complex() if dtype.itemsize >= 4 else torch.complex64


def double(x: Tensor) -> Tensor:
    """The values in double precision; complex ones stay so."""
    return x.to(torch.complex128) if x.is_complex() else x.double()


def as_real(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state with complex tensors as pairs of reals, along a new last axis; not copied."""
    return {
        n: torch.view_as_real(x.resolve_conj()) if x.is_complex() else x for n, x in state.items()
    }


def as_complex(state: Mapping[str, Tensor], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state that `as_real` was given.

    Args:
        state: With pairs of reals.
        like: Tells which tensors are complex.
    """
    made: dict[int, Tensor] = {}  # names that share a tensor go on to
    for n, x in state.items():
        if id(x) not in made:
            made[id(x)] = torch.view_as_complex(x.contiguous()) if like[n].is_complex() else x
    return {n: made[id(x)] for n, x in state.items()}


def is_mask(name: str, x: Tensor) -> bool:
    """True if a tensor's infinities are those of an additive mask: minus infinity beside zeros.

    A weight that diverged holds other numbers beside them. Masks may fall off with distance.

    Args:
        name: Of the tensor.
        x: Its values.
    """
    if not x.is_floating_point() or name.rpartition(".")[2] in ("weight", "bias"):
        return False
    if not x.numel() or bool(x.min() > -torch.inf):
        return False
    finite = x[x > -torch.inf]
    return 0 < finite.numel() < x.numel() and bool((finite <= 0).all())


def finitely(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """A function of tensors in which infinities that they share stay as they are.

    Between minus infinity and minus infinity lies minus infinity, not NaN.

    Args:
        function: Of tensors of one shape, element by element.
        tensors: What it is applied to.
    """
    found = function(*tensors)
    if not is_continuous(found) or bool(found.isfinite().all()):
        return found
    first = tensors[0]
    shared = first.isinf()
    for x in tensors[1:]:
        shared = shared & (x == first)
    return torch.where(shared, first, function(*(x.masked_fill(shared, 0) for x in tensors)))


def bounded(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state with a finite number, larger than all others of a tensor, for its infinities.

    Args:
        state: With masks among its tensors, for who compares what states hold.
    """
    found = dict(state)
    for name, x in state.items():
        if is_continuous(x) and not x.is_complex() and bool((infinite := x.isinf()).any()):
            size = 1 + x.masked_fill(infinite, 0).abs().max()
            found[name] = torch.where(infinite, x.sign() * size, x)
    return found


def equal(a: Tensor, b: Tensor) -> bool:
    """True if two tensors of one shape and type have the same values; 8-bit floats too."""
    if a is b:
        return True
    if a.is_floating_point() and a.itemsize == 1:  # torch.equal knows no such type
        a, b = a.float(), b.float()
    return torch.equal(a, b.to(a.device))
