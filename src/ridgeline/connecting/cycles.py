"""Settings of an elastic band: cycles of steps, and where pivots are inserted between them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ridgeline.connecting.pivots import Evaluation
from ridgeline.errors import UnknownName, UsageError
from ridgeline.training import SGD, Constant, Library, Optimiser, Schedule

__all__ = ["DRAXLER", "THRESHOLDS", "BandSettings", "Cycle", "draxler", "gaps"]

THRESHOLDS = {"code": 0.1, "paper": 0.2}
"""Share of the pivots' range of losses by which the loss on a segment must exceed the straight
estimate for a pivot to be inserted there: 0.1 in the released AutoNEB, 0.2 in its paper."""


@dataclass(frozen=True, kw_only=True)
class Cycle:
    """Some steps with one number of pivots, after which some are inserted.

    Args:
        steps: How many.
        learning_rate: Of the optimiser in this cycle; its own by default.
    """

    steps: int
    learning_rate: float | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UsageError("A cycle has at least one step.", got=str(self.steps))
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise UsageError(
                "The learning rate of a cycle is positive.", got=str(self.learning_rate)
            )


def draxler(share: float = 1.0) -> tuple[Cycle, ...]:
    """The 14 cycles of Draxler et al. (2018), or the same with fewer steps.

    Four cycles of 1000 steps and two of 2000 at a rate of 0.1, four of 1000 at 0.01 and four of
    1000 at 0.001.

    Args:
        share: Of each cycle's steps, rounded up.

    Raises:
        UsageError: If the share is not positive.
    """
    if not 0 < share < math.inf:
        raise UsageError("A share of steps is positive.", got=str(share))
    plan = [(0.1, 1000)] * 4 + [(0.1, 2000)] * 2 + [(0.01, 1000)] * 4 + [(0.001, 1000)] * 4
    return tuple(Cycle(steps=math.ceil(n * share), learning_rate=rate) for rate, n in plan)


DRAXLER = draxler()
RULE = SGD(learning_rate=0.1, momentum=0.9, weight_decay=1e-4)
STEADY = Constant()


@dataclass(frozen=True, kw_only=True)
class BandSettings:
    """Settings of `ElasticBand`.

    Args:
        cycles: Steps and rates.
        pivots: Of the first cycle, evenly spaced on the straight line.
        sub_pivots: Positions inside each segment at which the loss is measured after a cycle.
        insert: Pivots inserted after a cycle at most, in as many segments.
        threshold: Excess of the loss over the straight estimate between two pivots above which one
            is inserted: a number, or a name in `THRESHOLDS`.
        of: Unit of the threshold: the ``"range"`` of the pivots' losses, or the ``"loss"`` itself.
        most_pivots: No more are inserted than make up this number.
        stop_below: End after a cycle whose maximum is below this.
        spring: Constant of the springs between pivots. Infinite, the default, moves pivots along
            the band to their spacing after each step (the string method).
        spacing: Distances that are kept: ``"targets"``, which an inserted pivot cuts in two, so
            that pivots stay dense where they were needed; or ``"equal"``.
        optimiser: Moves all pivots at once, with slots that begin anew in each cycle. Its weight
            decay is part of the loss at a pivot, where it is not decoupled.
        schedule: Of the rate within each cycle.
        batch_size: Of a step; all pivots see the same samples.
        evaluation: Way to evaluate pivots, ``"loop"`` or ``"stacked"``; timed at the first step of
            each number of pivots by default.

    Raises:
        UsageError: If a number is outside what it can be.
        UnknownName: If a choice is.
    """

    cycles: tuple[Cycle, ...] = DRAXLER
    pivots: int = 3
    sub_pivots: int = 9
    insert: int = 2
    threshold: float | Literal["code", "paper"] = "code"
    of: Literal["range", "loss"] = "range"
    most_pivots: int | None = None
    stop_below: float | None = None
    spring: float = math.inf
    spacing: Literal["targets", "equal"] = "targets"
    optimiser: Optimiser = RULE
    schedule: Schedule = STEADY
    batch_size: int = 512
    evaluation: Evaluation = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "cycles", tuple(self.cycles))
        if not self.cycles:
            raise UsageError("A band has at least one cycle.", got="none")
        for name, known in (
            ("of", ("range", "loss")),
            ("spacing", ("targets", "equal")),
            ("evaluation", ("auto", "loop", "stacked")),
        ):
            if getattr(self, name) not in known:
                raise UnknownName(name, str(getattr(self, name)), known)
        for name, least in (("pivots", 1), ("sub_pivots", 1), ("insert", 0), ("batch_size", 1)):
            if getattr(self, name) < least:
                raise UsageError(f"`{name}` is at least {least}.", got=str(getattr(self, name)))
        if self.most_pivots is not None and self.most_pivots < self.pivots:
            raise UsageError(
                "`most_pivots` is at least the number that a band begins with.",
                got=f"{self.most_pivots} and pivots={self.pivots}",
            )
        if isinstance(self.threshold, str):
            if self.threshold not in THRESHOLDS:
                raise UnknownName("threshold", self.threshold, THRESHOLDS)
            if self.of != "range":
                raise UsageError(
                    "A threshold that goes by a name is a share of the range.",
                    got=f"threshold={self.threshold!r}, of={self.of!r}",
                )
        elif not 0 <= self.threshold < math.inf:
            raise UsageError("`threshold` is finite and not negative.", got=str(self.threshold))
        if not self.spring >= 0:
            raise UsageError("`spring` is not negative.", got=str(self.spring))
        if isinstance(self.optimiser, Library):
            raise UsageError(
                "Pivots are moved by an optimiser of Ridgeline's own.",
                got=f"{self.optimiser.name}",
                remedy="Choose SGD, Adam, AdamW, RMSProp or Grafted of `ridgeline.training`.",
            )

    @property
    def steps(self) -> int:
        """Steps of all cycles."""
        return sum(cycle.steps for cycle in self.cycles)

    @property
    def bound(self) -> float:
        """The threshold as a number."""
        return THRESHOLDS[self.threshold] if isinstance(self.threshold, str) else self.threshold


def gaps(
    losses: Sequence[float] | NDArray[np.float64], sub_pivots: int, band: BandSettings
) -> list[tuple[int, float, float]]:
    """Segments on which the loss exceeds the straight estimate by more than the threshold.

    Args:
        losses: At the N rows and between them, shape (N + (N - 1) sub_pivots,).
        sub_pivots: Positions inside each segment.
        band: Gives the threshold and its unit.

    Returns:
        Segment, share of it at which the excess is largest, and the excess in the threshold's
        unit; the largest first.
    """
    dense = np.nan_to_num(np.asarray(losses, dtype=np.float64), nan=np.inf)
    each = sub_pivots + 1
    ends = dense[::each]
    share = np.arange(1, each) / each
    inside = dense[:-1].reshape(-1, each)[:, 1:]
    with np.errstate(invalid="ignore"):
        excess = inside - (ends[:-1, None] * (1 - share) + ends[1:, None] * share)
        unit = 1.0 if band.of == "loss" else max(float(np.ptp(ends)), 1e-12)
        excess = np.nan_to_num(excess / unit, nan=0.0, posinf=np.inf)
    at, most = excess.argmax(1), excess.max(1)
    order = np.argsort(-most, kind="stable")
    return [(int(k), float(share[at[k]]), float(most[k])) for k in order if most[k] > band.bound]
