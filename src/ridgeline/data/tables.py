"""Tables from files: columns of numbers and a target, checked and named."""

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ridgeline.data.arff import read_arff
from ridgeline.errors import DataError, MissingExtra, UnknownName

__all__ = ["CATEGORICAL", "SUFFIXES", "Table", "read", "table_of"]

SUFFIXES = (".csv", ".parquet", ".pq", ".arff")
"""Kinds of files that are read."""
CATEGORICAL = ("refuse", "one-hot")
MISSING = ("", "?", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "#N/A")
"""What stands in a CSV file for a value that is missing."""
TOLD = 5
Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of numbers with a target each."""

    names: tuple[str, ...]
    """Of the columns, the target left out."""
    x: NDArray[np.float64]
    """Shape (N, F), finite."""
    y: Array
    """Shape (N,): strings, whole numbers or booleans of classes; or floats."""
    target: str
    """Name of the target's column."""

    @property
    def is_classes(self) -> bool:
        """True if targets are strings, booleans or whole numbers."""
        return self.y.dtype.kind != "f"


def read(
    path: str | os.PathLike[str],
    *,
    target: str | None = None,
    categorical: Literal["refuse", "one-hot"] | str = "refuse",
) -> Table:
    """Read a table.

    Args:
        path: A file of comma-separated values with a header (``.csv``), Parquet (``.parquet``,
            ``.pq``), or Weka's format (``.arff``). CSV and Parquet need pyarrow.
        target: Name of the column to be predicted; the last one by default.
        categorical: What becomes of columns of words: ``"refuse"``, or ``"one-hot"`` for a column
            of 0 and 1 for each word, called ``column=word``, words in order.

    Returns:
        The table, rows in the file's order.

    Raises:
        DataError: If the file cannot be read, a value is missing (the column is named), a column is
            of words and they are refused, of dates, or twice there.
        UnknownName: If there is no such column or way.
        MissingExtra: Without pyarrow.
    """
    where = Path(path)
    if where.suffix not in SUFFIXES:
        raise UnknownName("kind of table", where.suffix or where.name, SUFFIXES)
    if not where.is_file():
        raise DataError("A table's file must be there.", got=f"'{where}'", remedy="Check the path.")
    columns = read_arff(where) if where.suffix == ".arff" else _from_arrow(where)
    _check_names(columns, where)
    return table_of(dict(columns), target=target, categorical=categorical, where=f"'{where}'")


def table_of(
    columns: Mapping[str, Array],
    *,
    target: str | None = None,
    categorical: str = "refuse",
    where: str = "the table",
) -> Table:
    """Make a table of columns.

    Args:
        columns: Name to values (N,): numbers, booleans, or words; None and NaN are missing.
        target: Name of the column to be predicted; the last one by default.
        categorical: As `read` takes it.
        where: What to call it in messages.

    Raises:
        DataError: As `read`.
        UnknownName: If there is no such column or way.
    """
    if categorical not in CATEGORICAL:
        raise UnknownName("way with categories", categorical, CATEGORICAL)
    if len(columns) < 2:
        raise DataError(
            "A table has a target and a column besides.", got=f"{len(columns)} in {where}"
        )
    target = list(columns)[-1] if target is None else target
    if target not in columns:
        raise UnknownName(f"column of {where}", target, columns)
    _check_whole(columns, where)
    made: dict[str, Array] = {}
    for name, values in columns.items():
        if name == target:
            continue
        if values.dtype.kind in "fiub":
            made[name] = values.astype(np.float64)
        else:
            made |= _encoded(name, values, categorical, where)
    y = columns[target]
    return Table(tuple(made), np.stack(list(made.values()), 1), y, target)


def _encoded(name: str, values: Array, categorical: str, where: str) -> dict[str, Array]:
    words = sorted(set(values.tolist()))
    if categorical == "refuse":
        raise DataError(
            "Columns are of numbers.",
            got=f"words in column {name!r} of {where}: {_listed([repr(w) for w in words])}",
            remedy='Leave the column out, or ask for categorical="one-hot": a column for each.',
        )
    return {f"{name}={word}": (values == word).astype(np.float64) for word in words}


def _check_whole(columns: Mapping[str, Array], where: str) -> None:
    """Refuse missing and infinite values, in the target too."""
    found = []
    for name, values in columns.items():
        if values.dtype.kind == "O":
            wrong = np.array([v is None for v in values.tolist()])
        elif values.dtype.kind == "f":
            wrong = ~np.isfinite(values)
        else:
            continue
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            found.append(f"{int(wrong.sum())} in column {name!r} (row {first})")
    if found:
        raise DataError(
            "Every value of a table is there, and finite: missing ones are not filled in.",
            got=f"{_listed(found)}, of {where}",
            remedy="Fill them in or leave the rows out beforehand.",
        )


def _listed(items: Sequence[str]) -> str:
    return ", ".join(items[:TOLD]) + (f" and {len(items) - TOLD} more" if len(items) > TOLD else "")


def _from_arrow(path: Path) -> list[tuple[str, Array]]:
    try:
        import pyarrow as pa
        from pyarrow import csv, parquet
    except ImportError:
        raise MissingExtra("pyarrow", "trees", f"A table in {path.suffix}") from None
    try:
        if path.suffix == ".csv":
            options = csv.ConvertOptions(null_values=list(MISSING), strings_can_be_null=True)
            table = csv.read_csv(path, convert_options=options)
        else:
            table = parquet.read_table(path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise DataError(
            f"A file that ends in {path.suffix} holds a table of that kind.",
            got=f"'{path}' ({error})",
            remedy="It may be torn, or of another kind: write it anew.",
        ) from error
    # What pandas writes beside the columns numbers the rows and says nothing of them.
    names = [n for n in table.column_names if not re.fullmatch(r"__index_level_\d+__", n)]
    table = table.select(_places(table.column_names, names))
    return [(name, _values(name, table.column(i), path)) for i, name in enumerate(names)]


def _places(every: Sequence[str], chosen: Sequence[str]) -> list[int]:
    """Return where columns lie: by number, for a name may be there twice."""
    return [i for i, name in enumerate(every) if name in chosen]


def _values(name: str, column: Any, path: Path) -> Array:
    """A column of Arrow's as numbers, booleans or objects: words and None."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_decimal(kind):
        column, kind = column.cast(pa.float64()), pa.float64()
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        values = column.to_numpy()  # whole numbers with gaps come as floats with NaN
        return values.astype(np.float64) if values.dtype.kind == "f" else values
    if pa.types.is_boolean(kind) and not column.null_count:
        return column.to_numpy().astype(bool)
    if pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return np.array(column.to_pylist(), dtype=object)
    raise DataError(
        "Columns are of numbers, booleans or words.",
        got=f"{kind} in column {name!r} of '{path}'",
        remedy="Make numbers of them beforehand, or leave the column out.",
    )


def _check_names(columns: Sequence[tuple[str, Array]], path: Path) -> None:
    twice = [name for name, count in Counter(n for n, _ in columns).items() if count > 1]
    if twice:
        raise DataError(
            "Each column has a name of its own.",
            got=f"{_listed([repr(n) for n in twice])} more than once in '{path}'",
            remedy="Give the columns other names.",
        )
