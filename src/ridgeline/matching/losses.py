"""The loss on a line between two networks, differentiable, on minibatches.

What straight-through and Sinkhorn matching descend. An `Objective` gives model, data, loss and
statistics policy; under the policy ``recompute`` the statistics of normalisation are gathered on
the minibatch at the state in question, and held constant for the gradient.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.objective import Objective, Samples
from ridgeline.objective.derivable import derivable, severed
from ridgeline.objective.statistics import recompute
from ridgeline.objective.weighted import mean
from ridgeline.rng import stream

__all__ = ["loss_of", "minibatches", "mixed", "parameters"]


def parameters(objective: Objective, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state's tensors as the objective's network takes them; outside of inference mode."""
    return {n: x.detach() for n, x in objective.tensors(dict(state)).items()}


def minibatches(objective: Objective, rows: int, seed: int) -> Iterator[Samples]:
    """Batches without end: each epoch is a new order of all samples, the last batch left out.

    Args:
        objective: Whose samples.
        rows: Samples in a batch; all of them if there are fewer.
        seed: Of the stream ``matching batches``.
    """
    if rows < 1:
        raise UsageError("A batch holds at least one sample.", got=f"{rows}")
    n = len(objective)
    draws = stream(seed, "matching batches")
    while True:
        order = torch.randperm(n, generator=draws).to(objective.device)
        for start in range(0, n - min(rows, n) + 1, min(rows, n)):
            yield objective.samples[order[start : start + rows]]


def mixed(
    a: Mapping[str, Tensor], b: Mapping[str, Tensor], t: float | Tensor = 0.5
) -> dict[str, Tensor]:
    """The tensors (1 - t) a + t b, differentiable; labels are those of a."""
    return {n: torch.lerp(x, b[n], t) if x.is_floating_point() else x for n, x in a.items()}


def loss_of(objective: Objective, tensors: Mapping[str, Tensor], batch: Samples) -> Tensor:
    """The mean loss on a batch, differentiable.

    Args:
        objective: Gives network and loss.
        tensors: As `parameters` gives.
        batch: Some samples.

    Raises:
        UsageError: If derivatives are wanted, and the network lets none through.
    """
    # Statistics of normalisation are constants for the gradient, whatever they are made of.
    held = {n: x.detach() if states.is_statistic(n) else x for n, x in tensors.items()}
    if objective.statistics == "recompute":
        fixed = {n: x.detach() for n, x in held.items()}
        rows = max(len(batch), 1)
        held |= recompute(objective.network, fixed, Samples(batch.inputs, None), rows)
    casting = torch.autocast(
        objective.device.type, dtype=objective.autocast, enabled=objective.autocast is not None
    )
    with casting, derivable():
        outputs = objective.network(held, batch.inputs)
        loss = mean(objective.metrics["loss"].scores(outputs, batch.targets))
    wanted = torch.is_grad_enabled() and any(x.requires_grad for x in held.values())
    if wanted and not loss.requires_grad:
        raise severed("a loss that no derivative reaches")
    return loss
