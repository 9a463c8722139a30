"""Questions to a frame with a threshold: what a claim is tested by.

    share("falls", "lines that fall", biases="none") > 0.5

asks the rows with ``biases="none"`` for the share in which column ``falls`` is true; the words say
what the column is. Rows in which it is missing, as those of runs that diverged, are no cases; one
that is NaN is a case that decides nothing. Nothing is asked before there are rows: a question is
data.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ridgeline.errors import UsageError
from ridgeline.frame import demands
from ridgeline.frame.demands import Measured
from ridgeline.frame.table import Frame
from ridgeline.frame.values import is_missing, key_of

__all__ = ["Asked", "Question", "correlation", "difference", "every", "mean", "share"]

Side = Literal["above", "below"]
Rows = Callable[[Frame], Frame]


@dataclass(frozen=True)
class Asked:
    """A test of rows: a question with its threshold."""

    test: demands.Test
    cases: Callable[[Frame], Any]
    """Makes the cases of the test from the rows."""
    optional: bool = False
    """True if it is not asked where there are no rows, rather than undecided."""

    @property
    def words(self) -> str:
        """Return what is demanded: quantity, direction and threshold."""
        return self.test.words

    def decide(self, rows: Frame) -> Measured:
        """Return the verdict on a frame."""
        return self.test.decide(self.cases(rows))

    def asks(self, frame: Frame) -> bool:
        """True if it is asked of these rows."""
        if not self.optional:
            return True
        found = self.cases(frame)
        return any(
            len(part) for part in (found.values() if isinstance(found, Mapping) else [found])
        )


@dataclass(frozen=True, eq=False)
class Question:
    """A number about rows, waiting for a threshold: ``question > 0.5`` is a test."""

    make: Callable[[Side, float], demands.Test]
    cases: Callable[[Frame], Any]
    optional: bool = False

    def __gt__(self, at: float) -> Asked:
        return Asked(self.make("above", at), self.cases, self.optional)

    def __lt__(self, at: float) -> Asked:
        return Asked(self.make("below", at), self.cases, self.optional)

    def __abs__(self) -> "Equivalence":
        return Equivalence(self)


@dataclass(frozen=True, eq=False)
class Equivalence:
    """A number about rows that is to be near zero: ``abs(question) < 0.5`` is a test."""

    question: Question

    def __lt__(self, margin: float) -> Asked:
        asked = self.question < margin
        return Asked(demands.Within(asked.test, margin), asked.cases, asked.optional)


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    """Rows that a question is about."""

    where: Mapping[str, Any]
    rows: Rows | None = None

    def of(self, frame: Frame, *columns: str) -> Frame:
        """Rows that have these columns: what was not measured is no case."""
        found = frame if self.rows is None else self.rows(frame)
        found = found.where(**self.where)
        return found.where(**{name: lambda value: not is_missing(value) for name in columns})


def mean(
    column: str,
    said: str,
    /,
    *,
    per: str | None = None,
    rows: Rows | None = None,
    resolution: float = 0.0,
    needs: int = demands.NEEDED,
    optional: bool = False,
    **where: Any,
) -> Question:
    """Ask for the mean of a column; by bootstrap over rows, or over what they are `per`.

    Args:
        column: Of numbers; one that is not finite leaves the question undecided.
        said: What the number is, with its unit.
        per: A column: rows that share its value are one case, their mean.
        rows: Makes the rows that are asked of the frame's.
        resolution: Steps in which the number is known; see `demands.Mean`.
        needs: Cases below which nothing is decided.
        optional: Whether it is not asked where there are no rows, in place of undecided.
        **where: As `Frame.where` takes them.
    """
    chosen = _Chosen(where=where, rows=rows)

    def cases(frame: Frame) -> Any:
        found = chosen.of(frame, column)
        if per is None:
            return found[column]
        return [float(group[column].mean()) for group in found.by(per).values()]

    def make(side: Side, at: float) -> demands.Test:
        return demands.Mean(said, side, at, needs=needs, resolution=resolution)

    return Question(make, cases, optional)


def share(
    column: str,
    said: str,
    /,
    *,
    cluster: str | None = None,
    rows: Rows | None = None,
    needs: int = demands.NEEDED,
    optional: bool = False,
    **where: Any,
) -> Question:
    """Ask for the share of rows in which a column is true; exact binomial interval.

    Args:
        column: Of truth values.
        said: What is so in a row.
        cluster: A column: rows that share its value are not independent.
        rows: Makes the rows that are asked of the frame's.
        needs: Rows below which nothing is decided.
        optional: Whether it is not asked where there are no rows.
        **where: As `Frame.where` takes them.
    """
    chosen = _Chosen(where=where, rows=rows)

    def cases(frame: Frame) -> Any:
        found = chosen.of(frame, column)
        if cluster is None:
            return found[column]
        return {"is": found[column], "group": _groups(found, cluster)}

    def make(side: Side, at: float) -> demands.Test:
        return demands.Share(said, side, at, needs=needs)

    return Question(make, cases, optional)


def every(
    column: str,
    said: str,
    /,
    *,
    per: str | None = None,
    rows: Rows | None = None,
    needs: int = demands.NEEDED,
    optional: bool = False,
    **where: Any,
) -> Asked:
    """Ask if a column is true in every row: for what is proved, where one exception refutes.

    Args:
        column: Of truth values.
        said: What is so in a row.
        per: A column: rows that share its value are one case, in which it must be so in all.
        rows: Makes the rows that are asked of the frame's.
        needs: Cases below which it does not hold.
        optional: Whether it is not asked where there are no rows.
        **where: As `Frame.where` takes them.
    """
    chosen = _Chosen(where=where, rows=rows)

    def cases(frame: Frame) -> Any:
        found = chosen.of(frame, column)
        if per is None:
            return found[column]
        return [bool(group[column].all()) for group in found.by(per).values()]

    return Asked(demands.Every(said, needs=needs), cases, optional)


def correlation(
    x: str,
    y: str,
    said: str,
    /,
    *,
    cluster: str | None = None,
    rows: Rows | None = None,
    why: Callable[[Frame], str] | None = None,
    optional: bool = False,
    **where: Any,
) -> Question:
    """Ask for Spearman's rank correlation of two columns, by bootstrap over rows or clusters.

    Args:
        x: Of numbers.
        y: Likewise.
        said: Which two numbers.
        cluster: A column: rows that share its value are drawn together.
        rows: Makes the rows that are asked of the frame's.
        why: Says of the rows why they cannot decide anything; empty if they can.
        optional: Whether it is not asked where there are no rows.
        **where: As `Frame.where` takes them.
    """
    chosen = _Chosen(where=where, rows=rows)

    def cases(frame: Frame) -> Any:
        found = chosen.of(frame, x, y)
        told: dict[str, Any] = {"x": found[x], "y": found[y]}
        if cluster is not None:
            told["group"] = _groups(found, cluster)
        if why is not None and (reason := why(found)):
            told["why"] = reason
        return told

    return Question(lambda side, at: demands.Correlation(said, side, at), cases, optional)


def difference(
    column: str,
    said: str,
    /,
    more: Mapping[str, Any],
    less: Mapping[str, Any],
    *,
    cluster: str | None = None,
    paired: bool = False,
    rows: Rows | None = None,
    needs: int = demands.NEEDED,
    why: Callable[[Frame], str] | None = None,
    optional: bool = False,
    **where: Any,
) -> Question:
    """Ask by how much the mean of a column over some rows exceeds that over others.

    Args:
        column: Of numbers or truth values.
        said: Which mean, and of which sides.
        more: Rows of the one side, as `Frame.where` takes them.
        less: Rows of the other.
        cluster: A column: rows that share its value are drawn together, on both sides.
        paired: Whether a cluster that is on one side alone is left out.
        rows: Makes the rows that are asked of the frame's.
        needs: Rows, or clusters of them, on each side.
        why: Says of the rows why they cannot decide anything; empty if they can.
        optional: Whether it is not asked where there are no rows.
        **where: Of both sides.

    Raises:
        UsageError: If pairs are asked for without a cluster.
    """
    if paired and cluster is None:
        raise UsageError("Pairs are of a cluster.", got="paired=True without `cluster`")
    chosen = _Chosen(where=where, rows=rows)

    def cases(frame: Frame) -> Any:
        found = chosen.of(frame, column)
        sides = {"more": found.where(**more), "less": found.where(**less)}
        if paired and cluster is not None:
            sides = _paired(sides, cluster)
        told: dict[str, Any] = {name: side[column] for name, side in sides.items()}
        if cluster is not None:
            told |= {f"{name}_group": _groups(side, cluster) for name, side in sides.items()}
        if why is not None and (reason := why(found)):
            told["why"] = reason
        return told

    return Question(lambda side, at: demands.Difference(said, side, at, needs), cases, optional)


def _paired(sides: Mapping[str, Frame], cluster: str) -> dict[str, Frame]:
    """Rows of clusters that are on both sides, in the order of the first."""
    more, less = (dict.fromkeys(map(key_of, side.values(cluster))) for side in sides.values())
    order = {one: i for i, one in enumerate(one for one in more if one in less)}
    found = {}
    for name, side in sides.items():
        keys = [key_of(value) for value in side.values(cluster)]
        at = sorted((order[key], i) for i, key in enumerate(keys) if key in order)
        found[name] = side._at([i for _, i in at])
    return found


def _groups(frame: Frame, cluster: str) -> Sequence[Any]:
    return [key_of(value) for value in frame.values(cluster)]
