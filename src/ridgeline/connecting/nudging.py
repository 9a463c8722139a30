"""The run of an elastic band: cycles of steps, measurements between them, inserted pivots."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ridgeline.connecting.bands import forces, inserted, knots, redistributed, spacings
from ridgeline.connecting.contract import check_objective
from ridgeline.connecting.cycles import BandSettings, Cycle, gaps
from ridgeline.connecting.histories import BandCycle, read, written
from ridgeline.connecting.keeping import Kept, fingerprint
from ridgeline.connecting.layout import Layout
from ridgeline.connecting.pivots import Pivots
from ridgeline.errors import NotTraceable
from ridgeline.objective import Objective
from ridgeline.paths import Line, Polygon
from ridgeline.profiles import Profile, profile
from ridgeline.progress import Progress, silent
from ridgeline.rng import stream, untouched
from ridgeline.state import State
from ridgeline.training import AdamW

__all__ = ["Nudged", "nudge"]

KEPT_SECONDS = 60.0
"""Time between snapshots within a cycle."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Nudged:
    """Outcome of a band."""

    path: Polygon
    """Of the cycle with the lowest maximum."""
    profile: Profile
    """At its rows and between them."""
    history: tuple[BandCycle, ...]
    best: int
    diverged: int | None
    """Step at which a loss or a pivot ceased to be finite."""
    seconds: float


def nudge(
    a: State,
    b: State,
    objective: Objective,
    band: BandSettings,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    kept: Kept | None = None,
) -> Nudged:
    """Relax an elastic band between two states.

    Args:
        a: One end, which stays as it is, bit for bit.
        b: The other.
        objective: Whose loss is minimised over its own samples.
        band: Settings.
        seed: Names the order of samples.
        progress: Told of steps, with the last maximum and the number of pivots.
        kept: Snapshots, to go on from to the same bytes as without a break.

    Returns:
        The band with the lowest maximum of all cycles.

    Raises:
        StateMismatch: If the states are not the model's.
        NonFinite: If one holds NaN or infinity.
        UsageError: If there is nothing to train, no derivative, or the snapshot is of another band.
        ForwardFailed: If the model or its loss raises.
    """
    check_objective(objective)
    with torch.no_grad(), untouched():
        run = _Run(a, b, objective, band, seed, progress or silent)
        name = fingerprint(objective, list(run.rows[[0, -1]]), [], repr(band), seed)
        held = None if kept is None else kept.load(name)
        if held is not None:
            run.restore(held)
        else:
            run.measure()
        taken = time.perf_counter()
        while not run.ended:
            cycle = run.cycle
            run.step()
            due = run.cycle > cycle or time.perf_counter() - taken >= KEPT_SECONDS
            if kept is not None and (due or run.ended):
                kept.save(run.snapshot(), name)
                taken = time.perf_counter()
        return run.found()


class _Run:
    """A band at a moment of its clock."""

    def __init__(
        self,
        a: State,
        b: State,
        objective: Objective,
        band: BandSettings,
        seed: int,
        progress: Progress,
    ) -> None:
        self.objective, self.band, self.seed, self.progress = objective, band, seed, progress
        objective.check(a, "a")
        objective.check(b, "b")
        line = Line(a, b)
        layout = Layout(objective, (line.a, line.b))
        self.pivots = Pivots(layout, line, band.evaluation)
        ends = layout.matrix()
        self.distance = float(spacings(ends)[0])
        share = torch.linspace(0, 1, band.pivots + 2, device=ends.device, dtype=torch.float64)
        self.rows = torch.lerp(ends[:1], ends[1:], share[:, None].to(ends))
        self.rows[0], self.rows[-1] = ends[0], ends[1]
        self.shares = np.full(band.pivots + 1, 1 / (band.pivots + 1))
        self.cycle = self.clock = self.count = 0
        """Cycle that goes on; steps taken in all, and in it."""
        self.history: list[BandCycle] = []
        self.best, self.best_rows = 0, self.rows.clone()
        self.ended, self.diverged = False, False
        self.begun, self.before = time.perf_counter(), 0.0
        self._order: tuple[int, Tensor] = (-1, torch.empty(0))
        self._begin()

    def _begin(self) -> None:
        """Slots of zero, for the pivots that there are now."""
        rule, moved = self.band.optimiser, self.rows[1:-1]
        # Decay is part of the loss at a pivot, and projected with it; a decoupled one is not.
        self.decay = 0.0 if isinstance(rule, AdamW) else rule.weight_decay
        self.rule = replace(rule, weight_decay=0.0) if self.decay else rule
        self.slots = {slot: [torch.zeros_like(moved)] for slot in self.rule.remembered()}
        self.count = 0
        if self.cycle < len(self.band.cycles):
            self.pivots.planned = self._present.steps

    @property
    def _present(self) -> Cycle:
        return self.band.cycles[self.cycle]

    def _batch(self) -> Tensor:
        """Numbers of the samples of the present step: an order of all for each epoch."""
        n = len(self.objective)
        size = min(self.band.batch_size, n)
        epoch, part = divmod(self.clock, n // size)
        if self._order[0] != epoch:
            order = torch.randperm(n, generator=stream(self.seed, "band", epoch))
            self._order = (epoch, order.to(self.objective.device))
        return self._order[1][part * size : (part + 1) * size]

    def step(self) -> None:
        """One step of all pivots; after the last of a cycle, what follows it."""
        order = self._batch()
        batch = self.objective.samples[order]
        moved = self.rows[1:-1]
        losses, slopes = self.pivots.slopes(moved, batch)
        ends = self.pivots.ends(order).to(losses)
        if self.decay:
            slopes = slopes.add(moved, alpha=self.decay)
        known = torch.cat([ends[:1], losses, ends[1:]])
        targets = torch.as_tensor(self.shares) * float(spacings(self.rows).sum())
        slope = forces(self.rows, known, slopes, spring=self.band.spring, targets=targets)
        if not bool(known.isfinite().all() & slope.isfinite().all()):
            self.ended = self.diverged = True
            return
        own = self.band.optimiser.learning_rate
        rate = own if self._present.learning_rate is None else self._present.learning_rate
        rate *= self.band.schedule.factor(
            self.count, self._present.steps, max(1, len(self.objective) // len(order))
        )
        self.rule.update([moved], [slope.contiguous()], self.slots, self.count, rate)
        if math.isinf(self.band.spring):
            self.rows = redistributed(self.rows, self.shares)
        self.clock, self.count = self.clock + 1, self.count + 1
        last = self.history[-1]
        what = f"elastic band, {len(moved)} pivots, maximum {last.maximum:.4g}"
        self.progress(what, self.clock, self.band.steps)
        if self.count == self._present.steps:
            self._end_cycle()

    def _end_cycle(self) -> None:
        if not bool(self.rows.isfinite().all()):
            self.ended = self.diverged = True
            return
        self.cycle += 1
        last = self.cycle == len(self.band.cycles)
        noted = self.measure(insert=not last)
        low = self.band.stop_below
        self.ended = last or (low is not None and noted.maximum < low)
        self._begin()

    def path(self, rows: Tensor) -> Polygon:
        """The chain of rows as an ordinary path."""
        at = knots(rows)
        line = self.pivots.line
        inner = [self.pivots.state(r, float(t)) for r, t in zip(rows[1:-1], at[1:-1], strict=True)]
        return Polygon(line.a, *inner, line.b, knots=at.tolist())

    def profiled(self, rows: Tensor) -> tuple[Polygon, Profile]:
        """The objective at rows and between them."""
        path, each = self.path(rows), self.band.sub_pivots + 1
        inside = np.arange(each) / each
        starts, sizes = path.knots[:-1, None], np.diff(path.knots)[:, None]
        grid = np.append((starts + sizes * inside).ravel(), 1.0)
        # By what can be done, never by time: a resumed run is measured as the first was.
        try:
            return path, profile(path, self.objective, points=grid, strategy="shared")
        except NotTraceable:
            return path, profile(path, self.objective, points=grid, strategy="loop")

    def measure(self, *, insert: bool = False) -> BandCycle:
        """Measure the band, note it, and insert pivots if it is to go on."""
        path, measured = self.profiled(self.rows)
        means, t = measured.curve().mean, measured.t
        dense = np.nan_to_num(means, nan=np.inf)
        top = int(dense.argmax())
        wide = gaps(means, self.band.sub_pivots, self.band)
        noted = BandCycle(
            cycle=self.cycle,
            steps=self.clock,
            pivots=len(self.rows) - 2,
            maximum=float(dense[top]),
            at=float(t[top]),
            ends=float(max(dense[0], dense[-1])),
            stretch=float(spacings(self.rows).sum()) / self.distance if self.distance else math.nan,
            spikes=tuple(_spikes(dense, path.knots, wide)),
        )
        if not self.history or noted.maximum <= self.history[self.best].maximum:
            self.best, self.best_rows = len(self.history), self.rows.clone()
        if insert:
            room = self.band.insert
            if self.band.most_pivots is not None:
                room = min(room, self.band.most_pivots - noted.pivots)
            places = [(k, share) for k, share, _ in wide[: max(room, 0)]]
            shares = self.shares
            self.rows, shares = inserted(self.rows, shares, places)
            even = self.band.spacing == "equal"
            self.shares = np.full(len(shares), 1 / len(shares)) if even else shares
            noted = replace(noted, inserted=len(places))
        self.history.append(noted)
        return noted

    def found(self) -> Nudged:
        """Return what came of it."""
        path, measured = self.profiled(self.best_rows)
        return Nudged(
            path=path,
            profile=measured,
            history=tuple(self.history),
            best=self.best,
            diverged=self.clock if self.diverged else None,
            seconds=self.before + time.perf_counter() - self.begun,
        )

    def snapshot(self) -> dict[str, Tensor]:
        """All that is needed to go on, as tensors."""
        seconds = self.before + time.perf_counter() - self.begun
        clocks = [self.cycle, self.clock, self.count, self.best, self.ended, self.diverged]
        stacked = [[k, int(x)] for k, x in self.pivots.stacked.items()]
        return {
            "rows": self.rows,
            "best": self.best_rows,
            **{f"slots.{slot}": held[0] for slot, held in self.slots.items()},
            "shares": torch.as_tensor(self.shares),
            "history": written(self.history),
            "clocks": torch.tensor(clocks, dtype=torch.int64),
            "stacked": torch.tensor(stacked, dtype=torch.int64).reshape(-1, 2),
            "seconds": torch.tensor([seconds], dtype=torch.float64),
        }

    def restore(self, held: dict[str, Tensor]) -> None:
        """Go on from a snapshot of a band of the same ends, data and settings."""
        cycle, clock, count, best, ended, diverged = held["clocks"].tolist()
        self.rows = held["rows"].to(self.rows).clone()
        self.best_rows = held["best"].to(self.rows).clone()
        self.cycle, self.clock, self.best = cycle, clock, best
        self.ended, self.diverged = bool(ended), bool(diverged)
        self._begin()
        self.count = count
        for slot, kept in self.slots.items():
            kept[0].copy_(held[f"slots.{slot}"])
        self.shares = held["shares"].numpy().copy()
        self.history = read(held["history"])
        self.pivots.stacked = {k: bool(x) for k, x in held["stacked"].tolist()}
        self.before = float(held["seconds"])


def _spikes(
    dense: NDArray[np.float64], at: NDArray[np.float64], wide: Sequence[tuple[int, float, float]]
) -> list[float]:
    """Positions of maxima in the first and the last segment that stand above both of its rows."""
    each, found = (len(dense) - 1) // (len(at) - 1), []
    for k, share, _ in wide:
        inside = dense[k * each + 1 : (k + 1) * each]
        if k in (0, len(at) - 2) and inside.max() > max(dense[k * each], dense[(k + 1) * each]):
            found.append(float(at[k] + share * (at[k + 1] - at[k])))
    return sorted(found)
