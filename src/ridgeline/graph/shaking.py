"""Another state near a network's own, and whether two outputs are one."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ridgeline.graph.network import Network
from ridgeline.rng import stream

__all__ = ["close", "parameters_in", "shake", "shaken"]

SHAKEN = 0.3
"""How far the other state's weights are from the network's, in relative terms."""

PERIOD = 65_537
"""Numbers that are drawn for a tensor; then they come again. A prime, lest rows be alike."""


def shaken(network: Network, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Other weights of the same signs; buffers as they are."""
    found = dict(tensors)
    for name in parameters_in(network, tensors):
        found[name] = torch.empty_like(tensors[name], memory_format=torch.contiguous_format)
        shake(name, tensors[name].detach(), found[name])
    return found


def parameters_in(network: Network, tensors: Mapping[str, Tensor]) -> list[str]:
    """Names of a state's tensors that are parameters, of floating numbers."""
    names = [n for n, _ in network.module.named_parameters() if n in tensors]
    return [n for n in names if tensors[n].is_floating_point() or tensors[n].is_complex()]


def shake(name: str, x: Tensor, other: Tensor) -> None:
    """Make other weights of the same signs of a tensor's, none of them zero.

    Args:
        name: Of the tensor: other numbers for each.
        x: The tensor.
        other: Of its shape, which is written to.
    """
    draws = stream(0, "another state", name)
    count = min(x.numel(), PERIOD)
    e = torch.randn(count, generator=draws, dtype=torch.float32).to(x.device)
    factors = torch.exp(SHAKEN * e).to(x.dtype)
    small: Tensor | None = None
    whole = other if other.is_contiguous() and other.dtype == x.dtype else torch.empty_like(x)
    whole = whole.contiguous()
    parts = zip(x.reshape(-1).split(PERIOD), whole.view(-1).split(PERIOD), strict=True)
    for part, made in parts:
        torch.mul(part, factors[: len(part)], out=made)
        if len(made) and not float(made.abs().amin()) > 0:  # a third of the time of `all`
            small = (0.1 * (_size(x) or 1.0) * e).to(x.dtype) if small is None else small
            made.copy_(torch.where(made == 0, small[: len(part)], made))
    if whole is not other:
        other.copy_(whole)


def _size(x: Tensor) -> float:
    """The root of the mean square."""
    parts = x.reshape(-1).split(PERIOD)
    norms = [float(torch.linalg.vector_norm(p, dtype=_double(p))) for p in parts]
    return (sum(n * n for n in norms) / x.numel()) ** 0.5


def _double(x: Tensor) -> torch.dtype:
    return torch.complex128 if x.is_complex() else torch.float64


def close(x: Any, y: Any, tolerance: float) -> bool:
    """True if two outputs agree to a share of their largest value; NaN equals NaN."""
    for once, again in zip(pytree.tree_leaves(x), pytree.tree_leaves(y), strict=True):
        if not isinstance(once, Tensor) or not isinstance(again, Tensor):
            continue
        if once.shape != again.shape:
            return False
        p, q = _wide(once), _wide(again)
        finite = p[p.isfinite()]
        size = float(finite.abs().max()) if finite.numel() else 1.0
        if not torch.allclose(p, q, rtol=tolerance, atol=tolerance * size, equal_nan=True):
            return False
    return True


def _wide(x: Tensor) -> Tensor:
    return torch.view_as_real(x.resolve_conj()).double() if x.is_complex() else x.double()
