"""Another state near a network's own, and whether two outputs are one."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ridgeline.graph.network import Network
from ridgeline.rng import stream

__all__ = ["close", "shaken"]

SHAKEN = 0.3
"""How far the other state's weights are from the network's, in relative terms."""

PERIOD = 1_048_573
"""Numbers that are drawn for a tensor; then they come again. A prime, lest rows be alike."""


def shaken(network: Network, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Other weights of the same signs; buffers as they are."""
    parameters = {n for n, _ in network.module.named_parameters()}
    found = dict(tensors)
    for name in parameters & tensors.keys():
        x = tensors[name]
        if not (x.is_floating_point() or x.is_complex()):
            continue
        draws = stream(0, "another state", name)
        count = min(x.numel(), PERIOD)
        e = torch.randn(count, generator=draws, dtype=torch.float32).to(x.device)
        factors = torch.exp(SHAKEN * e).to(x.dtype)
        found[name] = held = x.detach().clone(memory_format=torch.contiguous_format)
        zeros = bool((x == 0).any())
        small = (0.1 * (_size(held) or 1.0) * e).to(x.dtype) if zeros else e
        for part in held.view(-1).split(PERIOD):
            still = part == 0 if zeros else None
            part.mul_(factors[: len(part)])
            if still is not None:
                part.copy_(torch.where(still, small[: len(part)], part))
    return found


def _size(x: Tensor) -> float:
    """The root of the mean square."""
    parts = x.reshape(-1).split(PERIOD)
    return (sum(float(p.abs().double().square().sum()) for p in parts) / x.numel()) ** 0.5


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
