"""Demands of claims on measured numbers, and their verdicts.

A number is one case. Cases that are not independent, such as runs of one seed at several rates,
come in named groups, and then the interval is one over groups.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Literal, Protocol

import numpy as np

from ridgeline.errors import UsageError
from ridgeline.frame import intervals

__all__ = [
    "Correlation",
    "Difference",
    "Every",
    "Mean",
    "Measured",
    "Outcome",
    "Share",
    "Test",
    "Within",
]

Outcome = Literal["holds", "fails", "undecided"]
NEEDED = 5
"""Cases below which nothing is decided."""


@dataclass(frozen=True)
class Measured:
    """Outcome of a test."""

    outcome: Outcome
    estimate: float
    low: float
    high: float
    n: int
    why: str = ""
    """Why it is undecided, if the interval alone does not say."""


class Test(Protocol):
    """Decides on measured numbers."""

    @property
    def words(self) -> str:
        """The demand in words: quantity, direction and threshold."""
        ...

    def decide(self, cases: Any) -> Measured:
        """The verdict on the cases."""
        ...


def _judge(estimate: float, span: tuple[float, float], side: str, at: float) -> Outcome:
    low, high = span
    if not np.isfinite([estimate, low, high]).all():
        return "undecided"
    if side == "above":
        return "holds" if low > at else "fails" if high <= at else "undecided"
    return "holds" if high < at else "fails" if low >= at else "undecided"


def _finite(cases: Any) -> np.ndarray:
    values = np.asarray(list(cases), dtype=np.float64)
    if values.ndim != 1:
        raise UsageError("A test is asked about one number a case.", got=f"shape {values.shape}")
    return values


def _outcomes(cases: Any) -> np.ndarray:
    """True and false as 1 and 0; NaN where there was none."""
    values = _finite(cases)
    if not np.isin(values[~np.isnan(values)], (0.0, 1.0)).all():
        raise UsageError("A share is of outcomes that are true or false.", got=f"{values}")
    return values


def _groups(cases: Mapping[str, Sequence[Any]], **sizes: int) -> list[np.ndarray] | None:
    """The number of the group that each case is of, if groups are told: a list for each name."""
    told = {name: list(cases[name]) for name in sizes if name in cases}
    if not told:
        return None
    if wrong := {
        name: len(told.get(name, ())) for name in sizes if len(told.get(name, ())) != sizes[name]
    }:
        raise UsageError(
            "Every case is of one group, on every side.",
            got=f"{wrong} groups for {sizes} cases",
        )
    codes = {group: i for i, group in enumerate(dict.fromkeys(chain(*told.values())))}
    return [np.array([codes[group] for group in told[name]]) for name in sizes]


def _enough(n: int, needs: int, values: np.ndarray, what: str = "n") -> Measured | None:
    if n >= needs and np.isfinite(values).all():
        return None
    good = values[np.isfinite(values)]
    middle = float(good.mean()) if len(good) else float("nan")
    why = (
        f"{what} = {n}, at least {needs} wanted"
        if n < needs
        else f"{n - len(good)} of {n} cases are not finite"
    )
    return Measured("undecided", middle, float("nan"), float("nan"), n, why)


@dataclass(frozen=True)
class Mean:
    """The mean of one number a run is above, or below, a threshold; by bootstrap over runs."""

    of: str
    """What the number is, with its unit."""
    side: Literal["above", "below"]
    at: float
    needs: int = NEEDED
    resolution: float = 0.0
    """Steps in which the number is known, as those of a grid: the interval is widened by half of
    one on each side, so that runs that agree do not pretend to certainty."""

    @property
    def words(self) -> str:
        """The demand in words."""
        return f"mean {self.of} {self.side} {self.at:g}"

    def decide(self, cases: Sequence[float]) -> Measured:
        """The verdict.

        Args:
            cases: One number a run.
        """
        values = _finite(cases)
        if few := _enough(len(values), self.needs, values):
            return few
        low, high = intervals.mean(values)
        span = (low - self.resolution / 2, high + self.resolution / 2)
        middle = float(values.mean())
        return Measured(_judge(middle, span, self.side, self.at), middle, *span, len(values))


@dataclass(frozen=True)
class Share:
    """The share of cases in which something is so; exact binomial interval.

    Of cases that come in groups, such as runs of one seed, an effective number is taken (Korn &
    Graubard 1998).
    """

    of: str
    """What is so in a case."""
    side: Literal["above", "below"]
    at: float
    needs: int = NEEDED
    """Cases; more, if fewer could not decide even if all agreed. Of groups `NEEDED`."""

    @property
    def words(self) -> str:
        """The demand in words."""
        return f"share of {self.of} {self.side} {self.at:g}"

    def decide(self, cases: Sequence[bool] | Mapping[str, Sequence[Any]]) -> Measured:
        """The verdict.

        Args:
            cases: Whether it is so, one a case; or ``{"is": ..., "group": ...}`` if the cases of
                a group are not independent.
        """
        told = cases if isinstance(cases, Mapping) else {"is": cases}
        values = _outcomes(told["is"])
        groups = _groups(told, group=len(values))
        if few := _enough(
            len(values), max(self.needs, intervals.decides(self.side, self.at)), values
        ):
            return few
        count = len(values) if groups is None else len(np.unique(groups[0]))
        if few := _enough(count, NEEDED, values, "groups"):
            return few
        middle = float(values.mean())
        n = len(values) if groups is None else intervals.effective(values, groups[0])
        span = intervals.share(middle * n, n)
        return Measured(_judge(middle, span, self.side, self.at), middle, *span, count)


@dataclass(frozen=True)
class Every:
    """Something is so in every case: for what is proved, where one exception refutes.

    The interval is the exact binomial one of the share.
    """

    of: str
    needs: int = NEEDED

    @property
    def words(self) -> str:
        """The demand in words."""
        return f"{self.of}, in every case"

    def decide(self, cases: Sequence[bool]) -> Measured:
        """The verdict.

        Args:
            cases: Whether it is so, one a case.
        """
        values = _outcomes(cases)
        n, hits = len(values), int(np.nansum(values))
        span = intervals.share(hits, n) if n else (float("nan"), float("nan"))
        share = hits / n if n else float("nan")
        if (lost := int(np.isnan(values).sum())) and not (values == 0).any():
            return Measured("undecided", share, *span, n, f"{lost} of {n} cases are not finite")
        if hits < n:
            return Measured("fails", share, *span, n, f"{n - hits} exceptions")
        if n < self.needs:
            return Measured("undecided", share, *span, n, f"n = {n}, at least {self.needs} wanted")
        return Measured("holds", share, *span, n)


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation of two numbers a run is above, or below, a threshold.

    By bootstrap over runs, or over groups of runs that are not independent of each other, such as
    those of one seed at several depths. Only order counts: an infinite number, such as the rise
    of a loss that overflows on the line, is the largest; one that is missing decides nothing.
    """

    of: str
    """Which two numbers."""
    side: Literal["above", "below"] = "above"
    at: float = 0.0
    needs: int = 8
    """Runs; of groups `NEEDED`."""

    @property
    def words(self) -> str:
        """The demand in words."""
        return f"rank correlation of {self.of} {self.side} {self.at:g}"

    def decide(self, cases: Mapping[str, Sequence[float]]) -> Measured:
        """The verdict.

        Args:
            cases: ``{"x": ..., "y": ...}``, one number a run in each, ``"group"`` if runs are
                not independent, and ``"why"`` if these cases cannot decide anything.
        """
        x, y = _finite(cases["x"]), _finite(cases["y"])
        if len(x) != len(y):
            raise UsageError("A correlation has as many x as y.", got=f"{len(x)} and {len(y)}")
        told = _groups(cases, group=len(x))
        groups = None if told is None else told[0]
        n = len(x) if groups is None else len(np.unique(groups))
        needs = self.needs if groups is None else NEEDED
        nothing = float("nan")
        if why := cases.get("why"):
            return Measured("undecided", nothing, nothing, nothing, n, str(why))
        if lost := int((np.isnan(x) | np.isnan(y)).sum()):
            why = f"{lost} of {len(x)} cases are no numbers"
            return Measured("undecided", nothing, nothing, nothing, n, why)
        if n < needs:
            why = f"n = {n}, at least {needs} wanted"
            return Measured("undecided", nothing, nothing, nothing, n, why)
        if constant := [name for name, of in (("x", x), ("y", y)) if len(np.unique(of)) < 2]:
            why = f"{' and '.join(constant)} does not vary over {len(x)} cases"
            return Measured("undecided", nothing, nothing, nothing, n, why)
        middle, span = intervals.spearman(x, y, groups)
        return Measured(_judge(middle, span, self.side, self.at), middle, *span, n)


@dataclass(frozen=True)
class Difference:
    """The mean over some runs less that over others is above, or below, a threshold.

    By bootstrap over the runs of each side, whole groups of them where they are told; for
    outcomes that are true or false by Newcombe's interval, which does not collapse where all
    runs of a side agree.
    """

    of: str
    """Which mean, and of which sides."""
    side: Literal["above", "below"] = "above"
    at: float = 0.0
    needs: int = NEEDED
    """Runs, or groups of them, on each side."""

    @property
    def words(self) -> str:
        """The demand in words."""
        return f"difference of {self.of} {self.side} {self.at:g}"

    def decide(self, cases: Mapping[str, Sequence[float]]) -> Measured:
        """The verdict.

        Args:
            cases: ``{"more": ..., "less": ...}``, one number a run in each; and ``"more_group"``
                and ``"less_group"`` if runs come in groups, such as seeds. A group that is on
                both sides makes a pair. ``"why"`` if these cases cannot decide anything.
        """
        more, less = _finite(cases["more"]), _finite(cases["less"])
        groups = _groups(cases, more_group=len(more), less_group=len(less))
        counts = [len(more), len(less)] if groups is None else [len(np.unique(g)) for g in groups]
        n = sum(counts) if groups is None else len(np.unique(np.concatenate(groups)))
        few = _enough(min(counts), self.needs, np.concatenate([more, less]))
        if why := cases.get("why") or (few and few.why):
            nothing = float("nan")
            return Measured("undecided", nothing, nothing, nothing, n, str(why))
        shares = all(isinstance(x, bool | np.bool_) for g in ("more", "less") for x in cases[g])
        middle, span = intervals.difference(more, less, shares=shares, groups=groups)
        return Measured(_judge(middle, span, self.side, self.at), middle, *span, n)


@dataclass(frozen=True)
class Within:
    """An equivalence: a number is nearer to zero than a margin, on either side.

    Two one-sided tests as one: it holds if the whole interval of the number lies within the
    margin, and fails if it lies beyond it, on one side.
    """

    test: Test
    """Of the same number, for its interval."""
    margin: float

    @property
    def words(self) -> str:
        """The demand in words."""
        quantity, found, _ = self.test.words.rpartition(" below ")
        return f"{quantity if found else self.test.words} within {self.margin:g} of zero"

    def decide(self, cases: Any) -> Measured:
        """The verdict.

        Args:
            cases: What the test takes.
        """
        found = self.test.decide(cases)
        if not np.isfinite([found.estimate, found.low, found.high]).all():
            return replace(found, outcome="undecided")
        inside = -self.margin < found.low and found.high < self.margin
        beyond = found.low >= self.margin or found.high <= -self.margin
        outcome: Outcome = "holds" if inside else "fails" if beyond else "undecided"
        return replace(found, outcome=outcome)
