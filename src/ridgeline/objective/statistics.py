"""Normalisation statistics as a function of weights and data.

BatchNorm's running statistics belong to the weights they were gathered with. At an
interpolated state the interpolated statistics are those of no network: ResNet-20 at the
midpoint is at 11.7 % accuracy with them and at 90.3 % with its own (Jordan et al. 2022). So
they are recomputed: one pass over calibration data with the normalisation layers in training
mode and a cumulative average (Izmailov et al. 2018; Garipov et al. 2018), all else in
evaluation mode. A layer that this pass does not reach, or that is frozen, keeps the state's own.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from ridgeline.graph import Network
from ridgeline.objective.reading import collect
from ridgeline.objective.samples import Samples
from ridgeline.state import is_statistic

__all__ = ["calibrating", "gather", "kept_layers", "normalisers", "recompute"]

OWN = ("running_", "moving_")
"""Names that classes of one's own give their statistics."""
SHIFT = 1.0
"""Distance by which what an average starts from is moved, to see whether part of it stays."""
TRIED = 32
"""Calibration samples on which layers are looked for that are not reached."""


def normalisers(module: nn.Module) -> dict[str, _NormBase]:
    """The layers of torch's own kinds that keep running statistics, by name."""
    return {
        name: layer
        for name, layer in module.named_modules()
        if isinstance(layer, _NormBase) and layer.running_mean is not None
    }


def calibrating(data: Any) -> Samples:
    """The inputs to calibrate on: of several splits those of ``train``, all of them.

    Args:
        data: As for `collect`, without targets too; or splits by name.
    """
    splits = getattr(data, "splits", data)
    if isinstance(splits, Mapping) and "train" in splits:
        data = splits["train"]
    return collect(data, labelled=False)


def recompute(
    network: Network, tensors: Mapping[str, Tensor], calibration: Samples, rows: int
) -> dict[str, Tensor]:
    """The statistics of a state.

    The calibration data are cut into equal batches (their sizes differ by one at most), so that
    the cumulative average weighs all samples alike.

    Args:
        network: Left in evaluation mode.
        tensors: The state; not written to.
        calibration: Inputs; targets are not looked at.
        rows: Largest batch.

    Returns:
        Name to recomputed tensor, for every running statistic of the network that is not frozen;
        the state's own for layers that the calibration data did not reach.
    """
    found, reached = gather(network, tensors, calibration, rows)
    return {
        name: x if name.rpartition(".")[0] in reached else tensors[name]
        for name, x in found.items()
    }


def gather(
    network: Network,
    tensors: Mapping[str, Tensor],
    calibration: Samples,
    rows: int,
    *,
    shift: float = 0.0,
) -> tuple[dict[str, Tensor], set[str]]:
    """Statistics gathered anew, and the names of the layers that gathered any.

    Args:
        network: As for `recompute`.
        tensors: The same.
        calibration: The same.
        rows: The same.
        shift: Added to what averages start from, of which nothing must stay.
    """
    layers = {
        name: layer
        for name, layer in normalisers(network.module).items()
        if name not in network.modes.frozen | network.modes.inert
    }
    start: dict[str, Tensor] = {}
    for name, layer in layers.items():
        for buffer, _ in layer.named_buffers(prefix=name, recurse=False):
            if is_statistic(buffer) and buffer in tensors:
                start[buffer] = _start(buffer, tensors[buffer], shift)
    fresh = {name: x.clone() for name, x in start.items()}
    batches = -(-len(calibration) // rows)
    with _gathering(layers) as begin, torch.no_grad():
        for part in torch.arange(len(calibration)).tensor_split(batches):
            begin()
            given = calibration[int(part[0]) : int(part[-1]) + 1]
            held = {**tensors, **fresh}
            network.watched(held, given.inputs, lambda: fresh.update(_assigned(layers, fresh)))
    # The first batch counts whole, whatever stood there: what is as it was saw none.
    reached = {n.rpartition(".")[0] for n, x in fresh.items() if not torch.equal(x, start[n])}
    return fresh, reached


def _start(name: str, own: Tensor, shift: float) -> Tensor:
    """Return what gathering starts from: a count of zero, else the state's own if it is finite."""
    if name.endswith("num_batches_tracked"):
        return torch.zeros_like(own)
    own = own if bool(own.isfinite().all()) else torch.zeros_like(own)
    return own + shift if shift else own


def _assigned(layers: Mapping[str, _NormBase], given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Statistics that a layer put in the place of those given, and did not write into them."""
    found: dict[str, Tensor] = {}
    for name, layer in layers.items():
        for key, x in layer._buffers.items():
            was = given.get(f"{name}.{key}" if name else key)
            if was is not None and x is not None and x is not was and x.shape == was.shape:
                found[f"{name}.{key}" if name else key] = x.detach().clone()
    return found


@contextmanager
def _gathering(layers: Mapping[str, _NormBase]) -> Iterator[Any]:
    """Normalisation layers in training mode with a cumulative average, as long as this lasts.

    The average is by layers' own momentum, 1/k at the k-th batch: InstanceNorm, and subclasses
    with arithmetic of their own, know no cumulative average (``momentum=None``).

    Yields:
        What is to be called before each batch.
    """
    kept = {name: (layer.training, layer.momentum) for name, layer in layers.items()}
    seen = dict.fromkeys(layers.values(), 0)
    batch = 0

    def before(layer: nn.Module, _: Any) -> None:
        assert isinstance(layer, _NormBase)
        seen[layer] += 1
        layer.training, layer.momentum = True, 1 / seen[layer]

    def begin() -> None:
        nonlocal batch
        batch += 1
        for layer in layers.values():  # of those whose forward is not called, but written out
            layer.training, layer.momentum = True, 1 / batch

    hooks = [layer.register_forward_pre_hook(before) for layer in layers.values()]
    try:
        yield begin
    finally:
        for hook in hooks:
            hook.remove()
        for name, layer in layers.items():
            layer.training, layer.momentum = kept[name]


def _agree(x: Tensor, y: Tensor) -> bool:
    size = max(SHIFT, float(x.abs().max())) if x.numel() else 0.0
    return bool(torch.isclose(x, y, rtol=0, atol=1e-3 * size, equal_nan=True).all())


def kept_layers(
    network: Network, tensors: Mapping[str, Tensor], calibration: Samples | None, rows: int
) -> dict[str, str]:
    """Layers whose running statistics stay the state's own though others' are recomputed.

    Args:
        network: In evaluation mode.
        tensors: A state.
        calibration: What statistics are recomputed on; None if they are not.
        rows: Largest batch.

    Returns:
        Name of each layer to the reason, in words.
    """
    found: dict[str, str] = {}
    known = normalisers(network.module)
    for name, layer in network.module.named_modules():
        buffers = [b for b, _ in layer.named_buffers(recurse=False) if b.startswith(OWN)]
        if buffers and name not in known and not isinstance(layer, _NormBase):
            found[name] = f"{type(layer).__name__} is no layer of torch's that gathers any"
    if calibration is None:
        return found
    few = calibration[: min(len(calibration), TRIED)]
    once, reached = gather(network, tensors, few, rows)
    again, _ = gather(network, tensors, few, rows, shift=SHIFT)
    own = {n.rpartition(".")[0] for n, x in once.items() if not _agree(x, again[n])} & reached
    network.modes = replace(network.modes, inert=network.modes.inert | own)
    for name in known:
        if name in network.modes.frozen:
            found[name] = "frozen: in evaluation mode while the network trains"
        elif name in network.modes.inert:
            found[name] = "averaged with a momentum of its own, whatever is asked for"
        elif name not in reached:
            found[name] = "not reached, or not updated, by calibration"
    return found
