"""Frames as text, as files, and as another library's tables."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ridgeline.errors import MissingExtra
from ridgeline.frame.values import plain_of

Columns = Mapping[str, Sequence[Any]]

__all__ = ["plain_columns", "text_table", "to_pandas", "to_parquet"]

SHOWN = 40
"""Rows of a table as text."""


def plain_columns(columns: Columns) -> list[str]:
    """Return the columns that hold numbers, texts, truth values, or tuples of them."""
    kinds = (bool, int, float, str, list, tuple, np.generic, type(None))
    return [n for n, values in columns.items() if all(isinstance(v, kinds) for v in values)]


def _plain(columns: Columns) -> dict[str, list[Any]]:
    """The plain columns, each of one type, as files have them: True beside "last" is text."""
    found = {}
    for name in plain_columns(columns):
        values = [plain_of(value) for value in columns[name]]
        kinds = {type(value) for value in values if value is not None}
        one = float if kinds == {int, float} else str if len(kinds) > 1 else None
        found[name] = [v if v is None or one is None else one(v) for v in values]
    return found


def text_table(columns: Columns, notes: Sequence[str] = ()) -> str:
    """Return the plain columns under each other, numbers to four digits."""
    plain = _plain(columns)
    count = max(map(len, plain.values()), default=0)
    rows = [[_cell(values[i]) for values in plain.values()] for i in range(min(count, SHOWN))]
    widths = [max(len(row[j]) for row in [[*plain], *rows]) for j in range(len(plain))]
    lines = [
        "  ".join(x.rjust(w) for x, w in zip(row, widths, strict=True)) for row in [[*plain], *rows]
    ]
    if count > SHOWN:
        lines.append(f"... {count - SHOWN} more of {count} rows")
    return "\n".join([*lines, *notes])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def to_pandas(columns: Columns) -> Any:
    """See `Frame.to_pandas`."""
    try:
        import pandas  # type: ignore[import-not-found]  # no part of any extra
    except ImportError as error:
        raise MissingExtra("pandas", "", "frames as its tables") from error
    return pandas.DataFrame(_plain(columns))


def to_parquet(columns: Columns, path: str | os.PathLike[str], overwrite: bool) -> None:
    """See `Frame.to_parquet`."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra("pyarrow", "study", "Parquet files") from error
    from ridgeline.io.writing import atomic_path

    with atomic_path(path, overwrite=overwrite) as temporary:
        parquet.write_table(pyarrow.table(_plain(columns)), temporary)
