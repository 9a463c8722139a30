"""One training loop: resident arrays, batches by index, everything seeded by name."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ridgeline.errors import DataError, ForwardFailed, UnknownName, UsageError
from ridgeline.rng import seed_of, stream
from ridgeline.state import State, capture, non_finite
from ridgeline.train.optimisers import OPTIMISERS, SCHEDULES

__all__ = ["Run", "train"]


@dataclass(frozen=True)
class Run:
    """One trained network and what was kept of it."""

    initial: State
    """Before the first step."""
    final: State
    """After the last step taken."""
    states: dict[int, State]
    """Number of steps taken to the state then; `initial` and `final` are among them."""
    steps: int
    """Steps taken; fewer than planned if the run diverged."""
    log: dict[str, list[float]] = field(default_factory=dict)
    """`epoch`, `loss` and `error`, one value an epoch: means over its samples, each as its batch
    met it in training mode. `error` is NaN where targets are not classes. The epoch in which a
    run diverged ends with an infinite or NaN loss."""
    diverged: bool = False
    """Whether the loss or a weight ceased to be finite; the run stopped there."""


def train(
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    *,
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
    epochs: int,
    batch_size: int = 128,
    learning_rate: float = 0.1,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    optimizer: Literal["sgd", "adam"] = "sgd",
    schedule: Literal["constant", "cosine"] = "constant",
    seed: int = 0,
    checkpoints: Sequence[int] | None = None,
    progress: Callable[[int, int, float], None] | None = None,
) -> Run:
    """Train a copy of a network; the network itself is left as it is.

    The same arguments give the same run bit for bit on one machine with one number of threads.

    Args:
        model: Where the run starts. Parameters that need no gradient stay in place.
        inputs: All inputs, sample axis first; moved to the model's device.
        targets: All targets; class numbers or whatever `loss` understands.
        loss: Takes outputs and targets to a loss of the batch, or of each sample, of which the
            mean is taken. Cross entropy by default, with the class axis of outputs last.
        epochs: Passes over the data, each in an order of its own.
        batch_size: Samples per step; the last batch of an epoch has what is left.
        learning_rate: At the first step.
        momentum: Of gradient descent; for Adam, the rate of its first moment.
        weight_decay: Added to the gradient (coupled), for Adam too.
        optimizer: Which rule turns gradients into steps.
        schedule: ``"cosine"`` brings the learning rate to zero over the run.
        seed: Names the order of batches and whatever the model draws, dropout for example. The
            model's weights are where they are: their seed is not this one.
        checkpoints: Numbers of steps after which to keep the state; 0 and the last always are.
        progress: Called after each step with steps taken, steps planned and the batch's loss.

    Returns:
        The run. One whose loss is not finite stops and says `diverged`.

    Raises:
        UnknownName: If an optimiser or a schedule is not known.
        UsageError: If a number is out of range, or no parameter needs a gradient.
        DataError: If there are no samples, or not one target for each.
        ForwardFailed: If the model or the loss raises.
    """
    _check(inputs, targets, epochs, batch_size, learning_rate, momentum, weight_decay)
    if optimizer not in OPTIMISERS:
        raise UnknownName("rule of optimisation", optimizer, OPTIMISERS)
    if schedule not in SCHEDULES:
        raise UnknownName("schedule", schedule, SCHEDULES)
    planned = epochs * math.ceil(len(inputs) / batch_size)
    kept = set(checkpoints or ())
    if outside := sorted(step for step in kept if not 0 <= step <= planned):
        raise UsageError(
            f"Checkpoints are numbers of steps from 0 to {planned}, the steps planned.",
            got=", ".join(map(str, outside[:10])),
            remedy="Leave them out, or train for more epochs.",
        )

    net = copy.deepcopy(model).train()
    parameters = [p for p in net.parameters() if p.requires_grad]
    if not parameters:
        raise UsageError("A model must have a parameter that needs a gradient to be trained.")
    update = OPTIMISERS[optimizer](parameters, momentum, weight_decay)
    device = parameters[0].device
    inputs, targets = inputs.to(device), targets.to(device)
    # Outputs (N, ..., classes) and targets (N, ...) of whole numbers: an error can be counted.
    classes = not targets.is_floating_point()

    states = {0: capture(net)}
    log: dict[str, list[float]] = {"epoch": [], "loss": [], "error": []}
    step, diverged = 0, False
    with torch.enable_grad(), _own_generators(device, seed):
        for epoch in range(1, epochs + 1):
            order = torch.randperm(len(inputs), generator=stream(seed, "order", epoch - 1))
            losses, wrong = 0.0, torch.zeros((), device=device, dtype=torch.float64)
            seen = 0
            for indices in order.to(device).split(batch_size):
                target = targets[indices]
                outputs, value = _forward(net, inputs[indices], target, loss, step)
                number = float(value.detach())
                seen += len(indices)
                losses += number * len(indices)
                if not math.isfinite(number):
                    diverged = True
                    break
                gradients = torch.autograd.grad(value, parameters, allow_unused=True)
                update(gradients, learning_rate * SCHEDULES[schedule](step / planned))
                step += 1
                if classes and outputs.shape[:-1] == target.shape:
                    missed = outputs.detach().argmax(-1) != target
                    wrong += missed.double().mean() * len(indices)
                else:
                    wrong += math.nan
                if step in kept:
                    states[step] = capture(net)
                if progress is not None:
                    progress(step, planned, number)
            log["epoch"].append(float(epoch))
            log["loss"].append(losses / seen)
            log["error"].append(math.nan if diverged else float(wrong) / seen)
            if diverged:
                break
    final = states.setdefault(step, capture(net))
    # A finite loss may still have had an infinite gradient, and nobody asked after the last step.
    diverged = diverged or bool(non_finite(final))
    return Run(states[0], final, states, step, log, diverged)


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean cross entropy, the class axis last in `outputs`."""
    return functional.cross_entropy(outputs.flatten(0, -2), targets.flatten())


def _forward(
    net: nn.Module,
    batch: Tensor,
    target: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor] | None,
    step: int,
) -> tuple[Tensor, Tensor]:
    what = "The model"
    try:
        outputs = net(batch)
        what = "The loss"
        value = (loss or cross_entropy)(outputs, target).mean()
    except Exception as error:
        raise ForwardFailed(what, f"training, after {step} steps", error) from error
    return outputs, value


class _own_generators:  # noqa: N801 (used as a function would be)
    pass
