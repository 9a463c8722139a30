"""The run of an elastic band: cycles of steps, measurements between them, inserted pivots."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ridgeline.connecting.bands import forces, inserted, knots, redistributed, spacings
from ridgeline.connecting.elastic import Cycle, ElasticBand, gaps
from ridgeline.connecting.pivots import Pivots
from ridgeline.errors import NotTraceable, UsageError
from ridgeline.objective import Objective
from ridgeline.paths import Polygon
from ridgeline.profiles import Profile, profile
from ridgeline.progress import Progress, silent
from ridgeline.rng import stream, untouched
from ridgeline.state import State
from ridgeline.training import AdamW, Snapshot

__all__ = ["Band", "BandCycle", "nudge"]

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class BandCycle:
    """State of a band after a cycle."""

    cycle: int
    """From 1; 0 is the straight line."""
    steps: int
    """Taken in all until then."""
    pivots: int
    """That moved, without the ends."""
    maximum: float
    """Of the loss at the rows and the positions between them."""
    at: float
    """Position of the maximum by arc length."""
    length: float
    """Of the band, over the straight distance of its ends."""
    inserted: int = 0
    """Pivots put in after it."""
    spikes: tuple[float, ...] = ()
    """Positions of maxima inside the first or the last segment, above both of its rows by more than
    the threshold."""


@dataclass(frozen=True, eq=False)
class Band:
    """A path by elastic band, and how it came about."""

    path: Polygon
    """Of the cycle with the lowest maximum, the last of those alike; knots by arc length, and the
    ends as given."""
    profile: Profile
    """The objective at the path's rows and the positions between them."""
    history: tuple[BandCycle, ...]
    """Begins with the straight line."""
    outcome: Literal["done", "stopped", "diverged"]
    """``"stopped"`` below `ElasticBand.stop_below`; ``"diverged"`` where a loss or a pivot ceased
    to be finite, the path being that of the best cycle before."""
    best: int
    """Which entry of the history `path` is of."""
    notes: tuple[str, ...] = ()
    """Remarks to be read with the numbers, in sentences."""
    seconds: float = field(default=math.nan, repr=False)

    @property
    def maximum(self) -> float:
        """The highest loss on the path, ends included: the saddle that was found."""
        return self.history[self.best].maximum

    @property
    def removed(self) -> float:
        """Share of the straight line's barrier that the path avoids; NaN if there was none.

        Barriers are maxima above the higher end.
        """
        means = self.profile.curve().mean
        top = max(float(means[0]), float(means[-1]))
        line = self.history[0].maximum - top
        return 1 - (self.maximum - top) / line if line > 0 else math.nan

    def __str__(self) -> str:
        line, found = self.history[0], self.history[self.best]
        lines = [
            f"Elastic band of {found.pivots} pivots: maximum {found.maximum:.4g} at "
            f"t = {found.at:.3g}, {line.maximum:.4g} on the line",
            f"  length {found.length:.3g} of the straight distance, "
            f"{self.history[-1].steps} steps, {self.outcome}",
        ]
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


def nudge(
    a: State,
    b: State,
    objective: Objective,
    band: ElasticBand | None = None,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    resume: Snapshot | None = None,
    snapshot: Callable[[Snapshot], None] | None = None,
    snapshot_seconds: float = 60.0,
) -> Band:
    """Relax an elastic band between two states.

    Args:
        a: One end, which stays as it is, bit for bit.
        b: The other.
        objective: Whose loss is minimised over its own samples.
        band: Settings.
        seed: Names the order of samples.
        progress: Told of steps, with the last maximum and the number of pivots.
        resume: Go on from here, to the same bytes as without a break.
        snapshot: Given all that is needed to go on, now and then and at the end.
        snapshot_seconds: Time between snapshots.

    Returns:
        The band with the lowest maximum of all cycles.

    Raises:
        StateMismatch: If the states are not the model's.
        NonFinite: If one holds NaN or infinity.
        UsageError: If there is nothing to train, no derivative, or the snapshot is of another band.
        ForwardFailed: If the model or its loss raises.
    """
    with torch.no_grad(), untouched():
        run = _Run(a, b, objective, band or ElasticBand(), seed, progress or silent)
        if resume is not None:
            run.restore(resume)
        else:
            run.measure()
        taken = time.perf_counter()
        while not run.outcome:
            run.step()
            if snapshot is not None and time.perf_counter() - taken >= snapshot_seconds:
                snapshot(run.snapshot())
                taken = time.perf_counter()
        if snapshot is not None:
            snapshot(run.snapshot())
        return run.found()


class _Run:
    """A band at a moment of its clock."""

    def __init__(
        self,
        a: State,
        b: State,
        objective: Objective,
        band: ElasticBand,
        seed: int,
        progress: Progress,
    ) -> None:
        self.objective, self.band, self.seed, self.progress = objective, band, seed, progress
        self.pivots = Pivots(objective, a, b, band.evaluation)
        line = self.pivots.line
        ends = torch.stack([self.pivots.row(line.a), self.pivots.row(line.b)])
        self.distance = float(spacings(ends)[0])
        share = torch.linspace(0, 1, band.pivots + 2, device=ends.device, dtype=torch.float64)
        self.rows = torch.lerp(ends[:1], ends[1:], share[:, None].to(ends))
        self.rows[0], self.rows[-1] = ends[0], ends[1]
        self.shares = np.full(band.pivots + 1, 1 / (band.pivots + 1))
        self.cycle = self.clock = self.count = 0
        """Cycle that goes on; steps taken in all, and in it."""
        self.history: list[BandCycle] = []
        self.best, self.best_rows = 0, self.rows.clone()
        self.outcome: str = ""
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
            self._end("diverged")
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
            self._end("diverged")
            return
        self.cycle += 1
        last = self.cycle == len(self.band.cycles)
        noted = self.measure(insert=not last)
        if self.band.stop_below is not None and noted.maximum < self.band.stop_below:
            self._end("stopped")
        elif last:
            self._end("done")
        else:
            self._begin()

    def _end(self, outcome: str) -> None:
        self.outcome = outcome

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
            length=float(spacings(self.rows).sum()) / self.distance if self.distance else math.nan,
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

    def found(self) -> Band:
        """Return what came of it."""
        path, measured = self.profiled(self.best_rows)
        return Band(
            path=path,
            profile=measured,
            history=tuple(self.history),
            outcome=self.outcome,  # type: ignore[arg-type]  # one of the three
            best=self.best,
            notes=tuple(_notes(self.history, self.best, self.outcome)),
            seconds=self.before + time.perf_counter() - self.begun,
        )

    def snapshot(self) -> Snapshot:
        """All that is needed to go on."""
        tensors = {"rows": self.rows, "best": self.best_rows}
        tensors |= {f"slots/{slot}": held[0] for slot, held in self.slots.items()}
        facts: dict[str, Any] = {
            "format": FORMAT,
            "kind": "elastic band",
            "cycle": self.cycle,
            "clock": self.clock,
            "count": self.count,
            "shares": self.shares.tolist(),
            "history": [asdict(noted) for noted in self.history],
            "best": self.best,
            "outcome": self.outcome,
            "stacked": {str(k): x for k, x in self.pivots.stacked.items()},
            "seconds": self.before + time.perf_counter() - self.begun,
        }
        return Snapshot({n: x.detach().cpu().clone() for n, x in tensors.items()}, facts)

    def restore(self, held: Snapshot) -> None:
        """Go on from a snapshot of a band of the same ends, data and settings.

        Raises:
            UsageError: If it is of another.
        """
        facts, tensors = held.facts, held.tensors
        ends = tensors.get("rows", self.rows[:0])[[0, -1]] if "rows" in tensors else None
        if (
            facts.get("format") != FORMAT
            or facts.get("kind") != "elastic band"
            or ends is None
            or not torch.equal(ends, self.rows[[0, -1]].cpu())
        ):
            raise UsageError(
                "A band goes on from a snapshot of its own, between the same ends.",
                got=f"a snapshot of {facts.get('kind', 'something else')}",
                remedy="Discard the snapshot to start anew.",
            )
        self.rows = tensors["rows"].to(self.rows).clone()
        self.best_rows = tensors["best"].to(self.rows).clone()
        self.cycle, self.clock = int(facts["cycle"]), int(facts["clock"])
        self._begin()
        self.count = int(facts["count"])
        for slot, kept in self.slots.items():
            kept[0].copy_(tensors[f"slots/{slot}"])
        self.shares = np.asarray(facts["shares"], dtype=np.float64)
        noted = [dict(entry) for entry in facts["history"]]
        self.history = [BandCycle(**{**x, "spikes": tuple(x["spikes"])}) for x in noted]
        self.best, self.outcome = int(facts["best"]), str(facts["outcome"])
        self.pivots.stacked = {int(k): bool(x) for k, x in facts["stacked"].items()}
        self.before = float(facts["seconds"])


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


def _notes(history: Sequence[BandCycle], best: int, outcome: str) -> list[str]:
    found, notes = history[best], []
    if outcome == "diverged":
        notes.append(
            f"The band diverged in cycle {history[-1].cycle + 1}: a loss or a pivot was no longer "
            f"finite. The path is that of cycle {found.cycle}. A lower learning rate helps."
        )
    elif best < len(history) - 1:
        notes.append(
            f"Cycle {found.cycle} had the lowest maximum, {found.maximum:.4g}; the last had "
            f"{history[-1].maximum:.4g}."
        )
    for t in found.spikes:
        notes.append(
            f"The loss has a spike at t = {t:.3g}, between an end and the pivot next to it and "
            "above both: the minimum is narrower than the band is fine there. More cycles, or more "
            "pivots in the first, resolve it."
        )
    return notes
