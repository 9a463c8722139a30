"""Claims: sentences of papers, each with a test on measured numbers and a computed verdict.

A test is declared with its threshold and direction before anything is measured. Its verdict is

- *holds* if the whole interval is on the claimed side of the threshold,
- *fails* if the whole interval is on the other side,
- *undecided* if the interval straddles it, or there are fewer cases than the test needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from ridgeline.errors import UsageError
from ridgeline.study import intervals
from ridgeline.study.intervals import CONFIDENCE

__all__ = [
    "Cases",
    "Claim",
    "Correlation",
    "Difference",
    "Every",
    "Mean",
    "Measured",
    "Outcome",
    "Share",
    "Verdict",
]

Outcome = Literal["holds", "fails", "undecided"]
Cases = Sequence[float] | Sequence[bool] | Mapping[str, Sequence[Any]]
"""What a test is asked about: numbers, one a case, or several such lists by name."""
NEEDED = 5
"""Cases below which nothing is decided."""


@dataclass(frozen=True)
class Measured:
    """What a test found."""

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
        """What is demanded: quantity, direction and threshold."""
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


def _enough(n: int, needs: int, values: np.ndarray) -> Measured | None:
    if n >= needs and np.isfinite(values).all():
        return None
    good = values[np.isfinite(values)]
    middle = float(good.mean()) if len(good) else float("nan")
    why = (
        f"n = {n}, at least {needs} wanted"
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
        """What is demanded."""
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
    """The share of cases in which something is so; exact binomial interval."""

    of: str
    """What is so in a case."""
    side: Literal["above", "below"]
    at: float
    needs: int = NEEDED

    @property
    def words(self) -> str:
        """What is demanded."""
        return f"share of {self.of} {self.side} {self.at:g}"

    def decide(self, cases: Sequence[bool]) -> Measured:
        """The verdict.

        Args:
            cases: Whether it is so, one a case.
        """
        values = _outcomes(cases)
        if few := _enough(len(values), self.needs, values):
            return few
        hits, n = int(values.sum()), len(values)
        span = intervals.share(hits, n)
        return Measured(_judge(hits / n, span, self.side, self.at), hits / n, *span, n)


@dataclass(frozen=True)
class Every:
    """Something is so in every case: for what is proved, where one exception refutes.

    The interval is the exact binomial one of the share.
    """

    of: str
    needs: int = NEEDED

    @property
    def words(self) -> str:
        """What is demanded."""
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
    those of one seed at several depths.
    """

    of: str
    """Which two numbers."""
    side: Literal["above", "below"] = "above"
    at: float = 0.0
    needs: int = 8
    """Runs; of groups `NEEDED`."""

    @property
    def words(self) -> str:
        """What is demanded."""
        return f"rank correlation of {self.of} {self.side} {self.at:g}"

    def decide(self, cases: Mapping[str, Sequence[float]]) -> Measured:
        """The verdict.

        Args:
            cases: ``{"x": ..., "y": ...}``, one number a run in each, and ``"group"`` if runs are
                not independent.
        """
        x, y = _finite(cases["x"]), _finite(cases["y"])
        groups = list(cases["group"]) if "group" in cases else None
        if len(x) != len(y) or (groups is not None and len(groups) != len(x)):
            raise UsageError("A correlation has as many x as y.", got=f"{len(x)} and {len(y)}")
        n = len(x) if groups is None else len(set(groups))
        needs = self.needs if groups is None else NEEDED
        nothing = float("nan")
        if lost := int((~np.isfinite(x) | ~np.isfinite(y)).sum()):
            why = f"{lost} of {len(x)} cases are not finite"
            return Measured("undecided", nothing, nothing, nothing, n, why)
        if n < needs:
            why = f"n = {n}, at least {needs} wanted"
            return Measured("undecided", nothing, nothing, nothing, n, why)
        middle, span = intervals.spearman(x, y, None if groups is None else np.array(groups))
        return Measured(_judge(middle, span, self.side, self.at), middle, *span, n)


@dataclass(frozen=True)
class Difference:
    """The mean over one group of runs less that over another is above, or below, a threshold.

    By bootstrap over the runs of each; for outcomes that are true or false by Newcombe's
    interval, which does not collapse where all runs of a group agree.
    """

    of: str
    """Which mean, and of which groups."""
    side: Literal["above", "below"] = "above"
    at: float = 0.0
    needs: int = NEEDED
    """In each group."""

    @property
    def words(self) -> str:
        """What is demanded."""
        return f"difference of {self.of} {self.side} {self.at:g}"

    def decide(self, cases: Mapping[str, Sequence[float]]) -> Measured:
        """The verdict.

        Args:
            cases: ``{"more": ..., "less": ...}``, one number a run in each.
        """
        more, less = _finite(cases["more"]), _finite(cases["less"])
        shares = all(isinstance(x, bool | np.bool_) for g in ("more", "less") for x in cases[g])
        n = len(more) + len(less)
        small = min(len(more), len(less))
        if few := _enough(small, self.needs, np.concatenate([more, less])):
            return Measured("undecided", float("nan"), few.low, few.high, n, few.why)
        middle, span = intervals.difference(more, less, shares=shares)
        return Measured(_judge(middle, span, self.side, self.at), middle, *span, n)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A sentence of a paper with a test."""

    id: str
    """As in the specification's table, with a letter for each of several: ``W2a``."""
    text: str
    """The paper's sentence in our words."""
    place: str
    """Where the paper says it."""
    source: Literal["paper", "derived", "memory"] = "paper"
    """How sure it is that the paper says so: read in it or its code, derived here, or recalled."""
    test: Test

    def decide(self, cases: Any, scale: str) -> "Verdict":
        """Ask the test.

        Args:
            cases: What the test takes.
            scale: What the numbers were measured at.
        """
        return Verdict(self, self.test.decide(cases), scale)


@dataclass(frozen=True)
class Verdict:
    """What became of a claim."""

    claim: Claim
    measured: Measured
    scale: str

    @property
    def outcome(self) -> Outcome:
        """Holds, fails or undecided."""
        return self.measured.outcome

    def row(self) -> dict[str, Any]:
        """As one flat record of JSON values; null where a number is not finite."""
        m = self.measured
        numbers = {"estimate": m.estimate, "low": m.low, "high": m.high}
        return {
            "claim": self.claim.id,
            "text": self.claim.text,
            "place": self.claim.place,
            "source": self.claim.source,
            "test": self.claim.test.words,
            "verdict": m.outcome,
            **{k: float(v) if np.isfinite(v) else None for k, v in numbers.items()},
            "confidence": CONFIDENCE,
            "n": m.n,
            "why": m.why,
            "scale": self.scale,
        }
