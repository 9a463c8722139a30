"""Weka's format, as OpenML sends it: attributes of numbers and of listed words, dense.

scipy's reader refuses quoted words with a space in them.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from ridgeline.errors import DataError

__all__ = ["read_arff"]

ATTRIBUTE = re.compile(
    r"""@attribute\s+('(?:\\.|[^'])*'|"(?:\\.|[^"])*"|\S+)\s+(.+)""", re.IGNORECASE
)
NUMBERS = ("numeric", "real", "integer")


def read_arff(path: Path) -> list[tuple[str, NDArray[Any]]]:
    """Return the columns: floats, NaN where missing, or words, None where missing.

    Raises:
        DataError: If the file is not of this kind.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            kinds = list(_attributes(file))
            rows = [row for row in _rows(file) if row and not row[0].startswith("%")]
        if not kinds or any(len(row) != len(kinds) for row in rows):
            raise ValueError(f"{len(kinds)} attributes, and rows of other lengths")
        columns = zip(*rows, strict=True) if rows else [()] * len(kinds)
        return [
            (name, _numbers(values) if is_number else _words(values))
            for (name, is_number), values in zip(kinds, columns, strict=True)
        ]
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(
            "A file that ends in .arff holds attributes of numbers or of listed words, in dense "
            "rows.",
            got=f"'{path}' ({error})",
            remedy="It may be torn, sparse, or hold texts or dates: convert it to CSV or Parquet.",
        ) from error


def _attributes(file: TextIO) -> Iterator[tuple[str, bool]]:
    """Give name, and True for numbers, of each attribute, up to the data."""
    while line := file.readline():
        line = line.strip()
        if line.lower() == "@data":
            return
        if not line.lower().startswith("@attribute"):
            continue
        found = ATTRIBUTE.fullmatch(line)
        kind = found[2].strip() if found else ""
        if not found or not (kind.startswith("{") or kind.lower() in NUMBERS):
            raise ValueError(line)
        yield _bare(found[1]), not kind.startswith("{")
    raise ValueError("no @data")


def _rows(file: TextIO) -> Iterator[list[str]]:
    return csv.reader(file, quotechar="'", escapechar="\\", skipinitialspace=True)


def _numbers(values: tuple[str, ...]) -> NDArray[np.float64]:
    return np.array([np.nan if v.strip() == "?" else float(v) for v in values], dtype=np.float64)


def _words(values: tuple[str, ...]) -> NDArray[Any]:
    return np.array([None if v.strip() == "?" else _bare(v.strip()) for v in values], dtype=object)


def _bare(text: str) -> str:
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if quoted else text
