"""The slow and obvious evaluation, in float64, that everything fast must agree with.

Nothing here is shared with the engine: a deep copy per state, `load_state_dict`, evaluation
mode, a loop over batches.
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ridgeline.state import State

__all__ = ["evaluate"]

PerSample = Callable[[Any, Any], Tensor]


def evaluate(
    model: nn.Module,
    states: Iterable[State],
    data: tuple[Any, Any],
    *,
    loss: PerSample | None = None,
    metrics: Mapping[str, PerSample] | None = None,
    statistics: Literal["recompute", "keep"] = "recompute",
    calibration: Any = None,
    calibration_rows: int = 500,
    forward: Callable[[nn.Module, Any], Any] | None = None,
    rows: int = 64,
) -> dict[str, NDArray[np.float64]]:
    """Per-sample loss and metrics of each state, by the book.

    Args:
        model: Any module; left as it is.
        states: Each with the model's tensors.
        data: Inputs (a tensor, or a dict or tuple of tensors) and targets.
        loss: ``(outputs, targets) -> (N,)``; cross entropy by default.
        metrics: Further numbers per sample, by name.
        statistics: Whether BatchNorm's running statistics are recomputed at each state.
        calibration: Inputs to recompute them on; those of `data` by default.
        calibration_rows: Largest batch when recomputing; the batches are as equal as can be.
        forward: ``(model, inputs) -> outputs``; logits are taken out of dicts by default.
        rows: Samples per batch when evaluating.

    Returns:
        Metric name, ``"loss"`` among them, to values of shape (states, N).
    """
    measured = {"loss": loss or _cross_entropy, **(metrics or {})}
    inputs, targets = _double(data)
    warm = inputs if calibration is None else _double(calibration)
    count = len(pytree.tree_leaves(inputs)[0])
    found: dict[str, list[list[Tensor]]] = {name: [] for name in measured}
    for state in states:
        net = copy.deepcopy(model).double()
        net.load_state_dict(state)
        net.eval()
        if statistics == "recompute":
            _update_statistics(net, warm, calibration_rows, forward or _call)
        for name in measured:
            found[name].append([])
        with torch.no_grad():
            for start in range(0, count, rows):
                part, wanted = (_rows(x, start, start + rows) for x in (inputs, targets))
                outputs = (forward or _call)(net, part)
                for name, function in measured.items():
                    found[name][-1].append(function(outputs, wanted).double())
    return {
        name: torch.stack([torch.cat(parts) for parts in values]).numpy()
        for name, values in found.items()
    }


def _update_statistics(
    net: nn.Module, inputs: Any, rows: int, forward: Callable[[nn.Module, Any], Any]
) -> None:
    """As `torch.optim.swa_utils.update_bn`, but with all other layers in evaluation mode."""
    norms = [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    norms = [m for m in norms if m.track_running_stats]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    count = len(pytree.tree_leaves(inputs)[0])
    batches = -(-count // rows)
    with torch.no_grad():
        for part in np.array_split(np.arange(count), batches) if norms else ():
            forward(net, _rows(inputs, int(part[0]), int(part[-1]) + 1))
    for norm in norms:
        norm.eval()


def _cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Minus the log probability of the target, averaged over positions of a sequence."""
    values = -torch.log_softmax(outputs, -1).gather(-1, targets[..., None])[..., 0]
    return values.flatten(1).mean(1) if values.ndim > 1 else values


def _call(net: nn.Module, inputs: Any) -> Any:
    if isinstance(inputs, Mapping):
        outputs = net(**inputs)
    else:
        outputs = net(*inputs) if isinstance(inputs, tuple) else net(inputs)
    if isinstance(outputs, Mapping):
        return outputs["logits"]
    return outputs[0] if isinstance(outputs, tuple) else outputs


def _double(held: Any) -> Any:
    return pytree.tree_map_only(Tensor, lambda x: x.double() if x.is_floating_point() else x, held)


def _rows(held: Any, start: int, stop: int) -> Any:
    return pytree.tree_map_only(Tensor, lambda x: x[start:stop], held)
