"""The diagonal of the Fisher information, from gradients of single samples."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import torch
from torch import Tensor
from torch.func import grad, vmap
from torch.utils import _pytree as pytree

from ridgeline.errors import UnknownName, UsageError
from ridgeline.functional.looping import looping_quietly
from ridgeline.merging.grams import some
from ridgeline.merging.outer import Layers
from ridgeline.objective import Criterion, Objective
from ridgeline.objective.derivable import derivable
from ridgeline.objective.samples import Samples
from ridgeline.rng import stream
from ridgeline.state import State, coordinates, tensors_of, ties

__all__ = ["Likelihood", "diagonal_fisher"]

Likelihood = Literal["model", "sampled", "empirical"]
BUDGET = 2**26
"""Bytes of the gradients that are held at a time."""

Tensors = dict[str, Tensor]


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
        Name of each coordinate to its diagonal, in float64; tied names share it.

    Raises:
        UnknownName: If `labels` is none of the three.
        UsageError: If outputs are not logits of one label per sample, or the network lets no
            derivative through.
        StateMismatch: If the state is not one of the model.
    """
    if labels not in ("model", "sampled", "empirical"):
        raise UnknownName("source of labels", labels, ["model", "sampled", "empirical"])
    tensors = objective.tensors(state)
    with torch.no_grad():
        tensors |= objective.recomputed(tensors)
    names = list(coordinates(tensors))
    work = Layers.of(objective, tensors, names) or _Gradients(objective, tensors, names)
    draws = stream(seed, "fisher labels")
    total = {n: torch.zeros_like(tensors[n], dtype=torch.float64) for n in names}
    chosen, counted = some(objective, samples, seed), 0
    for part in chosen.chunks(work.rows):
        outputs, held = work.forward(part), None
        loss = objective.metrics["loss"] if labels == "empirical" else _surprise
        if isinstance(loss, Criterion):
            held = loss.scores(outputs, part.targets).weights
        counted += len(part) if held is None else int((held > 0).sum())
        for weight, targets in _labels(outputs, part, labels, draws):
            for name, squares in work.squares(part, targets, weight.double(), loss):
                total[name] += squares
    objective.counted("loss", range(counted))
    found = {n: x / counted for n, x in total.items()}
    for first, *others in ties(tensors_of(objective.network.module)):
        found.update({n: found[first] for n in others if first in found and n in state})
    return found


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


class _Gradients:
    """Gradients of single samples, many at a time where the network lets itself be mapped."""

    def __init__(self, objective: Objective, tensors: Tensors, names: list[str]) -> None:
        self.network = objective.network
        self.moving = {n: tensors[n] for n in names}
        self.held = {n: x for n, x in tensors.items() if n not in self.moving}
        size = sum(x.nbytes for x in self.moving.values())
        self.rows = max(1, min(objective.rows, BUDGET // max(size, 1)))
        self.mapped, self.seen = True, False

    def forward(self, part: Samples) -> Any:
        """The outputs."""
        with torch.no_grad():
            return self.network({**self.held, **self.moving}, part.inputs)

    def squares(
        self, part: Samples, targets: Any, weight: Tensor, loss: Callable[[Any, Any], Tensor]
    ) -> Iterator[tuple[str, Tensor]]:
        """Name to the weighted sum over samples of squared gradients."""

        def one(moving: Tensors, inputs: Any, target: Any) -> Tensor:
            outputs = self.network({**self.held, **moving}, _alone(inputs))
            return loss(outputs, _alone(target))[0]

        for name, g in self._each(one, part.inputs, targets).items():
            yield name, torch.tensordot(weight, g.double().square(), 1)

    def _each(self, one: Callable[..., Tensor], inputs: Any, targets: Any) -> Tensors:
        """Name to the gradients of all samples, shape (B, ...)."""
        if not self.seen:
            # Mapped over samples, what no derivative reaches has zeros; on its own it is refused.
            self._plain(one, _row(inputs, 0), _row(targets, 0))
            self.seen = True
        if self.mapped:
            try:
                with looping_quietly():
                    return vmap(grad(one), in_dims=(None, 0, 0))(self.moving, inputs, targets)
            except Exception:  # a recurrence, packed sequences, a branch on values
                self.mapped = False
        rows = range(len(pytree.tree_leaves(inputs)[0]))
        each = [self._plain(one, _row(inputs, i), _row(targets, i)) for i in rows]
        return {n: torch.stack([g[n] for g in each]) for n in self.moving}

    def _plain(self, one: Callable[..., Tensor], inputs: Any, target: Any) -> Tensors:
        """The gradients of one sample, as training takes them: nothing is wrapped."""
        with torch.enable_grad(), derivable():
            moving = {n: x.detach().requires_grad_() for n, x in self.moving.items()}
            loss = one(moving, inputs, target)
            found = torch.autograd.grad(loss, list(moving.values()), materialize_grads=True)
        return dict(zip(moving, found, strict=True))


def _row(tree: Any, i: int) -> Any:
    return pytree.tree_map_only(Tensor, lambda x: x[i], tree)


def _alone(tree: Any) -> Any:
    return pytree.tree_map_only(Tensor, lambda x: x[None], tree)
