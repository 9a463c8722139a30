"""Sums of products of two networks' activations, for all groups in one pass over the data."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ridgeline import state as states
from ridgeline.errors import UnknownName
from ridgeline.graph import Forward, Network, Trace
from ridgeline.graph.values import Values
from ridgeline.objective import collect
from ridgeline.progress import Progress
from ridgeline.symmetry import Sighting

__all__ = ["Products", "cross_products"]


@dataclass(frozen=True, eq=False)
class Products:
    """Sums over samples, and all positions but those of the units; float64.

    A block is a fibre; or all fibres together, for groups whose fibres may change places.
    """

    products: np.ndarray
    """Of unit i of a and unit j of b, shape (blocks, units, units)."""
    sums_a: np.ndarray
    """Shape (blocks, units)."""
    sums_b: np.ndarray
    squares_a: np.ndarray
    squares_b: np.ndarray
    count: int
    """Numbers that were summed for each unit."""


def cross_products(
    model: nn.Module,
    forward: Forward | None,
    data: Any,
    pair: tuple[Mapping[str, Tensor], Mapping[str, Tensor]],
    seen: Mapping[str, Sighting],
    *,
    across: Collection[str] = (),
    rows: int = 500,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> dict[str, Products]:
    """Run two states on the same data, and keep only sums of what their units answer.

    Args:
        model: The network, run in evaluation mode; left as it is.
        forward: How it is called.
        data: What `collect` reads.
        pair: The states a and b.
        seen: Group name to where its units are seen.
        across: Groups of which products are wanted between units of different fibres too.
        rows: Samples that are run at a time.
        device: Where to compute.
        progress: Told (what, samples done, samples in all).

    Returns:
        Group name to its sums.

    Raises:
        NotTraceable: If the network cannot be traced.
        UnknownName: If a sighting is of no value in the trace.
    """
    network, where = Network(model, forward), torch.device(device)
    tensors = [_tensors(network, x, where) for x in pair]
    dtype = next((x.dtype for x in tensors[0].values() if x.is_floating_point()), torch.float32)
    samples = collect(data, labelled=False).to(where, dtype)
    traces: dict[int, Trace] = {}
    totals: dict[str, list[Tensor]] = {}
    counts = dict.fromkeys(seen, 0)
    done = 0
    with torch.inference_mode():
        for chunk in samples.chunks(rows):
            # A short last batch has a trace of its own: padded, it would have to be cut from
            # values whose first axis need not be that of samples (time first, in recurrences).
            if len(chunk) not in traces:
                traces[len(chunk)] = network.trace(chunk.inputs, tensors[0])
            trace = traces[len(chunk)]
            running = [Values(trace, chunk.inputs) for _ in tensors]
            for name, sighting in _in_order(trace, seen):
                answers = (r.to(sighting.value, t) for r, t in zip(running, tensors, strict=True))
                x, y = (_units(v, sighting, name in across) for v in answers)
                new = [x @ y.mT, x.sum(2), y.sum(2), x.square().sum(2), y.square().sum(2)]
                old = totals.get(name)
                totals[name] = (
                    new if old is None else [p.add_(q) for p, q in zip(old, new, strict=True)]
                )
                counts[name] += x.shape[2]
            done += len(chunk)
            if progress:
                progress("activations", done, len(samples))
    return {n: _products(sums, counts[n]) for n, sums in totals.items()}


def _products(sums: list[Tensor], count: int) -> Products:
    products, sums_a, sums_b, squares_a, squares_b = (x.cpu().numpy() for x in sums)
    return Products(products, sums_a, sums_b, squares_a, squares_b, count)


def _tensors(network: Network, state: Mapping[str, Tensor], device: torch.device) -> states.State:
    """Return what the network needs of a state, in float32 at least."""
    return {n: states.wide(state[n].detach()).to(device) for n in network.tensors}


def _in_order(trace: Trace, seen: Mapping[str, Sighting]) -> list[tuple[str, Sighting]]:
    """Groups by when the values are computed in which they are seen."""
    place = {node.name: i for i, node in enumerate(trace.graph.nodes)}
    for sighting in seen.values():
        if sighting.value not in place:
            raise UnknownName("value of the network's trace", sighting.value, list(place))
    return sorted(seen.items(), key=lambda item: place[item[1].value])


def _units(value: Tensor, sighting: Sighting, across: bool) -> Tensor:
    """Return what the units answered, shape (blocks, units, samples and positions), float64."""
    fibres, size, _ = sighting.index.shape
    at = torch.from_numpy(sighting.index.ravel()).to(value.device)
    held = value.movedim(sighting.axis, 0).index_select(0, at).double()
    held = held.reshape(fibres, size, -1)
    return held.reshape(1, fibres * size, -1) if across else held
