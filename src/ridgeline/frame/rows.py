"""Measured rows in plain columns: choosing among them, and deriving further columns."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from ridgeline.errors import UnknownName, UsageError
from ridgeline.frame.texts import text_table
from ridgeline.frame.values import array_of, asked_for, is_missing, key_of

__all__ = ["Cluster", "Rows"]

Cluster = str | tuple[str, str] | None
"""The column that says which rows are not independent (runs of one seed); two, where a row is of
two that recur (a pair of networks); None if all rows are."""


class Rows:
    """Rows in plain columns; nothing changes a frame, every question makes another.

    Args:
        columns: Name to the values, one a row. None stands for what was not measured.
        cluster: Which rows are not independent: intervals draw whole clusters.
        notes: Paragraphs that must be read with the rows.

    Raises:
        UsageError: If columns differ in length.
    """

    def __init__(
        self,
        columns: Mapping[str, Iterable[Any]] | None = None,
        *,
        cluster: Cluster = None,
        notes: Iterable[str] = (),
    ) -> None:
        self._columns = {name: tuple(values) for name, values in (columns or {}).items()}
        self.cluster: Cluster = cluster
        self.notes: tuple[str, ...] = tuple(notes)
        lengths = {name: len(values) for name, values in self._columns.items()}
        if len(set(lengths.values())) > 1:
            raise UsageError("Columns have one value a row.", got=str(lengths))
        self._length = next(iter(lengths.values()), 0)

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]], **more: Any) -> Self:
        """Make a frame of rows.

        Args:
            rows: Mappings of column to value; what a row lacks is missing there.
            **more: As the class takes them.
        """
        found = list(rows)
        names = dict.fromkeys(name for row in found for name in row)
        return cls({name: [row.get(name) for row in found] for name in names}, **more)

    def _with(self, columns: Mapping[str, Iterable[Any]], **more: Any) -> Self:
        return type(self)(columns, **{"cluster": self.cluster, "notes": self.notes, **more})

    # --- what is there -------------------------------------------------------------------

    def __len__(self) -> int:
        return self._length

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self._columns)

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __getitem__(self, name: str) -> np.ndarray:
        """Return a column as an array, shape (rows,).

        Raises:
            UnknownName: If there is none of this name.
        """
        return array_of(self.values(name))

    def values(self, name: str) -> tuple[Any, ...]:
        """Return a column as it was put in.

        Raises:
            UnknownName: If there is none of this name.
        """
        if name not in self._columns:
            raise UnknownName("column", name, self._columns)
        return self._columns[name]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for i in range(len(self)):
            yield {name: values[i] for name, values in self._columns.items()}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} rows; {', '.join(self._columns)})"

    def __str__(self) -> str:
        return text_table(self._columns, self.notes)

    # --- rows ----------------------------------------------------------------------------

    def _at(self, rows: Sequence[int]) -> Self:
        return self._with({n: [values[i] for i in rows] for n, values in self._columns.items()})

    def where(self, test: Callable[..., Any] | None = None, /, **equal: Any) -> Self:
        """Return the rows of which something is so.

        Args:
            test: A function of columns, named by its parameters; rows at which it is true stay.
            **equal: Column to the value that a row must have. A list or set is of several values;
                a function is asked of the value.

        Raises:
            UnknownName: If there is no such column.
            UsageError: If a parameter of `test` is no column.
        """
        keep = np.ones(len(self), dtype=bool)
        for name, wanted in equal.items():
            keep &= _fits(self.values(name), wanted)
        rows = np.flatnonzero(keep).tolist()
        if test is not None:
            told = self._calls(test)
            rows = [i for i in rows if (found := told(i)) is not None and bool(found)]
        return self._at(rows)

    def derive(self, **columns: Any) -> Self:
        """Return the frame with further columns.

        Args:
            **columns: Name to a function of columns, which its parameters name (``row`` is the
                whole row), or to a value that all rows have. Where a column that is asked for is
                missing, so is the new one. Later ones may ask for earlier ones.

        Raises:
            UsageError: If a parameter is no column.
        """
        found = self
        for name, made in columns.items():
            if callable(made):
                told = found._calls(made)
                values = [told(i) for i in range(len(found))]
            else:
                values = [made] * len(found)
            found = found._with({**found._columns, name: values})
        return found

    def _calls(self, function: Callable[..., Any]) -> Callable[[int], Any]:
        names = asked_for(function, self._columns)

        def at(i: int) -> Any:
            given = {name: self._columns[name][i] for name in names if name != "row"}
            if any(is_missing(value) for value in given.values()):
                return None
            if "row" in names:
                given["row"] = {name: values[i] for name, values in self._columns.items()}
            return function(**given)

        return at

    def each(self, **columns: Any) -> Self:
        """Return every row once for each of several values, which a further column holds.

        Args:
            **columns: Name to the values, or to a function of columns that gives them; of several
                each value of the first with each of the next.

        Raises:
            UsageError: If a parameter is no column.
        """
        found = self
        for name, made in columns.items():
            told = found.derive(**{name: made if callable(made) else lambda made=made: made})
            lists = [list(several) for several in told.values(name)]
            rows = found._at([i for i, several in enumerate(lists) for _ in several])
            values = [value for several in lists for value in several]
            found = rows._with({**rows._columns, name: values})
        return found

    def head(self, count: int) -> Self:
        """Return the first rows, at most so many."""
        return self._at(range(len(self))[:count])

    def select(self, *names: str) -> Self:
        """Return the frame with these columns only, in this order."""
        return self._with({name: self.values(name) for name in names})

    def sorted(self, *names: str, reverse: bool = False) -> Self:
        """Return the rows in the order of these columns, the first of them first.

        Args:
            *names: Of columns.
            reverse: Whether the largest comes first; rows that are alike keep their order.
        """
        columns = [self.values(name) for name in names]
        keys = [tuple(_order(column[i]) for column in columns) for i in range(len(self))]
        order = sorted(range(len(self)), key=keys.__getitem__, reverse=reverse)
        return self._at(order)

    def noted(self, *notes: str) -> Self:
        """Return the frame with further paragraphs."""
        return self._with(self._columns, notes=(*self.notes, *notes))

    def clustered(self, cluster: Cluster) -> Self:
        """Return the frame with other clusters."""
        return self._with(self._columns, cluster=cluster)

    def __add__(self, other: "Rows") -> Self:
        """Return the rows of both, one after the other; what one lacks is missing there."""
        joined = type(self).of([*self, *other])
        notes = dict.fromkeys((*self.notes, *other.notes))
        return self._with(joined._columns, notes=notes)


def _fits(values: Sequence[Any], wanted: Any) -> np.ndarray:
    if callable(wanted):
        return np.array([value is not None and bool(wanted(value)) for value in values], dtype=bool)
    several = isinstance(wanted, list | set | frozenset)
    keys = {key_of(one) for one in wanted} if several else {key_of(wanted)}
    return np.array([key_of(value) in keys for value in values], dtype=bool)


def _order(value: Any) -> tuple[int, Any]:
    """Numbers before texts, before what is missing."""
    if isinstance(value, bool | int | float | np.generic):
        return 0, value
    return (2, "") if value is None else (1, str(value))
