"""The sixteen tables of Kanoh & Sugiyama (2024), from OpenML's own files on disk.

They are binary classifications of the Tabular Benchmark (Grinsztajn et al. 2022). Nothing is
downloaded: OpenML gives each at ``openml.org/d/ID`` as ARFF or Parquet.
"""

from collections.abc import Sequence
from pathlib import Path

from ridgeline.data import tables
from ridgeline.data.tables import Table
from ridgeline.errors import DataError

__all__ = ["BENCHMARK", "find", "known", "read", "rows_of"]

BENCHMARK: dict[str, tuple[int, int, int]] = {
    "Bioresponse": (45019, 3434, 419),
    "Diabetes130US": (45022, 71090, 7),
    "Higgs": (44129, 940160, 24),
    "MagicTelescope": (44125, 13376, 10),
    "MiniBooNE": (44128, 72998, 50),
    "bank-marketing": (44126, 10578, 7),
    "california": (45028, 20634, 8),
    "covertype": (44121, 566602, 10),
    "credit": (44089, 16714, 10),
    "default-of-credit-card-clients": (45020, 13272, 20),
    "electricity": (44120, 38474, 7),
    "eye_movements": (44130, 7608, 20),
    "heloc": (45026, 10000, 22),
    "house_16H": (44123, 13488, 16),
    "jannis": (45021, 57580, 54),
    "pol": (44122, 10082, 26),
}
"""Name to OpenML's number, rows and columns without the target."""
PREFIX = "openml-"
ENDINGS = (".arff", ".pq", ".parquet", ".csv")


def known() -> dict[str, str]:
    """The tables, with a line about each."""
    return {
        PREFIX + name: f"OpenML {number}: {rows:,} rows of {width} numbers, 2 classes"
        for name, (number, rows, width) in BENCHMARK.items()
    }


def rows_of(name: str) -> int | None:
    """Return how many rows a table has; None if it is none of these."""
    about = BENCHMARK.get(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None
    return about[1] if about else None


def find(name: str, places: Sequence[Path]) -> Path:
    """Return the file of a table.

    Args:
        name: One of `known`.
        places: Folders of data sets. In each, and in ``openml`` under it, the file may be called
            by the name or the number (``44120.arff``, ``electricity.pq``), or lie where OpenML's
            Python package puts it (``44120/dataset_44120.pq``, ``44120/dataset.arff``).

    Raises:
        DataError: If there is none.
    """
    bare = name.removeprefix(PREFIX)
    number = BENCHMARK[bare][0]
    stems = (bare, str(number), f"{number}/dataset_{number}", f"{number}/dataset")
    for place in places:
        for folder in (place, place / "openml"):
            for stem in stems:
                for ending in ENDINGS:
                    path = folder / f"{stem}{ending}"
                    if path.is_file():
                        return path
    raise DataError(
        f"The file of {name} must be on this machine.",
        got="none in " + ", ".join(f"'{place}'" for place in places),
        remedy=f"Fetch https://www.openml.org/d/{number} as ARFF or Parquet, call it "
        f"openml/{number}.arff, and say where the folder is with root= or $RIDGELINE_DATA.",
    )


def read(name: str, path: Path, *, target: str | None, categorical: str) -> Table:
    """Read the table and hold its size against that of the paper.

    Args:
        name: One of `known`.
        path: Its file.
        target: Name of the target; the last column by default, as the benchmark has it.
        categorical: As `ridgeline.data.tables.read` takes it.

    Raises:
        DataError: If there are other numbers of rows or columns.
    """
    table = tables.read(path, target=target, categorical=categorical)
    number, rows, width = BENCHMARK[name.removeprefix(PREFIX)]
    if table.x.shape != (rows, width):
        raise DataError(
            f"{name} has {rows} rows of {width} columns and a target.",
            got=f"{len(table.x)} rows of {table.x.shape[1]} in '{path}'",
            remedy=f"OpenML has more than one set of this name: take number {number}. Or name the "
            "file itself as a table.",
        )
    return table
