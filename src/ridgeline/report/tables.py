"""Tidy tables of profiles and surfaces, and the files they are written to.

A row has one number and what is known of it; NaN and infinity are kept as they are.
"""

import csv
import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.charts import Row
from ridgeline.errors import MissingExtra
from ridgeline.io.writing import atomic_path

if TYPE_CHECKING:
    from ridgeline.profiles import Profile, Surface

__all__ = [
    "columns",
    "rows",
    "surface_rows",
    "to_json",
    "write_csv",
    "write_parquet",
]


def rows(profile: "Profile", **more: Any) -> list[Row]:
    """A profile as tidy rows.

    Args:
        profile: From `ridgeline.profile`.
        **more: Columns that come first and are the same in every row, as ``layer="fc1"``.

    Returns:
        Rows of t, split, metric, value, stderr, n and nonfinite (samples whose value was not).
    """
    return [
        {
            **more,
            "t": float(curve.t[k]),
            "split": split,
            "metric": metric,
            "value": float(curve.mean[k]),
            "stderr": float(curve.stderr[k]),
            "n": int(curve.n),
            "nonfinite": int(curve.nonfinite[k]),
        }
        for split, metrics in profile.curves.items()
        for metric, curve in metrics.items()
        for k in range(len(curve.t))
    ]


def surface_rows(surface: "Surface", **more: Any) -> list[Row]:
    """A surface as tidy rows.

    Args:
        surface: From `ridgeline.surface`.
        **more: Columns that come first and are the same in every row.

    Returns:
        Rows of x, y, split, metric, value, stderr and n (null if the surface does not say).
    """
    about = surface.provenance.get("splits", {})
    return [
        {
            **more,
            "x": float(surface.x[i]),
            "y": float(surface.y[j]),
            "split": split,
            "metric": metric,
            "value": float(values[j, i]),
            "stderr": float(surface.stderr[split][metric][j, i]),
            "n": about.get(split, {}).get("samples_evaluated"),
        }
        for split, metrics in surface.values.items()
        for metric, values in metrics.items()
        for j, i in np.ndindex(values.shape)
    ]


def columns(table: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every key of the rows, in the order in which they first occur."""
    return list(dict.fromkeys(key for row in table for key in row))


def write_csv(
    table: Sequence[Mapping[str, Any]], path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write rows as CSV: a header, full precision, ``nan`` and ``inf``, empty for null.

    Args:
        table: Rows; a key that a row lacks is empty.
        path: Where to.
        overwrite: Whether an existing file may be replaced.

    Raises:
        OutputError: If the file exists or cannot be written.
    """
    with (
        atomic_path(path, overwrite=overwrite) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, columns(table), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


def write_parquet(
    table: Sequence[Mapping[str, Any]], path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write rows as Parquet.

    Args:
        table: Rows; a key that a row lacks is null, NaN stays NaN.
        path: Where to.
        overwrite: Whether an existing file may be replaced.

    Raises:
        MissingExtra: If pyarrow is not installed.
        OutputError: If the file exists or cannot be written.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtra("pyarrow", "report", "Writing Parquet") from error
    data = {name: [row.get(name) for row in table] for name in columns(table)}
    with atomic_path(path, overwrite=overwrite) as temporary:
        pyarrow.parquet.write_table(pyarrow.table(data), temporary)


def to_json(
    summary: Mapping[str, Any], path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write a summary as strict JSON (RFC 8259: no NaN).

    Args:
        summary: From `summarise` or `summarise_surface`.
        path: Where to.
        overwrite: Whether an existing file may be replaced.

    Raises:
        OutputError: If the file exists or cannot be written.
        ValueError: If the dict holds a value that is not finite.
    """
    text = json.dumps(summary, allow_nan=False, ensure_ascii=False, indent=1)
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
