"""Minibatches of an objective's samples, and the loss on one, differentiable."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import disable_saved_tensors_hooks
from torch.utils import _pytree as pytree

from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.objective.derivable import casting, derivable, flat, severed
from ridgeline.objective.objective import Objective
from ridgeline.objective.samples import Samples
from ridgeline.objective.statistics import recompute
from ridgeline.objective.weighted import mean
from ridgeline.rng import stream

AGAIN = "hooks on saved tensors, as of torch.utils.checkpoint"

__all__ = ["batch_loss", "check_reached", "minibatches", "statistics_on"]


def minibatches(
    objective: Objective,
    rows: int,
    *,
    seed: int = 0,
    purpose: str = "minibatches",
    start: int = 0,
) -> Iterator[Samples]:
    """Batches without end: each epoch is a new order of all samples, the last batch left out.

    Args:
        objective: Whose samples.
        rows: Samples in a batch; all of them if there are fewer.
        seed: Names the orders; torch's global generator is not touched.
        purpose: Names the stream that they are drawn from, so that two uses of one seed differ.
        start: Batches that are passed over, for who goes on where another stopped.

    Raises:
        UsageError: If a batch is of no sample.
    """
    if not isinstance(rows, int) or rows < 1:
        raise UsageError("A batch holds at least one sample, a whole number.", got=f"{rows}")
    return _batches(objective, rows, stream(seed, purpose), start)


def _batches(
    objective: Objective, rows: int, draws: torch.Generator, passed: int
) -> Iterator[Samples]:
    n = len(objective)
    rows = min(rows, n)
    epochs, passed = divmod(passed, n // rows)
    for _ in range(epochs):
        torch.randperm(n, generator=draws)
    while True:
        order = torch.randperm(n, generator=draws).to(objective.device)
        for start in range(passed * rows, n - rows + 1, rows):
            yield objective.samples[order[start : start + rows]]
        passed = 0


def batch_loss(objective: Objective, state: Mapping[str, Tensor], batch: Samples) -> Tensor:
    """The mean loss on a batch, differentiable by the tensors of the state.

    These may be made of others, such as the control points of a curve, and the derivative goes on
    to them. Statistics of normalisation are constants for it; under the policy ``"recompute"``
    they are gathered on the batch itself, as in training.

    Args:
        objective: Gives network, loss and statistics policy.
        state: Names to tensors, each of which may have a history.
        batch: Some samples, such as `minibatches` gives.

    Returns:
        One number: the mean over the batch of what the objective's own means are over.

    Raises:
        StateMismatch: If the state is not one of the model.
        UsageError: If derivatives are wanted, and network or loss let none through.
        ForwardFailed: If the model or its loss raises.
    """
    tensors = objective.tensors(state)
    # Statistics of normalisation are constants for the gradient, whatever they are made of.
    held = {n: x.detach() if states.is_statistic(n) else x for n, x in tensors.items()}
    held |= statistics_on(objective, held, batch)
    criterion = objective.metrics["loss"]
    with casting(objective), derivable("computing the loss of a batch"):
        # What is computed again, going backwards, would be so with the model's own tensors.
        with disable_saved_tensors_hooks(AGAIN):
            outputs = objective.network(held, batch.inputs)
        loss = mean(criterion.scores(outputs, batch.targets))
    if torch.is_grad_enabled():
        check_reached(held.values(), outputs, loss, criterion.called)
    return loss


def statistics_on(
    objective: Objective, tensors: Mapping[str, Tensor], batch: Samples
) -> dict[str, Tensor]:
    """Statistics of normalisation gathered on one batch, if the policy recomputes them."""
    if objective.statistics != "recompute":
        return {}
    fixed = {n: x.detach() for n, x in tensors.items()}
    return recompute(objective.network, fixed, Samples(batch.inputs, None), max(len(batch), 1))


def check_reached(moving: Iterable[Tensor], outputs: Any, loss: Tensor, called: str) -> None:
    """Refuse a loss that no derivative reaches, by what stops it.

    Args:
        moving: Tensors of the state.
        outputs: Of the network.
        loss: Made of them.
        called: What messages call it.

    Raises:
        UsageError: If one of `moving` wants a derivative and the loss has none.
    """
    if loss.requires_grad or not any(x.requires_grad for x in moving):
        return
    given = [x for x in pytree.tree_leaves(outputs) if isinstance(x, Tensor)]
    if any(x.requires_grad for x in given) or not any(map(states.is_continuous, given)):
        raise flat(called)
    raise severed("a loss that no derivative reaches")
