"""Another state near a network's own, and whether two outputs are one."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ridgeline.rng import stream
from ridgeline.tracing.network import Network

__all__ = ["close", "shaken"]

SHAKEN = 0.3
"""How far the other state's weights are from the network's, in relative terms."""


def shaken(network: Network, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Other weights of the same signs; buffers as they are."""
    parameters = {n for n, _ in network.module.named_parameters()}
    found = dict(tensors)
    for name in parameters & tensors.keys():
        x = tensors[name]
        if not (x.is_floating_point() or x.is_complex()):
            continue
        draws = stream(0, "another state", name)
        e = torch.randn(x.shape, generator=draws, dtype=torch.float32).to(x.device)
        size = float(x.abs().double().square().mean().sqrt()) if x.numel() else 0.0
        small = 0.1 * (size or 1.0) * e
        found[name] = torch.where(x != 0, x * torch.exp(SHAKEN * e).to(x.dtype), small.to(x.dtype))
    return found


def close(x: Any, y: Any, tolerance: float) -> bool:
    """Whether two outputs agree to a share of their largest value; NaN equals NaN."""
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
