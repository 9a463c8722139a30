"""What was measured is kept: a killed study goes on, and a figure drawn anew measures nothing.

A measurement is arrays, in the store beside the runs that it is of, under a name made of what was
asked, of the runs' hashes, and of the code that measures: the text of the library's own measuring
modules and of the modules that the measuring functions stand in. Changed code measures again.
"""

import hashlib
import inspect
import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ridgeline.errors import UsageError
from ridgeline.measures import Array, Curve
from ridgeline.profiles import Profile
from ridgeline.study.canonical import digest
from ridgeline.study.store import Store

__all__ = ["FOLDER", "Measurements", "arrays_of", "profile_of"]

FOLDER = ".measured"
FORMAT = 2
MEASURING = (
    *("biases/*.py", "engine/*.py", "measures/*.py", "nets/*.py", "objective/*.py"),
    *("paths/*.py", "profiles/*.py", "state.py", "tracing.py", "study/subjects.py"),
)
"""Modules whose change makes every measurement anew."""


class Measurements:
    """Arrays by what was asked.

    Args:
        store: Where they are kept.
    """

    def __init__(self, store: Store) -> None:
        self._place = store.place

    def kept(
        self,
        what: str,
        hashes: Sequence[str],
        measure: Callable[[], Mapping[str, Any]],
        settings: Mapping[str, Any] | None = None,
        code: Sequence[Callable[..., Any]] = (),
    ) -> dict[str, Array]:
        """The arrays of a measurement: from the store, or measured now and stored.

        Args:
            what: Names the measurement.
            hashes: Of the runs that it is of.
            measure: Gives named arrays.
            settings: Whatever else it depends on; JSON values.
            code: Functions whose text is part of the name, besides `measure`.
        """
        key = digest(
            {
                "format": FORMAT,
                "library": library(),
                "what": what,
                "runs": list(hashes),
                "settings": dict(settings or {}),
                "code": [[_text(f), _module(f)] for f in (measure, *code)],
            }
        )
        name = f"{key}.npz"
        with suppress(FileNotFoundError, ValueError, EOFError, zipfile.BadZipFile, KeyError):
            return dict(np.load(io.BytesIO(self._place.read(FOLDER, name)), allow_pickle=False))
        arrays = {k: np.asarray(v) for k, v in measure().items()}
        written = io.BytesIO()
        np.savez_compressed(written, **arrays)  # type: ignore[arg-type]  # its stub lacks keywords
        self._place.write(written.getvalue(), FOLDER, name)
        return arrays


@cache
def library() -> str:
    """A digest of the modules that measure: what they compute may change with any of them."""
    root = Path(__file__).parent.parent
    files = sorted(file for part in MEASURING for file in root.glob(part))
    return hashlib.blake2b(b"".join(file.read_bytes() for file in files), digest_size=8).hexdigest()


@cache
def _module(function: Callable[..., Any]) -> str:
    """A digest of the module that a function stands in: its constants and helpers are there."""
    module = inspect.getmodule(function)
    try:
        text = inspect.getsource(module) if module is not None else ""
    except (OSError, TypeError):
        text = ""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _text(function: Callable[..., Any]) -> str:
    """The text of a function."""
    try:
        return inspect.getsource(function)
    except (OSError, TypeError) as error:
        raise UsageError(
            "What measures is a function with a text, by which its results are found again.",
            got=repr(function),
            remedy="Write a function with def, in place of a partial or a built-in one.",
        ) from error


def arrays_of(profile: Profile) -> dict[str, Any]:
    """A profile as named arrays."""
    found: dict[str, Any] = {"t": profile.t}
    for split, metrics in profile.curves.items():
        for metric, curve in metrics.items():
            key = f"{split}/{metric}"
            found[f"{key}/mean"] = curve.mean
            found[f"{key}/covariance"] = curve.covariance
            found[f"{key}/nonfinite"] = curve.nonfinite
            chance = np.nan if curve.chance is None else curve.chance
            found[f"{key}/about"] = [curve.n, curve.population, curve.higher_is_better, chance]
    return found


def profile_of(arrays: Mapping[str, Array]) -> Profile:
    """The profile that `arrays_of` made arrays of, without its provenance."""
    curves: dict[str, dict[str, Curve]] = {}
    for key in arrays:
        if not key.endswith("/mean"):
            continue
        split, metric, _ = key.split("/")
        at = f"{split}/{metric}"
        n, population, higher, chance = arrays[f"{at}/about"]
        curves.setdefault(split, {})[metric] = Curve(
            t=arrays["t"],
            mean=arrays[key],
            covariance=arrays[f"{at}/covariance"],
            n=int(n),
            population=int(population),
            nonfinite=arrays[f"{at}/nonfinite"].astype(np.int64),
            higher_is_better=bool(higher),
            chance=None if np.isnan(chance) else float(chance),
        )
    return Profile(arrays["t"], curves)
