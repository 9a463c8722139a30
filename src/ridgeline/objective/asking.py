"""Asking an objective about its first samples, before anything is measured.

Network, loss and metrics are asked about a few samples, spread over the data: if each number is
one sample's own, which conventions they follow, what counts, and how many samples fit at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ridgeline import state as states
from ridgeline.errors import ForwardFailed, RidgelineError
from ridgeline.graph import check_follows, check_outside, empty_caches, unpacked
from ridgeline.objective.batches import check_batches
from ridgeline.objective.contract import Questioned
from ridgeline.objective.conventions import criteria, on_trust
from ridgeline.objective.criteria import Criterion
from ridgeline.objective.forms import Metric
from ridgeline.objective.probe import activation_bytes, check_labels, check_shares, probe, unpicked
from ridgeline.objective.statistics import kept_layers

__all__ = ["Asked", "ask"]

PROBED = 32
"""Samples that are asked about first, spread over the data."""
# A chunk's largest activation. On a CPU 2 MiB keeps it in the second-level cache (784-256-256-10
# takes 0.56 s at 512 to 1024 rows, 0.61 s at 256 and at 2048); on a GPU it must hide launches.
ACTIVATION_BUDGET = {"cpu": 2 * 2**20, "cuda": 256 * 2**20}
ROWS = {"cpu": (16, 2048), "cuda": (64, 65536)}


@dataclass(frozen=True)
class Asked:
    """Answers of an objective's first samples."""

    metrics: dict[str, Criterion]
    classes: int | None
    left_out: int
    notes: tuple[str, ...]
    kept_statistics: dict[str, str]
    activation_bytes: int
    rows: int


def ask(
    objective: Questioned, model: nn.Module, loss: Metric, metrics: Mapping[str, Metric] | None
) -> Asked:
    """Ask twice, settle conventions, look at labels and shapes, and choose a chunk's size.

    Args:
        objective: With its network and samples.
        model: The caller's, which the network must follow.
        loss: As given.
        metrics: As given.

    Raises:
        NotDeterministic: If data or model answer differently when asked again.
        DataError: If labels are outside the model's classes.
        ForwardFailed: If the model, loss or a metric raises.
        UsageError: If a metric does not give one number per sample.
    """
    network, samples, dtype = objective.network, objective.samples, objective.dtype
    few = torch.linspace(0, len(samples) - 1, min(len(samples), PROBED), dtype=torch.float64)
    first = samples[few.round().long().to(objective.device)]
    tensors = states.cast(network.tensors, dtype, objective.device)
    outputs, found = None, {}
    with objective.computing():
        try:
            check_outside(network, tensors, first[:2].inputs)
            empty_caches(network, tensors, first[:2].inputs)
            outputs = probe(network, tensors, first)
            check_follows(model, network, tensors, first[:2].inputs)
            kind = {"weights": objective.weights, "device": objective.device, "dtype": dtype}
            with torch.inference_mode(False):  # class weights are met by gradients, too
                found = criteria(loss, metrics, outputs, samples.targets, **kind)
            classes, left_out = _look_at_labels(objective, found, outputs)
            check_batches(found, outputs, first.targets)
        except RidgelineError:
            raise
        except Exception as failure:  # the user's model, loss or metric
            if outputs is None:
                hint = unpacked(failure, first.inputs)
            else:  # what a loss of the user's own makes of them is not known
                ours = any(c.form is not None for c in found.values())
                hint = unpicked(outputs) if ours else ""
            raise ForwardFailed(
                "The model, its loss or a metric", "probing the first samples", failure, hint
            ) from failure
        kept: dict[str, str] = {}
        if objective.calibration is not None or not objective.normalisers:
            rows = objective.calibration_rows
            kept = kept_layers(network, tensors, objective.calibration, rows)
        each = activation_bytes(network, tensors, samples[: min(len(samples), 2)])
    low, high = ROWS[kind := "cuda" if objective.device.type == "cuda" else "cpu"]
    rows = max(low, min(high, ACTIVATION_BUDGET[kind] // each))
    said = tuple(filter(None, [on_trust(found, outputs, samples.targets)]))
    return Asked(found, classes, left_out, said, kept, each, rows)


def _look_at_labels(
    objective: Questioned, metrics: Mapping[str, Criterion], outputs: Any
) -> tuple[int | None, int]:
    """Return the number of classes, and of samples without a label; refuse labels beyond."""
    classes, left_out = None, 0
    if isinstance(outputs, Tensor) and outputs.ndim > 1:
        classes = outputs.shape[-1]
    targets = objective.samples.targets
    for name, criterion in metrics.items():
        if criterion.of_shares and isinstance(targets, Tensor):
            check_shares(targets)
        labels = criterion.labels(targets)
        if labels is None or not isinstance(targets, Tensor):
            continue
        if isinstance(outputs, Tensor) and outputs.ndim < 2:
            continue  # no classification: the loss says so
        check_labels(outputs, targets, labels)
        if name == "loss":
            classes = outputs.shape[labels.dim]
            counted = (targets != labels.ignored).flatten(1) if targets.ndim > 1 else None
            counted = targets != labels.ignored if counted is None else counted.any(1)
            left_out = int((~counted).sum())
            objective.counted(name, targets[counted])
    return classes, left_out
