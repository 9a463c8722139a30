"""Many states of one objective as rows of a matrix, and their losses and slopes on a minibatch.

A network's pivots are evaluated one after another through one resident copy of its tensors, or
all in one stacked step that is traced once and made lean. On one core with eight pivots the
stacked step takes 0.22 of the loop's time on 64-64-64-10 at batch 128, 0.29 on 784-100-10, and
0.7 to 1.0 on 784-256-256-10, where arithmetic is nearly all there is: so it is measured.
"""

import copy
import math
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.func import vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.graph.copies import named_tensors, places
from ridgeline.graph.looping import looping_quietly
from ridgeline.objective import Objective, Samples
from ridgeline.objective.derivable import differentiating
from ridgeline.objective.minibatches import check_reached
from ridgeline.objective.point import gradients
from ridgeline.objective.statistics import normalisers
from ridgeline.objective.weighted import Weighted, concatenated, mean
from ridgeline.paths import Line
from ridgeline.rng import untouched
from ridgeline.state import State
from ridgeline.training.lowering import lower

__all__ = ["Evaluation", "Pivots"]

Evaluation = Literal["auto", "loop", "stacked"]
STACKED_BYTES = 2**30
"""Bytes of a stack's rows and slopes up to which it is tried."""
AGREEMENT = 1e-3
"""Share of the largest slope by which a stacked step may differ from the loop's."""


class Pivots:
    """States between two ends, as rows.

    What trains, the network's parameters, makes up a row. All else (labels, statistics, buffers)
    is at a pivot what it is on the straight line.

    Args:
        objective: What is differentiated; statistics of normalisation are those of the minibatch
            if it recomputes them, and a pivot's own if it keeps them.
        a: The state at one end.
        b: The state at the other.
        evaluation: How; by size if ``"auto"``.

    Raises:
        StateMismatch: If a state is not one of the model.
        NonFinite: If one holds NaN or infinity.
        UsageError: If there is nothing to train.
    """

    def __init__(
        self, objective: Objective, a: State, b: State, evaluation: Evaluation = "auto"
    ) -> None:
        objective.check(a, "a")
        objective.check(b, "b")
        self.objective, self.line = objective, Line(a, b)
        self.network = objective.network
        if objective.statistics == "recompute":
            self.network = _of_the_batch(objective)
        first, last = self.line.a, self.line.b
        self.names = [
            name
            for name, p in _parameters(objective)
            if states.is_continuous(p)
            and (p.requires_grad or not states.equal(first[name], last[name]))
            and not states.non_finite({name: first[name]})
            and not states.non_finite({name: last[name]})
        ]
        """Tensors of a row, in its order."""
        if not self.names:
            raise UsageError("A band moves parameters.", got="a model that has none to train")
        self.like = {n: _real(first[n]) for n in self.names}
        sizes = [x.numel() for x in self.like.values()]
        self.size = sum(sizes)
        """Coordinates of a row."""
        self._slices = dict(zip(self.names, torch.arange(self.size).split(sizes), strict=True))
        own = states.tensors_of(objective.network.module)
        tied = {n: group for group in states.ties(own) for n in group}
        self._aliases = {n: [m for m in tied.get(n, ()) if m != n] for n in self.names}
        moving = {m for n in self.names for m in (n, *self._aliases[n])}
        still = [n for n in self.network.tensors if n not in moving]
        self.shared = all(states.equal(first[n], last[n]) for n in still)
        """True if all that does not train is alike at both ends."""
        self._still = still
        self.evaluation = evaluation
        self.stacked: dict[int, bool] = {}
        """Number of pivots to whether they go through one step together, once that is known."""
        self._programs: dict[Any, Callable[..., Any] | None] = {}
        self._ends: list[Weighted] = []

    def row(self, state: State) -> Tensor:
        """The coordinates of a state, shape (D,), in the objective's type and on its device."""
        parts = [_real(state[n]).reshape(-1) for n in self.names]
        kind, where = self.objective.dtype, self.objective.device
        return torch.cat([x.detach().to(device=where, dtype=kind) for x in parts])

    def state(self, row: Tensor, t: float) -> State:
        """The state of a row, with what does not train as on the line at t."""
        found = dict(self.line(t))
        for name, piece in zip(self.names, self._pieces(row), strict=True):
            like = found[name]
            part = piece.to(device=like.device, dtype=_real(like).dtype).clone()
            x = torch.view_as_complex(part) if like.is_complex() else part
            found.update({m: x for m in (name, *self._aliases[name]) if m in found})
        return found

    def _pieces(self, rows: Tensor) -> list[Tensor]:
        """Each tensor of a row (D,), or of rows (K, D), in its shape: views."""
        parts = rows.split([x.numel() for x in self.like.values()], dim=-1)
        shapes = [x.shape for x in self.like.values()]
        pairs = zip(parts, shapes, strict=True)
        return [p.unflatten(-1, s) if s else p.squeeze(-1) for p, s in pairs]

    @cached_property
    def _fixed(self) -> dict[str, Tensor]:
        """What does not train, half way."""
        return self._at(0.5)

    def _at(self, t: float) -> dict[str, Tensor]:
        state = self.line(t)
        held = {n: state[n] for n in self._still}
        return states.cast(held, self.objective.dtype, self.objective.device)

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
        if not self.stacked.get(count, count > 1 and self.evaluation != "loop" and self.shared):
            return self._looped(rows, batch)
        key = (count, len(batch))
        if key not in self._programs:
            self._programs[key] = self._prepared(rows, batch)
        program = self._programs[key]
        if program is not None and self.stacked[count]:
            losses, *parts = program(*self._arguments(rows, batch))
            return losses, torch.cat([g.flatten(1) for g in parts], 1)
        return self._looped(rows, batch)

    def _looped(self, rows: Tensor, batch: Samples) -> tuple[Tensor, Tensor]:
        goal, criterion = self.objective, self.objective.metrics["loss"]
        losses, found = rows.new_empty(len(rows)), torch.empty_like(rows)
        with torch.inference_mode(False):
            buffer = torch.empty_like(rows[0])
            leaves = [x.detach().requires_grad_() for x in self._pieces(buffer)]
            fixed = self._fixed if self.shared else {n: x.clone() for n, x in self._fixed.items()}
        where = differentiating(goal, "computing the slopes of pivots")
        with where, self.network.holding(fixed | self._placed(leaves)) as network:
            for k, row in enumerate(rows):
                with torch.no_grad():
                    buffer.copy_(row)
                    if not self.shared:
                        there = self._at((k + 1) / (len(rows) + 1))
                        for name, x in fixed.items():
                            x.copy_(there[name])
                outputs = network(batch.inputs)
                loss = mean(criterion.scores(outputs, batch.targets))
                check_reached(leaves, outputs, loss, criterion.called)
                parts = gradients(loss, leaves)
                torch.cat([g.reshape(-1) for g in parts], out=found[k])
                losses[k] = loss.detach()
        return losses, found

    def _placed(self, leaves: Sequence[Tensor]) -> dict[str, Tensor]:
        kinds = (self.line.a[n].is_complex() for n in self.names)
        made = (torch.view_as_complex(x) if c else x for x, c in zip(leaves, kinds, strict=True))
        return dict(zip(self.names, made, strict=True))

    def _arguments(self, rows: Tensor, batch: Samples) -> list[Any]:
        fixed = list(self._fixed.values())
        return [*self._pieces(rows), *fixed, batch.inputs, batch.targets]

    def _stacked(self, *arguments: Any) -> list[Tensor]:
        """The step as it is written, to be traced or run."""
        *tensors, inputs, targets = arguments
        count, criterion = len(self.names), self.objective.metrics["loss"]
        fixed = dict(zip(self._still, tensors[count:], strict=True))

        def one(own: Sequence[Tensor]) -> Any:
            return self.network(fixed | self._placed(own), inputs)

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
            if not _alike(wanted, (losses, torch.cat([g.flatten(1) for g in parts], 1))):
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
            with looping_quietly(), untouched(), torch.inference_mode(False):
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


def _parameters(objective: Objective) -> list[tuple[str, nn.Parameter]]:
    """The network's parameters by the names that a state must hold them under."""
    own = dict(objective.network.module.named_parameters())
    return [(n, own[n]) for n in objective.network.tensors if n in own]


def _real(x: Tensor) -> Tensor:
    return torch.view_as_real(x.resolve_conj()) if x.is_complex() else x


def _taken(scores: Weighted, order: Tensor) -> Weighted:
    held = scores.weights
    return Weighted(scores.values[order], held if held is None else held[order])


def _of_the_batch(objective: Objective) -> Any:
    """The network with normalisation layers that use the statistics of the batch they see."""
    made = copy.deepcopy(objective.network)
    held = made.modes.frozen | made.modes.inert
    for name, layer in normalisers(made.module).items():
        if name not in held:
            for buffer in ("running_mean", "running_var", "num_batches_tracked"):
                if buffer in layer._buffers:
                    layer._buffers[buffer] = None
            layer.track_running_stats = False
    made.tensors, made.places = named_tensors(made.module), places(made.module)
    made.renew()
    return made
