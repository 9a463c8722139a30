"""Pairs of independent runs, and what is said of the lines between them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ridgeline.charts import Panel, Series, band
from ridgeline.errors import UsageError
from ridgeline.frame import Frame
from ridgeline.measures import BarrierKind
from ridgeline.profiles import Profile
from ridgeline.state import State
from ridgeline.study.subjects import Subject

__all__ = [
    "Pair",
    "against",
    "apart",
    "by_seeds",
    "cells",
    "height",
    "hidden",
    "judged",
    "learned",
    "of_learned",
    "points_of",
    "rows",
    "width",
]

POINTS_OF_ACCURACY = 100.0
LEARNED = 0.9
"""Share of the loss of guessing above which a run has learned nothing: ours."""


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
        """States of both at the end, or after a step."""
        if self.step is None:
            return self.a.final, self.b.final
        return self.a.state(self.step), self.b.state(self.step)

    @cached_property
    def learned(self) -> bool:
        """See `learned`."""
        return learned(self.a, self.b)


def apart(runs: Iterable[Subject]) -> list[Pair]:
    """Each run in one pair alone, so that pairs are independent.

    Seeds 0 and 1, 2 and 3, and so on. A pair of which one diverged is left out whole: at another
    width it may be there, and is told by its `Pair.group`.

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


def learned(*runs: Subject) -> bool:
    """True if at their ends all runs know more than how frequent the classes of their data are."""
    return all(run.loss < LEARNED * _guessing(run) for run in runs)


def _guessing(run: Subject) -> float:
    """The least loss of one answer to all: the entropy of the classes in its data, in nats."""
    shares = torch.bincount(run.train.targets).double() / len(run.train)
    return float(torch.special.entr(shares).sum())


# --- what is said of them --------------------------------------------------------------------


def judged(pairs: Sequence[Pair], values: Iterable[float]) -> list[float]:
    """Numbers that a claim is asked about: NaN, which decides nothing, where a run learned nothing.

    Between such runs there is no barrier, however they are matched.

    Args:
        pairs: Any number.
        values: One for each.
    """
    return [v if pair.learned else np.nan for pair, v in zip(pairs, values, strict=True)]


def by_seeds(
    pairs: Mapping[float, Sequence[Pair]], values: Mapping[float, Iterable[float]]
) -> dict[float, dict[str, float]]:
    """Numbers of pairs at each setting, by the seeds of the pair."""
    return {
        at: {pair.group: v for pair, v in zip(pairs[at], found, strict=True)}
        for at, found in values.items()
    }


def height(profile: Profile, split: str = "train", kind: BarrierKind = "chord") -> float:
    """The loss barrier, in nats."""
    return profile.barrier(kind, split=split).height


def points_of(profile: Profile, split: str = "test", kind: BarrierKind = "chord") -> float:
    """The accuracy barrier, in percentage points."""
    return POINTS_OF_ACCURACY * profile.barrier(kind, metric="error", split=split).height


def against(
    x: str,
    y: str,
    found: Mapping[str, Mapping[float, Mapping[str, float]]],
    *,
    log_x: bool = False,
    title: str = "",
) -> Panel:
    """Lines of numbers against a setting: the mean over pairs, a band of one sd.

    Of the pairs of seeds that are there at every setting of a line: others would move it.

    Args:
        x: What is on the axis.
        y: What the numbers are, with their unit.
        found: Line to setting to seeds of a pair to its number; see `by_seeds`.
        log_x: Whether the axis is logarithmic.
        title: Of the panel.
    """
    series: list[Series] = []
    for label, cells in found.items():
        at = sorted(cells)
        everywhere = [seeds for seeds in cells[at[0]] if all(seeds in cells[x] for x in at)]
        if everywhere:
            curves = [[cells[x][seeds] for x in at] for seeds in everywhere]
            series.append(band(label, at, curves))
    return Panel(x=x, y=y, series=series, log_x=log_x, title=title)


def cells(runs: Iterable[Subject], of: Callable[[Subject], float]) -> dict[float, list[Pair]]:
    """Pairs by a number of their runs, from small to large."""
    found: dict[float, list[Subject]] = {}
    for run in runs:
        found.setdefault(of(run), []).append(run)
    return {value: apart(found[value]) for value in sorted(found)}


def rows(found: Mapping[float, Sequence[Pair]]) -> Frame:
    """Pairs as rows: ``at``, the setting, ``pair``, its seeds ``group``, and ``learned``.

    Args:
        found: As `cells` gives them.
    """
    return Frame.of(
        (
            {"at": value, "pair": pair, "group": pair.group, "learned": pair.learned}
            for value, pairs in found.items()
            for pair in pairs
        ),
        cluster="group",
    )


def of_learned(column: str) -> Callable[[dict[str, Any]], float]:
    """A column for claims: NaN, which decides nothing, where a run learned nothing.

    Between such runs there is no barrier, however they are matched.

    Args:
        column: Of numbers.
    """

    def judged(row: dict[str, Any]) -> float:
        return row[column] if row["learned"] else np.nan

    return judged


def width(run: Subject) -> float:
    """Units of a run's first hidden layer."""
    return float(run.at("net.widths")[1])


def hidden(run: Subject) -> float:
    """Hidden layers of a run."""
    return float(len(run.at("net.widths")) - 2)
