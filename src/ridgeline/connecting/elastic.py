"""The nudged elastic band with automatic insertion, as a strategy."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ridgeline.connecting.contract import Connected
from ridgeline.connecting.cycles import BandSettings
from ridgeline.connecting.histories import BandCycle
from ridgeline.connecting.keeping import kept_in
from ridgeline.connecting.looking import Look
from ridgeline.connecting.nudging import Nudged, nudge
from ridgeline.objective import Objective
from ridgeline.profiles import Profile
from ridgeline.progress import Progress
from ridgeline.state import State

__all__ = ["Band", "ElasticBand"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Band(Connected):
    """A path by elastic band, and how it came about.

    Its `path` is a `Polygon` with knots by arc length, of the cycle with the lowest maximum (the
    last of those alike); `looks` are the maxima up to that cycle, on all samples.
    """

    profile: Profile
    """The objective at the path's rows and the positions between them."""
    history: tuple[BandCycle, ...]
    """Begins with the straight line, and goes on to the last cycle."""
    best: int
    """Which entry of the history the path is of."""

    @property
    def maximum(self) -> float:
        """The highest loss on the path, ends included: the saddle that was found."""
        return self.after

    @property
    def removed(self) -> float:
        """Share of the straight line's barrier that the path avoids; NaN if there was none.

        Barriers are maxima above the higher end.
        """
        top = self.history[0].ends
        line = self.before - top
        return 1 - (self.maximum - top) / line if line > 0 else math.nan

    def __str__(self) -> str:
        found = self.history[self.best]
        lines = [
            f"Elastic band of {found.pivots} pivots after {self.history[-1].steps} steps",
            f"  largest loss on it {found.maximum:.4g} at t = {found.at:.2f}, "
            f"on the line {self.before:.4g}; ends up to {found.ends:.4g}",
            f"  {found.stretch:.3g} times as long as the straight line",
        ]
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


@dataclass(frozen=True, kw_only=True)
class ElasticBand(BandSettings):
    """Chain of states that is pulled down across itself, with pivots where it needs them.

    Each pivot descends its loss across the band only, towards the path of least maximum (the
    nudged elastic band of Jonsson et al. 1998 with the tangent of Henkelman & Jonsson 2000). After
    each cycle the loss is measured between the pivots, too, and pivots are inserted where it
    rises above what they say (AutoNEB, Draxler et al. 2018).

    Args: see `BandSettings`.
    """

    def connect(
        self,
        a: State,
        b: State,
        objective: Objective,
        *,
        seed: int = 0,
        progress: Progress | None = None,
        keep: str | None = None,
    ) -> Band:
        """See `Strategy`; snapshots are taken after each cycle, and once a minute."""
        found = nudge(a, b, objective, self, seed=seed, progress=progress, kept=kept_in(keep))
        looked = found.history[: found.best + 1]
        return Band(
            path=found.path,
            by=self,
            looks=tuple(Look(c.steps, c.maximum, c.at, 0, c.ends) for c in looked),
            steps=looked[-1].steps,
            diverged=found.diverged,
            notes=tuple(_notes(found, self)),
            seconds=found.seconds,
            profile=found.profile,
            history=found.history,
            best=found.best,
        )


def _notes(found: Nudged, band: BandSettings) -> Sequence[str]:
    history, best = found.history, found.history[found.best]
    notes = []
    if found.diverged is not None:
        notes.append(
            f"The band diverged at step {found.diverged}: a loss or a pivot was no longer finite. "
            f"The path is that of cycle {best.cycle}. A lower learning rate helps."
        )
    elif history[-1].cycle < len(band.cycles):
        notes.append(
            f"It ended after cycle {best.cycle} of {len(band.cycles)}, below {band.stop_below:g}."
        )
    if history[-1].maximum > best.maximum:
        notes.append(
            f"Cycle {best.cycle} had the lowest maximum, {best.maximum:.4g}; the last had "
            f"{history[-1].maximum:.4g}."
        )
    for t in best.spikes:
        notes.append(
            f"The loss has a spike at t = {t:.3g}, between an end and the pivot next to it and "
            "above both: the minimum is narrower than the band is fine there. More cycles, or more "
            "pivots in the first, resolve it."
        )
    return notes
