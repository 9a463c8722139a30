"""What was measured is kept: a killed study goes on, and a figure drawn anew measures nothing.

A measurement is arrays, in the store beside the runs that it is of, under a name made of what was
asked, of the runs' hashes, of the version, and of the text of the function that measures: a changed
function measures again.
"""

import inspect
import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from ridgeline import __version__
from ridgeline.measures import Array, Curve
from ridgeline.profiles import Profile
from ridgeline.study.canonical import digest
from ridgeline.study.store import Store

__all__ = ["FOLDER", "Measurements", "arrays_of", "profile_of"]

FOLDER = ".measured"
FORMAT = 1


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
                "ridgeline": __version__,
                "what": what,
                "runs": list(hashes),
                "settings": dict(settings or {}),
                "code": [_text(function) for function in (measure, *code)],
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


def _text(function: Callable[..., Any]) -> str:
    """The text of a function; of one without text, its name."""
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return getattr(function, "__qualname__", type(function).__name__)


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
