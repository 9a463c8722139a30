"""Pairs of independent runs, and what is said of the lines between them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ridgeline.errors import UsageError
from ridgeline.frame import Frame
from ridgeline.measures import BarrierKind
from ridgeline.profiles import Profile
from ridgeline.state import State
from ridgeline.study.subjects import Subject

__all__ = [
    "Pair",
    "apart",
    "cells",
    "height",
    "hidden",
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


def height(profile: Profile, split: str = "train", kind: BarrierKind = "chord") -> float:
    """The loss barrier, in nats."""
    return profile.barrier(kind, split=split).height


def points_of(profile: Profile, split: str = "test", kind: BarrierKind = "chord") -> float:
    """The accuracy barrier, in percentage points."""
    return POINTS_OF_ACCURACY * profile.barrier(kind, metric="error", split=split).height


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
