"""Networks as they are measured: trained with BatchNorm, which is then fused into its layers."""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from ridgeline.nets import catalogue
from ridgeline.objective import Objective, error
from ridgeline.state import State
from ridgeline.study.subjects import Subject

__all__ = ["final", "fused", "model", "objective"]


def _fuses(run: Subject) -> bool:
    return run.config.net.kind == "fcn" and run.at("net.norm") == "batch"


def model(run: Subject) -> nn.Module:
    """A run's network; fully connected ones without BatchNorm, which is fused."""
    if not _fuses(run):
        return run.model()
    options = dict(run.config.net.options)
    del options["norm"]
    return catalogue.build("fcn", run.seed, **options)


def final(run: Subject) -> State:
    """A run's state at its end, of `model`."""
    return fused(run.final) if _fuses(run) else run.final


def objective(run: Subject, split: Literal["train", "test"]) -> Objective:
    """Objective of `model`; running statistics are a repair's matter: without one they are kept."""
    if not _fuses(run):
        return run.objective(split, statistics="keep")
    data = getattr(run, split)
    return Objective(
        model(run),
        (data.inputs, data.targets),
        loss=run.loss_function,
        metrics={"error": error},
    )


def fused(state: Mapping[str, Tensor], eps: float = 1e-5) -> State:
    """The state of a fully connected network without BatchNorm that computes the same.

    In evaluation mode ``norm(W x + b)`` is ``s W x + s (b - mean) + shift`` with
    ``s = scale / sqrt(variance + eps)``. The authors' networks are fused so (notebook
    Train-and-Permute-MNIST-MLP-BatchNorm).

    Args:
        state: Of ``fcn(..., norm="batch")``.
        eps: Of its norms; 1e-5 is torch's own.
    """
    found = {name: x for name, x in state.items() if name.startswith("fc")}
    for name in [n for n in found if n.endswith(".weight")]:
        number = name.removeprefix("fc").removesuffix(".weight")
        norm, bias = f"norm{number}", f"fc{number}.bias"
        if f"{norm}.weight" not in state:
            continue
        mean, variance, scale, shift = (
            state[f"{norm}.{part}"].double()
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        factor = scale / torch.sqrt(variance + eps)
        weight, before = state[name], state[bias]
        found[name] = (weight.double() * factor[:, None]).to(weight.dtype)
        found[bias] = (factor * (before.double() - mean) + shift).to(before.dtype)
    return found
