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
from ridgeline.rng import seed_of, stream, untouched
from ridgeline.state import State, capture
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

    states = {0: capture(net)}
    log: dict[str, list[float]] = {"epoch": [], "loss": [], "error": []}
    step, diverged = 0, False
    with torch.enable_grad(), untouched():
        torch.manual_seed(seed_of(seed, "model"))
        for epoch in range(epochs):
            order = torch.randperm(len(inputs), generator=stream(seed, "order", epoch))
            seen, total, wrong = 0, 0.0, torch.zeros((), device=device)
            for indices in order.to(device).split(batch_size):
                target = targets[indices]
                outputs, value = _forward(net, inputs[indices], target, loss, step)
                number = float(value.detach())
                seen += len(indices)
                total += number * len(indices)
                if not math.isfinite(number):
                    diverged = True
                    break
                wrong += _misses(outputs.detach(), target)
                gradients = torch.autograd.grad(value, parameters, allow_unused=True)
                update(gradients, learning_rate * SCHEDULES[schedule](step / planned))
                step += 1
                if step in kept:
                    states[step] = capture(net)
                if progress is not None:
                    progress(step, planned, number)
            log["epoch"].append(float(epoch + 1))
            log["loss"].append(total / seen)
            log["error"].append(float(wrong) / seen if not diverged else math.nan)
            if diverged:
                break
    final = states.setdefault(step, capture(net))
    # A finite loss may have had an infinite gradient, and no loss was asked after the last step.
    # Parameters only: a buffer may hold infinities by design, as masks do.
    diverged = diverged or not all(bool(torch.isfinite(p).all()) for p in parameters)
    return Run(states[0], final, states, step, log, diverged)


def _cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean cross entropy, the class axis last in `outputs`."""
    return functional.cross_entropy(outputs.flatten(0, -2), targets.flatten())


def _misses(outputs: Tensor, targets: Tensor) -> Tensor:
    """Samples misclassified, a sequence counting by its share; NaN if targets are not classes."""
    whole = not targets.is_floating_point()
    if whole and outputs.shape[:-1] == targets.shape and outputs.shape[-1] > 1:
        return (outputs.argmax(-1) != targets).float().mean() * len(targets)
    return torch.full((), math.nan, device=outputs.device)


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
        value = (loss or _cross_entropy)(outputs, target).mean()
    except Exception as error:
        raise ForwardFailed(what, f"training, after {step} steps", error) from error
    return outputs, value


def _check(
    inputs: Tensor,
    targets: Tensor,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    momentum: float,
    weight_decay: float,
) -> None:
    if not len(inputs):
        raise DataError("Training needs at least one sample.", got=f"{tuple(inputs.shape)}")
    if len(inputs) != len(targets):
        raise DataError(
            "There must be one target for each input.",
            got=f"{len(inputs)} inputs and {len(targets)} targets",
        )
    for name, count in {"epochs": epochs, "batch_size": batch_size}.items():
        if count < 1:
            raise UsageError(f"`{name}` must be at least 1.", got=f"{count}")
    for name, number in {"learning_rate": learning_rate, "weight_decay": weight_decay}.items():
        if not 0 <= number < math.inf:
            raise UsageError(f"`{name}` must be finite and not negative.", got=f"{number}")
    if not 0 <= momentum < 1:
        raise UsageError("`momentum` must be at least 0 and below 1.", got=f"{momentum}")
