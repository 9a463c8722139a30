"""Tables that come with R's packages mlbench and kernlab, written to CSV by R itself.

``ridgeline.data.r_sets.export()`` writes them. On Debian the packages are r-cran-mlbench
and r-cran-kernlab, which bring R.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ridgeline.data import downloads, tables
from ridgeline.data.tables import Table
from ridgeline.errors import DataError

__all__ = ["export", "find", "known", "read"]

SETS: dict[str, tuple[str, str, str, str]] = {
    "sonar": ("mlbench", "Sonar", "Class", "Sonar echoes: 208 rows of 60 numbers, 2 classes"),
    "pima": (
        *("mlbench", "PimaIndiansDiabetes", "diabetes"),
        "Diabetes of Pima: 768 rows of 8 numbers, 2 classes",
    ),
    "satellite": (
        *("mlbench", "Satellite", "classes"),
        "Landsat pixels: 6435 rows of 36 numbers, 6 classes",
    ),
    "vehicle": ("mlbench", "Vehicle", "Class", "Silhouettes: 846 rows of 18 numbers, 4 classes"),
    "glass": ("mlbench", "Glass", "Type", "Glass: 214 rows of 9 numbers, 6 classes"),
    "letters": (
        *("mlbench", "LetterRecognition", "lettr"),
        "Printed letters: 20,000 rows of 16 numbers, 26 classes",
    ),
    "shuttle": ("mlbench", "Shuttle", "Class", "Shuttle: 58,000 rows of 9 numbers, 7 classes"),
    "spam": ("kernlab", "spam", "type", "Spam: 4601 rows of 57 numbers, 2 classes"),
    "musk": ("kernlab", "musk", "Class", "Musks: 476 rows of 166 numbers, 2 classes"),
}
"""Name to package, object, target and a line about it."""
PREFIX = "r-"
SCRIPT = """
given <- commandArgs(trailingOnly = TRUE)
found <- new.env()
utils::data(list = given[2], package = given[1], envir = found)
table <- get(given[2], envir = found)
factors <- vapply(table, is.factor, TRUE)
table[factors] <- lapply(table[factors], as.character)
target <- which(names(table) == given[3])
stopifnot(length(target) == 1)
table <- table[c(setdiff(seq_along(table), target), target)]
utils::write.csv(table, given[4], row.names = FALSE, na = "NA")
"""
DEBIAN = "apt-get install r-cran-mlbench r-cran-kernlab"


def known() -> dict[str, str]:
    """The tables, with a line about each."""
    return {PREFIX + name: about[3] for name, about in SETS.items()}


def find(name: str, places: Sequence[Path]) -> Path:
    """Return the file of a table: ``r/NAME.csv`` in one of some folders.

    Raises:
        DataError: If there is none.
    """
    bare = name.removeprefix(PREFIX)
    for place in places:
        for path in (place / "r" / f"{bare}.csv", place / f"{bare}.csv"):
            if path.is_file():
                return path
    raise DataError(
        f"The file of {name} must be on this machine.",
        got="none in " + ", ".join(f"'{place}'" for place in places),
        remedy=f"Write it with R: `{DEBIAN}`, then "
        "`python -c 'from ridgeline.data import r_sets; r_sets.export()'`.",
    )


def read(name: str, path: Path, *, target: str | None, categorical: str) -> Table:
    """Read a table that `export` wrote."""
    del name
    return tables.read(path, target=target, categorical=categorical)


def export(folder: str | os.PathLike[str] | None = None) -> list[Path]:
    """Write all tables as CSV, the target last.

    Args:
        folder: Where to; ``r`` in the cache folder by default, where they are found.

    Returns:
        The files.

    Raises:
        DataError: If R or one of its packages is not there.
    """
    program = shutil.which("Rscript")
    if program is None:
        raise DataError(
            "R's tables are written by R.", got="no Rscript on the path", remedy=f"`{DEBIAN}`"
        )
    where = downloads.cache() / "r" if folder is None else Path(folder)
    where.mkdir(parents=True, exist_ok=True)
    made = []
    for name, (package, of_r, target, _) in SETS.items():
        path = where / f"{name}.csv"
        partial = path.with_suffix(".part")
        arguments = [program, "--vanilla", "-e", SCRIPT, package, of_r, target, str(partial)]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        if done.returncode or not partial.is_file():
            partial.unlink(missing_ok=True)
            raise DataError(
                f"R writes {of_r} of its package {package}.",
                got=f"exit {done.returncode}: {done.stderr.strip()[-300:] or 'no file'}",
                remedy=f"`{DEBIAN}`",
            )
        partial.replace(path)
        made.append(path)
    return made
