"""The diagonal of the Fisher information, from gradients of single samples."""

from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ridgeline.errors import UnknownName, UsageError
from ridgeline.merging.grams import some
from ridgeline.objective import Criterion, Objective
from ridgeline.objective.linear import LinearLayers
from ridgeline.objective.per_sample import PerSample
from ridgeline.objective.point import Point, accumulate
from ridgeline.objective.samples import Samples
from ridgeline.rng import stream
from ridgeline.state import State

__all__ = ["Likelihood", "diagonal_fisher"]

Likelihood = Literal["model", "sampled", "empirical"]


def diagonal_fisher(
    objective: Objective,
    state: State,
    *,
    labels: Likelihood = "model",
    samples: int | None = None,
    seed: int = 0,
) -> State:
    """The diagonal of the Fisher information, from gradients of single samples.

    ``mean_x E_y (d log p(y | x) / d theta)^2``, with p the softmax of the outputs. Where every
    parameter belongs to a linear layer the squares are products of squared inputs and squared
    gradients of its outputs (50 times faster on 784-256-256-10); other networks are mapped over
    samples, and those that cannot be are looped over.

    Args:
        objective: Gives model, data and statistics policy; its outputs are logits (N, C).
        state: Where.
        labels: Where y comes from: ``"model"``, the expectation over the model's own
            distribution, exactly, one backward pass for each class; ``"sampled"``, one draw
            from it for each input; ``"empirical"``, the data's labels, through the objective's
            loss, whatever that is (this is not the Fisher information, only of its kind).
        samples: How many inputs, in a random order; all by default.
        seed: Names the order and the draws.

    Returns:
        Name of each coordinate to its diagonal, in float64; tied names share it. A complex
        coordinate has the squared length of its derivative.

    Raises:
        UnknownName: If `labels` is none of the three.
        UsageError: If outputs are not logits of one label per sample, or the network lets no
            derivative through.
        StateMismatch: If the state is not one of the model.
    """
    if labels not in ("model", "sampled", "empirical"):
        raise UnknownName("source of labels", labels, ["model", "sampled", "empirical"])
    point = Point(objective, state)
    work = LinearLayers.of(point) or PerSample(point)
    draws = stream(seed, "fisher labels")
    total, counted = point.zeros(), 0
    for part in some(objective, samples, seed).chunks(work.rows):
        outputs, held = work.forward(part), None
        loss = objective.metrics["loss"] if labels == "empirical" else _surprise
        if isinstance(loss, Criterion):
            held = loss.scores(outputs, part.targets).weights
        counted += len(part) if held is None else int((held > 0).sum())
        for weight, targets in _labels(outputs, part, labels, draws):
            accumulate(total, work.squares(part, targets, weight.double(), loss))
    objective.counted("loss", range(counted))
    found = State()
    for name, x in zip(point.names, total, strict=True):
        # The two squares of a complex number are of one coordinate.
        found[name] = (x.sum(-1) if point.tensors[name].is_complex() else x) / counted
    return found | {n: found[m] for n, m in point.aliases.items()}


def _surprise(outputs: Tensor, targets: Tensor) -> Tensor:
    """``-log p(target)``, one for each sample."""
    return -outputs.log_softmax(-1).gather(-1, targets[:, None])[:, 0]


def _labels(
    outputs: Any, part: Samples, labels: Likelihood, draws: torch.Generator
) -> Iterator[tuple[Tensor, Any]]:
    """Pairs of a weight for each sample and targets, whose squares are to be summed."""
    if labels == "empirical":
        yield torch.ones(len(part), device=pytree.tree_leaves(part.inputs)[0].device), part.targets
        return
    if not isinstance(outputs, Tensor) or outputs.ndim != 2 or len(outputs) != len(part):
        shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise UsageError(
            "The model's own labels need outputs that are logits of shape (N, C).",
            got=f"{shape} of {len(part)} samples",
            remedy="labels='empirical' takes any loss.",
        )
    p = outputs.detach().softmax(-1)
    if labels == "sampled":
        drawn = torch.multinomial(p.double().cpu(), 1, generator=draws)[:, 0]
        yield torch.ones_like(p[:, 0]), drawn.to(p.device)
        return
    for c in range(p.shape[1]):
        yield p[:, c], torch.full((len(p),), c, device=p.device)
