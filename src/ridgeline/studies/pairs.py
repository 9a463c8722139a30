"""Pairs of independent runs, and what is said of the lines between them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ridgeline.errors import UsageError
from ridgeline.measures import BarrierKind
from ridgeline.profiles import Profile
from ridgeline.state import State
from ridgeline.study.charts import Panel, Series, band
from ridgeline.study.subjects import Subject

__all__ = ["Pair", "against", "apart", "cells", "height", "hidden", "points_of", "width"]

POINTS_OF_ACCURACY = 100.0


@dataclass(frozen=True, eq=False)
class Pair:
    """Two runs of one network, at their ends or at one step of their training."""

    a: Subject
    b: Subject
    step: int | None = None
    """Number of steps after which both states were kept; None for the end."""

    @property
    def group(self) -> str:
        """The pair's seeds: the same pair at another width is not independent of it."""
        return f"{self.a.seed}-{self.b.seed}"

    @property
    def states(self) -> tuple[State, State]:
        """Of both."""
        if self.step is None:
            return self.a.final, self.b.final
        return self.a.state(self.step), self.b.state(self.step)


def apart(runs: Iterable[Subject]) -> list[Pair]:
    """Each run in one pair alone, so that pairs are independent.

    Seeds 0 and 1, 2 and 3, and so on; a pair of which one diverged is left out whole, so that
    pairs are the same at every width.

    Raises:
        UsageError: If no pair is whole.
    """
    found: dict[int, dict[int, Subject]] = {}
    for run in runs:
        found.setdefault(run.seed // 2, {})[run.seed % 2] = run
    whole = [two for _, two in sorted(found.items()) if len(two) == 2]
    pairs = [Pair(two[0], two[1]) for two in whole if not any(r.diverged for r in two.values())]
    if not pairs:
        raise UsageError(
            "Runs are paired by their seeds: 0 and 1, 2 and 3, and so on.",
            got=f"{sum(map(len, found.values()))} runs, {len(whole)} pairs, all of which diverged"
            if whole
            else f"seeds {sorted(r.seed for two in found.values() for r in two.values())}",
            remedy="Give the population two seeds at least, from an even one on.",
        )
    return pairs


# --- what is said of them --------------------------------------------------------------------


def height(profile: Profile, split: str = "train", kind: BarrierKind = "chord") -> float:
    """The loss barrier, in nats."""
    return profile.barrier(kind, split=split).height


def points_of(profile: Profile, split: str = "test", kind: BarrierKind = "chord") -> float:
    """The accuracy barrier, in percentage points."""
    return POINTS_OF_ACCURACY * profile.barrier(kind, metric="error", split=split).height


def against(
    x: str,
    y: str,
    found: Mapping[str, Mapping[float, Sequence[float]]],
    *,
    log_x: bool = False,
    title: str = "",
) -> Panel:
    """Lines of numbers against a setting: the mean over pairs, a band of one sd.

    Args:
        x: What is on the axis.
        y: What the numbers are, with their unit.
        found: Line to setting to one number a pair.
        log_x: Whether the axis is logarithmic.
        title: Of the panel.
    """
    series: list[Series] = []
    for label, cells in found.items():
        kept = {at: list(values) for at, values in sorted(cells.items())}
        pairs = min(map(len, kept.values()))
        curves = np.array([values[:pairs] for values in kept.values()]).T
        series.append(band(label, list(kept), curves))
    return Panel(x=x, y=y, series=series, log_x=log_x, title=title)


def cells(runs: Iterable[Subject], of: Callable[[Subject], float]) -> dict[float, list[Pair]]:
    """Pairs by a number of their runs, from small to large."""
    found: dict[float, list[Subject]] = {}
    for run in runs:
        found.setdefault(of(run), []).append(run)
    return {value: apart(found[value]) for value in sorted(found)}


def width(run: Subject) -> float:
    """Units of a run's first hidden layer."""
    return float(run.at("net.widths")[1])


def hidden(run: Subject) -> float:
    """Hidden layers of a run."""
    return float(len(run.at("net.widths")) - 2)
