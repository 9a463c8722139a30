"""A state at which an objective is differentiated: what moves, and sums over the data."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ridgeline import state as states
from ridgeline.errors import WrongKind
from ridgeline.objective.derivable import differentiating
from ridgeline.objective.minibatches import check_reached, statistics_on
from ridgeline.objective.objective import Objective
from ridgeline.objective.samples import Samples
from ridgeline.objective.weighted import Weighted
from ridgeline.state import State

__all__ = ["Names", "Part", "Point", "accumulate", "gradients"]

Names = str | Collection[str] | None
"""Tensors that derivatives are by: names of a state, such as those of one layer; all of its
coordinates by default."""


class Part(NamedTuple):
    """A chunk of the data, as the network sees it at a point."""

    samples: Samples
    outputs: Any
    scores: Weighted


class Point:
    """A state as leaves that an objective is differentiated by.

    Complex tensors move as pairs of real numbers. Infinities of a mask stand still, and so do
    statistics of normalisation, which are gathered once if the policy recomputes them.

    Args:
        objective: What is differentiated.
        state: Where.
        names: By which tensors; by all coordinates by default.
        batch: The samples that means are over; all of the objective's by default. Recomputed
            statistics are gathered on it then.

    Raises:
        StateMismatch: If the state is not one of the model.
        NonFinite: If it holds NaN, or infinity other than that of a mask.
        UnknownName: If the model has no tensor of a name.
        UsageError: If there is no coordinate among the names.
    """

    def __init__(
        self,
        objective: Objective,
        state: Mapping[str, Tensor],
        names: Names = None,
        batch: Samples | None = None,
    ) -> None:
        if not isinstance(objective, Objective):
            rule = "What is differentiated is an `rl.Objective`; it comes first, then the state."
            raise WrongKind(rule, objective, name="objective")
        if batch is not None and not isinstance(batch, Samples):
            rule = (
                "A batch is some of an objective's samples: `next(rl.minibatches(objective, 64))`."
            )
            raise WrongKind(rule, batch, name="batch")
        states.check_finite(states.detached(state, "the state"), "the state")
        self.objective, self.batch = objective, batch
        own = states.tensors_of(objective.network.module)
        with torch.inference_mode(False), torch.no_grad():
            tensors = {n: _ordinary(x) for n, x in objective.tensors(state).items()}
            first = {n: next(m for m in g if m in tensors) for g in states.ties(own) for n in g}
            self.names = [first.get(n, n) for n in states.chosen(own, names)]
            """Tensors that move, each by the name that the network has for it."""
            self.aliases = {n: m for n, m in first.items() if m in self.names and n in state}
            """Names in the state of tied tensors that move, and what the network calls them."""
            if batch is None:
                self.tensors = tensors | objective.recomputed(tensors)
            else:
                self.tensors = tensors | statistics_on(objective, tensors, batch)
            real = states.as_real({n: tensors[n] for n in self.names})
            self.leaves = [x.detach().clone().requires_grad_() for x in real.values()]
            """What derivatives are by, in the order of the names."""
            self._still = [x.isinf() if bool(x.isinf().any()) else None for x in self.leaves]

    def placed(self, leaves: Sequence[Tensor] | None = None) -> dict[str, Tensor]:
        """The state's tensors, made of values for the leaves; of the leaves by default."""
        made: dict[str, Tensor] = {}
        given = self.leaves if leaves is None else leaves
        for name, x, still in zip(self.names, given, self._still, strict=True):
            moved = x if still is None else torch.where(still, x.detach(), x)
            made[name] = torch.view_as_complex(moved) if self.tensors[name].is_complex() else moved
        return self.tensors | made

    def chunks(self, rows: int | None = None) -> Iterator[Samples]:
        """The samples that means are over, as many at a time as the objective takes."""
        given = self.objective.samples if self.batch is None else self.batch
        for part in given.chunks(rows or self.objective.rows):
            with torch.inference_mode(False):
                ordinary = part.map(_ordinary)
            yield ordinary

    def visit(self, where: str, look: Callable[[Part], None], rows: int | None = None) -> None:
        """Look at each chunk with what the network makes of it, differentiable by the leaves.

        Args:
            where: What is computed, for the words about what the user's code raises.
            look: Called within the objective's precision, with gradients on.
            rows: Samples in a chunk; the objective's by default.

        Raises:
            UsageError: If no derivative reaches the loss.
            ForwardFailed: If the model or its loss raises.
        """
        criterion = self.objective.metrics["loss"]
        for samples in self.chunks(rows):
            with differentiating(self.objective, where), self.holding() as network:
                outputs = network(samples.inputs)
                scores = criterion.scores(outputs, samples.targets)
                check_reached(self.leaves, outputs, scores.values, criterion.called)
                look(Part(samples, outputs, scores))

    @contextmanager
    def holding(self) -> Iterator[Callable[[Any], Any]]:
        """The network with the leaves in place, also for what it computes again going backwards."""
        with self.objective.network.holding(self.placed()) as network:
            yield network

    def zeros(self) -> list[Tensor]:
        """Sums to begin with, one for each leaf, in float64."""
        with torch.inference_mode(False):  # they are added to where that is off
            return [torch.zeros(x.shape, dtype=torch.float64, device=x.device) for x in self.leaves]

    def state_of(self, values: Sequence[Tensor]) -> State:
        """Values of the leaves by name, in the state's types; other names of one share it."""
        found = State()
        for name, value, leaf in zip(self.names, values, self.leaves, strict=True):
            part = value.detach().to(leaf.dtype)
            found[name] = torch.view_as_complex(part) if self.tensors[name].is_complex() else part
        return found | {n: found[m] for n, m in self.aliases.items()}


def gradients(
    value: Tensor | Sequence[Tensor],
    by: Sequence[Tensor],
    along: Sequence[Tensor] | None = None,
    *,
    again: bool = False,
    keep: bool = False,
) -> list[Tensor]:
    """Derivatives of a number, zero by what it does not depend on.

    Args:
        value: One number; or several tensors, whose product with `along` is meant.
        by: What it was made of.
        along: Of the shapes of `value`.
        again: They are to be differentiated in turn.
        keep: The graph is used again.
    """
    values = [value] if isinstance(value, Tensor) else list(value)
    weights = [None] * len(values) if along is None else list(along)
    pairs = [(x, w) for x, w in zip(values, weights, strict=True) if x.requires_grad]
    if not pairs:
        return [torch.zeros_like(x) for x in by]
    given, weighed = zip(*pairs, strict=True)
    found = torch.autograd.grad(
        given,
        by,
        None if along is None else weighed,
        retain_graph=keep or again,
        create_graph=again,
        materialize_grads=True,
    )
    return [x.to_dense() if x.layout != torch.strided else x for x in found]


def accumulate(sums: Sequence[Tensor], more: Sequence[Tensor]) -> None:
    """Add to sums, in place."""
    for x, y in zip(sums, more, strict=True):
        x.add_(y)


def _ordinary(x: Tensor) -> Tensor:
    """A tensor that may be part of a graph, whatever mode it was made in."""
    return x.detach().clone() if x.is_inference() else x.detach()
