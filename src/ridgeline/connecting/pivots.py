"""Many states of one objective as rows of a matrix, and their losses and slopes on a minibatch.

A network's pivots are evaluated one after another through one resident copy of its tensors, or
all in one stacked step that is traced once and made lean. On one core with eight pivots the
stacked step takes 0.22 of the loop's time on 64-64-64-10 at batch 128, 0.29 on 784-100-10, and
0.7 to 1.0 on 784-256-256-10, where arithmetic is nearly all there is: so it is measured.
"""

import math
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor
from torch.func import vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

from ridgeline.connecting.layout import Layout
from ridgeline.connecting.standing import Standing, of_the_batch
from ridgeline.graph.looping import looping_quietly
from ridgeline.objective import Samples
from ridgeline.objective.derivable import casting
from ridgeline.objective.weighted import Weighted, concatenated, mean
from ridgeline.paths import Line
from ridgeline.rng import untouched
from ridgeline.state import State
from ridgeline.training.lowering import lower

__all__ = ["Evaluation", "Pivots"]

Evaluation = Literal["auto", "loop", "stacked"]
STACKED_BYTES = 2**30
"""Bytes of a stack's rows and slopes up to which it is tried."""
WORTH_TRACING = 100
"""Steps with one number of pivots from which on a trace pays: it takes as long as about so many
small steps."""
AGREEMENT = 1e-3
"""Share of the largest slope by which a stacked step may differ from the loop's."""


class Pivots:
    """States between two ends, as rows of a `Layout`.

    What does not train (labels, statistics, buffers) is at a pivot what it is on the straight line.

    Args:
        layout: Of the two ends.
        line: Between the ends.
        evaluation: One after another or in a stack; timed if ``"auto"``.
    """

    def __init__(self, layout: Layout, line: Line, evaluation: Evaluation = "auto") -> None:
        self.layout, self.line, self.evaluation = layout, line, evaluation
        self.objective = layout.objective
        self.standing = Standing(layout)
        self.planned = 0
        """Steps to be taken with the present number of pivots."""
        self.stackable = not (layout.carried or layout.spectral)
        """False if pivots differ in more than what trains."""
        self.stacked: dict[int, bool] = {}
        """Number of pivots to whether they go through one step together, once that is known."""
        self._programs: dict[Any, Callable[..., Any] | None] = {}
        self._ends: list[Weighted] = []

    def state(self, row: Tensor, t: float) -> State:
        """The state of a row, with what does not train as on the line at t."""
        return self.layout.state(row, self.line(t))

    def ends(self, order: Tensor) -> Tensor:
        """Losses of the two ends on some samples, shape (2,).

        They never move, so that they are evaluated once, on all samples, as the objective does.

        Args:
            order: Numbers of the samples.
        """
        if not self._ends:
            self._ends = [self._scores(end) for end in (self.line.a, self.line.b)]
        return torch.stack([mean(_taken(end, order)) for end in self._ends])

    def _scores(self, state: State) -> Weighted:
        goal = self.objective
        tensors = goal.tensors(state)
        with goal.computing():
            tensors |= goal.recomputed(tensors)
            parts = [
                goal.score(goal.network(tensors, chunk.inputs), chunk.targets)["loss"]
                for chunk in goal.samples.chunks(goal.rows)
            ]
            found = concatenated(parts)
        with torch.inference_mode(False):
            held = found.weights
            return Weighted(found.values.clone(), held if held is None else held.clone())

    def slopes(self, rows: Tensor, batch: Samples) -> tuple[Tensor, Tensor]:
        """Losses and gradients of pivots on a batch.

        Args:
            rows: Shape (K, D), none of them an end.
            batch: Some of the objective's samples.

        Returns:
            Shapes (K,) and (K, D).

        Raises:
            ForwardFailed: If the model or its loss raises.
            UsageError: If no derivative reaches the loss.
        """
        count = len(rows)
        tried = self.evaluation == "stacked" or (
            self.evaluation == "auto" and self.planned >= WORTH_TRACING
        )
        if not self.stacked.get(count, count > 1 and tried and self.stackable):
            return self._looped(rows, batch)
        key = (count, len(batch))
        if key not in self._programs:
            self._programs[key] = self._prepared(rows, batch)
        program = self._programs[key]
        if program is not None and self.stacked[count]:
            losses, *parts = program(*self._arguments(rows, batch))
            return losses, torch.cat([g.reshape(len(g), -1) for g in parts], 1)
        return self._looped(rows, batch)

    def _looped(self, rows: Tensor, batch: Samples) -> tuple[Tensor, Tensor]:
        losses, found = rows.new_empty(len(rows)), torch.empty_like(rows)
        with self.standing.holding():
            for k, row in enumerate(rows):
                t = (k + 1) / (len(rows) + 1)
                with torch.no_grad():
                    self.standing.buffer.copy_(row)
                self.standing.settle([1 - t, t])
                losses[k] = self.standing.slope(batch, found[k])
        return losses, found

    def _pieces(self, rows: Tensor) -> list[Tensor]:
        """Each tensor of rows (K, D), in its shape, complex ones as pairs of reals: views."""
        parts = rows.split(self.layout.sizes, dim=-1)
        shapes = self.layout.shapes.values()
        pairs = zip(parts, shapes, strict=True)
        return [p.unflatten(-1, s) if s else p.squeeze(-1) for p, s in pairs]

    def _placed(self, leaves: Sequence[Tensor]) -> dict[str, Tensor]:
        names, like = self.layout.names, self.layout.points[0]
        pairs = zip(names, leaves, strict=True)
        return {n: torch.view_as_complex(x) if like[n].is_complex() else x for n, x in pairs}

    @cached_property
    def _fixed(self) -> dict[str, Tensor]:
        """Tensors that do not train."""
        held = set(self.layout.names)
        return {n: x for n, x in self.layout.points[0].items() if n not in held}

    def _arguments(self, rows: Tensor, batch: Samples) -> list[Any]:
        return [*self._pieces(rows), *self._fixed.values(), batch.inputs, batch.targets]

    def _stacked(self, *arguments: Any) -> list[Tensor]:
        """The step as it is written, to be traced or run."""
        *tensors, inputs, targets = arguments
        count, criterion = len(self.layout.names), self.objective.metrics["loss"]
        fixed = dict(zip(self._fixed, tensors[count:], strict=True))

        def one(own: Sequence[Tensor]) -> Any:
            return self.objective.network(fixed | self._placed(own), inputs)

        with torch.enable_grad():
            leaves = [x.detach().requires_grad_() for x in tensors[:count]]
            outputs, pivots = vmap(one)(leaves), len(leaves[0])
            # Losses are of samples, whichever pivot's they are: all at once, outside of `vmap`,
            # within which a loss cannot see that a derivative is wanted.
            flat = pytree.tree_map_only(Tensor, lambda x: x.flatten(0, 1), outputs)
            again = pytree.tree_map_only(
                Tensor, lambda x: x.expand(pivots, *x.shape).flatten(0, 1), targets
            )
            scores = criterion.scores(flat, again)
            losses = _means(scores, pivots)
            parts = torch.autograd.grad(losses.sum(), leaves, materialize_grads=True)
        return [losses.detach(), *parts]

    def _prepared(self, rows: Tensor, batch: Samples) -> Callable[..., Any] | None:
        """A step for these shapes that gives what the loop gives, if there is one."""
        wanted = self._looped(rows, batch)
        program = self._traced(self._arguments(rows, batch), rows)
        if program is not None:
            losses, *parts = program(*self._arguments(rows, batch))
            if not _alike(wanted, (losses, torch.cat([g.reshape(len(g), -1) for g in parts], 1))):
                program = None
        if len(rows) not in self.stacked:
            self.stacked[len(rows)] = program is not None and (
                self.evaluation == "stacked"
                or _seconds(lambda: program(*self._arguments(rows, batch)))
                < _seconds(lambda: self._looped(rows, batch))
            )
        return program

    def _traced(self, arguments: Sequence[Any], rows: Tensor) -> Callable[..., Any] | None:
        if 4 * rows.nbytes > STACKED_BYTES:
            return None
        # Whatever torch's tracer or `vmap` may raise of the user's network; the loop has run.
        try:
            modes = torch.inference_mode(False), of_the_batch(self.objective)
            with looping_quietly(), untouched(), modes[0], modes[1], casting(self.objective):
                if not all(isinstance(x, Tensor) for x in arguments):
                    self._stacked(*arguments)
                    return self._stacked
                tracer = make_fx(self._stacked, tracing_mode="fake", _allow_non_fake_inputs=True)
                program: Callable[..., Any] = lower(tracer(*arguments)).forward
                program(*arguments)
        except Exception:
            return None
        return program


def _seconds(step: Callable[[], Any]) -> float:
    """The best of three."""
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        step()
        times.append(time.perf_counter() - begun)
    return min(times)


def _means(scores: Weighted, pivots: int) -> Tensor:
    """The mean of each pivot's samples, 0 where nothing counts."""
    values = scores.values.unflatten(0, (pivots, -1))
    if scores.weights is None:
        return values.mean(1)
    weights = scores.weights.unflatten(0, (pivots, -1))
    held = weights.sum(1)
    kept = values.masked_fill(weights == 0, 0)
    return (kept * weights).sum(1) / torch.where(held > 0, held, 1)


def _alike(wanted: Sequence[Tensor], found: Sequence[Tensor]) -> bool:
    for x, y in zip(wanted, found, strict=True):
        size = float(x.abs().max()) if x.numel() else 0.0
        bound = AGREEMENT * (size if math.isfinite(size) else 1.0)
        if not torch.allclose(x, y, rtol=AGREEMENT, atol=bound, equal_nan=True):
            return False
    return True


def _taken(scores: Weighted, order: Tensor) -> Weighted:
    held = scores.weights
    return Weighted(scores.values[order], held if held is None else held[order])
