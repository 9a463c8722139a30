"""The frame: measured rows, and the questions that can be asked of them."""

import os
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from ridgeline.errors import UnknownName, UsageError
from ridgeline.frame.estimates import Estimate, mean_of, share_of, spearman_of
from ridgeline.frame.rows import Cluster, Rows
from ridgeline.frame.texts import to_pandas, to_parquet
from ridgeline.frame.values import key_of

__all__ = ["Frame", "Groups"]


class Frame(Rows):
    """Rows in plain columns; nothing changes a frame, every question makes another.

    Args:
        columns: Name to the values, one a row. None stands for what was not measured.
        cluster: Which rows are not independent: intervals draw whole clusters.
        notes: Paragraphs that must be read with the rows.

    Raises:
        UsageError: If columns differ in length.
    """

    # --- groups --------------------------------------------------------------------------

    def by(self, *names: str) -> "Groups":
        """Return the rows in groups of equal values, in the order in which they occur."""
        if not names:
            raise UsageError("Rows are grouped by one column at least.", got="none")
        columns = [self.values(name) for name in names]
        rows: dict[Hashable, list[int]] = {}
        for i in range(len(self)):
            rows.setdefault(tuple(key_of(column[i]) for column in columns), []).append(i)
        found = [(tuple(c[at[0]] for c in columns), self._at(at)) for at in rows.values()]
        return Groups(names, found, self)

    def balanced(self, unit: str, over: str) -> Self:
        """Return the rows of units that are there at every setting, as those of a balanced panel.

        Args:
            unit: The column that names what recurs, such as a seed.
            over: The column of settings.
        """
        settings = {key_of(value) for value in self.values(over)}
        there: dict[Hashable, set[Hashable]] = {}
        for one, value in zip(self.values(unit), self.values(over), strict=True):
            there.setdefault(key_of(one), set()).add(key_of(value))
        return self._at(
            [i for i, one in enumerate(self.values(unit)) if there[key_of(one)] == settings]
        )

    def paired(self, column: str, over: str, unit: str | Sequence[str]) -> Self:
        """Return one row a unit, with a column's value at every setting beside each other.

        Args:
            column: What is compared.
            over: The column of settings; each value, as text, names a new column.
            unit: The columns that name what recurs; those that lack a setting are left out.

        Raises:
            UsageError: If a unit has two rows at one setting.
        """
        units = (unit,) if isinstance(unit, str) else tuple(unit)
        settings = list(dict.fromkeys(map(str, self.values(over))))
        rows = []
        for key, group in self.by(*units).items():
            found = dict(zip(map(str, group.values(over)), group.values(column), strict=True))
            if len(found) < len(group):
                raise UsageError(
                    f"A unit has one row at each {over}.",
                    got=f"{len(group)} rows of {', '.join(units)} = {key}",
                    remedy="Restrict the rows by `where`, or name the unit by more columns.",
                )
            names = key if isinstance(key, tuple) and len(units) > 1 else (key,)
            if len(found) == len(settings):
                rows.append({**dict(zip(units, names, strict=True)), **found})
        return self._with(type(self).of(rows)._columns)

    # --- questions -----------------------------------------------------------------------

    def _clusters(self, cluster: Cluster | bool) -> list[tuple[Any, ...]] | None:
        cluster = self.cluster if cluster is True else cluster
        if not cluster:
            return None
        names = (cluster,) if isinstance(cluster, str) else cluster
        return [tuple(key_of(value) for value in self.values(name)) for name in names]

    def mean(self, column: str, *, cluster: Cluster | bool = True) -> Estimate:
        """Estimate the mean of a column, with its 95 % interval.

        Args:
            column: Of numbers or truth values. What is not finite is left out and counted.
            cluster: Which rows are not independent; the frame's own by default. Whole clusters are
                drawn (the cluster bootstrap, with Hesterberg's expanded percentiles); of pairs
                the networks are drawn, with all lines between them.

        Raises:
            UnknownName: If there is no such column.
            UsageError: If it holds no numbers.
        """
        return mean_of(self._numbers(column), self._clusters(cluster))

    def share(self, column: str, *, cluster: Cluster | bool = True) -> Estimate:
        """Estimate the share of rows in which something is so; exact binomial interval.

        Of rows that are not independent an effective number is taken (Korn & Graubard 1998).

        Args:
            column: Of truth values.
            cluster: As in `mean`, one column at most.

        Raises:
            UsageError: If the column holds anything else.
        """
        clusters = self._clusters(cluster)
        return share_of(self._numbers(column), clusters, column)

    def correlate(self, x: str, y: str, *, cluster: Cluster | bool = True) -> Estimate:
        """Estimate Spearman's rank correlation of two columns, by bootstrap over clusters.

        Args:
            x: Of numbers; infinite ones are the largest.
            y: Likewise.
            cluster: As in `mean`.
        """
        clusters = self._clusters(cluster)
        return spearman_of(self._numbers(x), self._numbers(y), clusters)

    def matrix(self, column: str, *, a: str = "a", b: str = "b") -> tuple[list[Any], np.ndarray]:
        """Return a column over pairs as a symmetric matrix.

        Args:
            column: Of numbers.
            a: The column that names one of each pair.
            b: The other.

        Returns:
            The names, and values of shape (names, names): NaN where there is no pair, 0 on the
            diagonal.

        Raises:
            UsageError: If two rows are of one pair.
        """
        ends = list(zip(self.values(a), self.values(b), strict=True))
        names = list(dict.fromkeys(name for pair in ends for name in pair))
        place = {name: i for i, name in enumerate(names)}
        found = np.full((len(names), len(names)), np.nan)
        np.fill_diagonal(found, 0.0)
        seen: set[frozenset[Any]] = set()
        for (one, other), value in zip(ends, self._numbers(column), strict=True):
            if frozenset((one, other)) in seen:
                raise UsageError(
                    "A matrix has one row a pair.",
                    got=f"two of {one} and {other}",
                    remedy='Choose among the rows first: `frame.where(align="naive").matrix(...)`.',
                )
            seen.add(frozenset((one, other)))
            i, j = place[one], place[other]
            found[i, j] = found[j, i] = value
        return names, found

    def _numbers(self, column: str) -> np.ndarray:
        found = self[column]
        if len(found) and found.dtype == object:
            kinds = sorted({type(value).__name__ for value in found})
            raise UsageError(f"Column {column!r} must hold numbers.", got=", ".join(kinds))
        return found

    # --- to other formats ----------------------------------------------------------------

    def to_pandas(self) -> Any:
        """Return a `pandas.DataFrame` of the columns that are numbers, texts or truth values.

        Raises:
            MissingExtra: If pandas is not installed.
        """
        return to_pandas(self._columns)

    def to_parquet(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the columns that are numbers, texts or truth values as Parquet.

        Args:
            path: Of the file.
            overwrite: Whether an existing file may be replaced.

        Raises:
            MissingExtra: If pyarrow is not installed.
            OutputError: If the file exists or cannot be written.
        """
        to_parquet(self._columns, path, overwrite)


class Groups(Mapping[Any, Frame]):
    """Rows in groups of equal values: value to frame; of several columns, tuple to frame."""

    def __init__(
        self, names: Sequence[str], groups: Sequence[tuple[tuple[Any, ...], Frame]], of: Frame
    ) -> None:
        self.names = tuple(names)
        self._groups = list(groups)
        self._of = of
        self._places = {key_of(self._shown(key)): i for i, (key, _) in enumerate(self._groups)}

    def _shown(self, key: tuple[Any, ...]) -> Any:
        return key if len(self.names) > 1 else key[0]

    def __getitem__(self, key: Any) -> Frame:
        place = self._places.get(key_of(key))
        if place is None:
            raise UnknownName(" and ".join(self.names), str(key), [str(k) for k in self])
        return self._groups[place][1]

    def __contains__(self, key: object) -> bool:
        return key_of(key) in self._places

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the rows of a value, or something else if there are none."""
        place = self._places.get(key_of(key))
        return default if place is None else self._groups[place][1]

    def __iter__(self) -> Iterator[Any]:
        return (self._shown(key) for key, _ in self._groups)

    def __len__(self) -> int:
        return len(self._groups)

    def reduce(self, **columns: Callable[[Frame], Any] | Any) -> Frame:
        """Return one row a group.

        Args:
            **columns: Name to a function of the group's frame. An `Estimate` becomes the columns
                ``name``, ``name_low``, ``name_high`` and ``n``.
        """
        rows = []
        for key, frame in self._groups:
            row: dict[str, Any] = dict(zip(self.names, key, strict=True))
            for name, made in columns.items():
                value = made(frame)
                row |= value.columns(name) if isinstance(value, Estimate) else {name: value}
            rows.append(row)
        return self._of._with(Frame.of(rows)._columns, cluster=None)

    def mean(self, *columns: str, cluster: Cluster | bool = True) -> Frame:
        """Return the mean of columns in each group, with intervals; see `Frame.mean`."""
        return self.reduce(**{n: lambda f, n=n: f.mean(n, cluster=cluster) for n in columns})

    def share(self, *columns: str, cluster: Cluster | bool = True) -> Frame:
        """Return the share of rows in which columns are true, by group; see `Frame.share`."""
        return self.reduce(**{n: lambda f, n=n: f.share(n, cluster=cluster) for n in columns})

    def correlate(self, x: str, y: str, *, cluster: Cluster | bool = True) -> Frame:
        """Return the rank correlation of two columns in each group; see `Frame.correlate`."""
        return self.reduce(correlation=lambda f: f.correlate(x, y, cluster=cluster))

    def where(self, test: Callable[..., Any] | None = None, /, **equal: Any) -> "Groups":
        """Return the groups with some of their rows; those without any are gone."""
        found = [(key, frame.where(test, **equal)) for key, frame in self._groups]
        return Groups(self.names, [one for one in found if len(one[1])], self._of)
