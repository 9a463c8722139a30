"""The trainer of everything here: the loss at sampled points of a path, descended."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ridgeline.connecting.keeping import Kept, fingerprint
from ridgeline.connecting.layout import Layout
from ridgeline.connecting.looking import Look, Watch
from ridgeline.connecting.standing import Standing
from ridgeline.connecting.strategy import Descent
from ridgeline.errors import UsageError
from ridgeline.objective import Objective, minibatches
from ridgeline.paths import Path
from ridgeline.progress import Progress
from ridgeline.rng import seed_of
from ridgeline.state import State
from ridgeline.training.durations import Duration

__all__ = ["Descended", "Penalty", "Problem", "descend"]

BLOCK = 64
"""Steps whose positions are drawn together, and between which the loss is looked at."""


class Penalty(Protocol):
    """Term beside the loss, of the states themselves."""

    def value(self, matrix: Tensor) -> float:
        """The term, for states as rows (J, D)."""
        ...

    def add_gradient(self, matrix: Tensor, out: Sequence[Tensor]) -> None:
        """Add its derivative by each state that is trained to `out`, each (D,)."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Problem:
    """States of which some are trained, by the loss at combinations of all of them."""

    points: tuple[State, ...]
    """J states; the trained ones where they start."""
    free: tuple[int, ...]
    """Numbers of those that are trained."""
    rows: Callable[[np.random.Generator, int], NDArray[np.float64]]
    """Draws coefficients of n points, (n, J), each row with the sum one."""
    paths: Callable[[Sequence[State]], Sequence[Path]]
    """Paths of the states along which the loss is looked at."""
    penalty: Penalty | None = None
    name: str = "a path"
    """What is trained, for progress and messages."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Descended:
    """The states after a descent."""

    points: tuple[State, ...]
    """All J of them, the fixed ones as they were given."""
    losses: NDArray[np.float64]
    """Mean loss of each step's points on its batch, (steps,), without decay and penalty."""
    looks: tuple[Look, ...]
    """The largest loss along the path now and then, the start and the end among them."""
    steps: int
    """Steps whose outcome the states are."""
    diverged: int | None = None
    """Step at which the loss ceased to be finite; the states are those of the last look."""
    seconds: float = field(default=math.nan)


def descend(
    problem: Problem,
    objective: Objective,
    by: Descent,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    keep: Kept | None = None,
) -> Descended:
    """Train states by the loss at sampled combinations of them.

    A step draws points, forms each in one buffer, and gives every trained state the gradient at
    the point times its coefficient. The run is a function of its arguments: draws are named by
    the seed and the step, so that a killed run that was kept goes on to the same bytes.

    Args:
        problem: The states, and what is drawn.
        objective: The loss, its data and its policies.
        by: The numbers of the descent.
        seed: Names batches and positions.
        progress: Told of steps, with the largest loss at the last look.
        keep: Takes snapshots, and gives the last one back.

    Raises:
        StateMismatch: If a state is not one of the model.
        ForwardFailed: If the model or its loss raises.
        UsageError: If a snapshot is of something else.
    """
    return _Run(problem, objective, by, seed, progress, keep).finish()


class _Run:
    def __init__(
        self,
        problem: Problem,
        objective: Objective,
        by: Descent,
        seed: int,
        progress: Progress | None,
        keep: Kept | None,
    ) -> None:
        self.problem, self.objective, self.by, self.seed = problem, objective, by, seed
        self.progress, self.keep, self.started = progress, keep, time.monotonic()
        self.layout = Layout(objective, problem.points)
        self.standing = Standing(self.layout)
        batch = min(by.batch_size, len(objective))
        self.per_epoch = len(objective) // batch
        self.total = Duration.parse(by.length).count(self.per_epoch)
        with torch.inference_mode(False), torch.no_grad():
            self.matrix = self.layout.matrix()
            rows = [self.matrix[j] for j in problem.free]
            self.slots = {
                slot: [torch.zeros_like(x) for x in rows] for slot in by.optimiser.remembered()
            }
            self.gradients = torch.zeros(
                len(rows), self.layout.size, dtype=self.matrix.dtype, device=self.matrix.device
            )
            self.slope = self.gradients[0] if len(rows) == 1 else torch.zeros_like(rows[0])
            self.more = torch.zeros_like(rows[0]) if by.positions > 1 else self.slope
        self.rows = rows
        self.losses = torch.full((self.total,), math.nan, dtype=torch.float64)
        self.watch = Watch(objective, by.watched, seed)
        self.looks: list[Look] = []
        self.step, self.diverged = 0, None
        self.good = (0, [x.clone() for x in rows])

    def finish(self) -> Descended:
        """Train to the end, from where a snapshot was taken if there is one."""
        name = ""
        if self.keep is not None:
            fixed = [x for j, x in enumerate(self.matrix) if j not in self.problem.free]
            numbers = self.problem.name, self.problem.penalty, self.by, self.seed
            name = fingerprint(self.objective, fixed, self.rows, *numbers)
            if (held := self.keep.load(name)) is not None:
                self._restore(held)
        if not self.looks:
            self._look()
        batches = minibatches(
            self.objective,
            self.by.batch_size,
            seed=self.seed,
            purpose="points of a path",
            start=self.step,
        )
        stops = [math.ceil(self.total * k / self.by.looks) for k in range(1, self.by.looks + 1)]
        while self.step < self.total and self.diverged is None:
            stop = next(s for s in stops if s > self.step)
            self._advance(stop, batches)
            if self.diverged is None:
                self._look()
            if self.diverged is None and self.keep is not None:
                self.keep.save(self._taken(), name)
        return self._found()

    def _advance(self, stop: int, batches: Iterator) -> None:
        while self.step < stop:
            block, first = divmod(self.step, BLOCK)
            count = min(BLOCK - first, stop - self.step)
            drawn = self._drawn(block)[first : first + count]
            self._tell()
            with self.standing.holding():
                losses = [
                    self._one(self.step + k, rows, next(batches)) for k, rows in enumerate(drawn)
                ]
            found = torch.stack(losses).double().cpu()
            self.losses[self.step : self.step + count] = found
            if not bool(found.isfinite().all()):
                self.diverged = self.step + int((~found.isfinite()).nonzero()[0])
                return
            self.step += count

    def _drawn(self, block: int) -> NDArray[np.float64]:
        """Coefficients of a block's steps, (BLOCK, positions, J)."""
        draws = np.random.default_rng(seed_of(self.seed, "points of a path", "positions", block))
        rows = self.problem.rows(draws, BLOCK * self.by.positions)
        return rows.reshape(BLOCK, self.by.positions, -1)

    def _one(self, step: int, rows: NDArray[np.float64], batch: object) -> Tensor:
        """One step; the mean loss of its points."""
        by, free, standing = self.by, self.problem.free, self.standing
        alone, share = len(free) == 1, 1 / len(rows)
        loss = None
        if not alone:
            self.gradients.zero_()
        for k, row in enumerate(rows):
            coefficients = row.tolist()
            standing.place(self.matrix, coefficients)
            # A single state's coefficient is the scale of its gradient, which costs nothing.
            scale = coefficients[free[0]] * share if alone else share
            slope = self.slope if k == 0 else self.more
            each = standing.slope(batch, slope, scale)  # type: ignore[arg-type]  # samples
            loss = each if loss is None else loss + each
            with torch.no_grad():
                if by.decay:
                    slope.add_(standing.buffer, alpha=by.decay * scale)
                if not alone:
                    for gradient, j in zip(self.gradients, free, strict=True):
                        if coefficients[j]:
                            gradient.add_(slope, alpha=coefficients[j])
                elif k:
                    self.slope.add_(slope)
        with torch.no_grad():
            gradients = list(self.gradients)
            if self.problem.penalty is not None:
                self.problem.penalty.add_gradient(self.matrix, gradients)
            if by.clip is not None:
                size = torch.linalg.vector_norm(self.gradients)
                self.gradients.mul_(by.clip / size.clamp(min=by.clip))
            factor = by.schedule.factor(step, self.total, self.per_epoch)
            rate = by.optimiser.learning_rate * factor
            by.optimiser.update(self.rows, gradients, self.slots, step, rate)
        assert loss is not None
        return loss * share

    def _look(self) -> None:
        """Measure the path where it is; what is not finite is divergence."""
        look = self.watch.look(self.problem.paths(self._points()), self.step)
        finite = all(bool(x.isfinite().all()) for x in self.rows)
        if self.looks and not (finite and math.isfinite(look.maximum)):
            self.diverged = self.step
            return
        self.looks.append(look)
        self.good = (self.step, [x.clone() for x in self.rows])
        self._tell()

    def _tell(self) -> None:
        if self.progress is not None:
            peak = self.looks[-1].maximum if self.looks else math.nan
            what = f"{self.problem.name}, loss on it at most {peak:.3g}"
            self.progress(what, self.step, self.total)

    def _points(self) -> tuple[State, ...]:
        return self._states(self.rows)

    def _states(self, rows: Sequence[Tensor]) -> tuple[State, ...]:
        found = list(self.problem.points)
        for j, row in zip(self.problem.free, rows, strict=True):
            found[j] = self.layout.state(row, found[j])
        return tuple(found)

    def _found(self) -> Descended:
        step, rows = self.good
        done = self.step if self.diverged is None else self.diverged + 1
        return Descended(
            points=self._states(rows),
            losses=self.losses[:done].numpy(),
            looks=tuple(self.looks),
            steps=step,
            diverged=self.diverged,
            seconds=time.monotonic() - self.started,
        )

    def _taken(self) -> dict[str, Tensor]:
        """Snapshot of the run."""
        found = {
            "losses": self.losses[: self.step],
            "looks": torch.tensor([list(look.numbers) for look in self.looks], dtype=torch.float64),
        }
        for i, x in enumerate(self.rows):
            found[f"rows/{i}"] = x
            found |= {f"slots/{slot}/{i}": held[i] for slot, held in self.slots.items()}
        return found

    def _restore(self, held: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for i, x in enumerate(self.rows):
                x.copy_(held[f"rows/{i}"])
                for slot, own in self.slots.items():
                    own[i].copy_(held[f"slots/{slot}/{i}"])
        self.step = len(held["losses"])
        if self.step > self.total:
            raise UsageError("A snapshot is of a run of this length.", got=f"{self.step} steps")
        self.losses[: self.step] = held["losses"]
        self.looks = [Look.of(numbers) for numbers in held["looks"].tolist()]
        self.good = (self.step, [x.clone() for x in self.rows])
