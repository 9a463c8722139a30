"""What was measured is kept: a killed study goes on, and a figure drawn anew measures nothing.

A measurement is arrays, in the store beside the runs that it is of, under its `Key`, which is in
the file as well.
"""

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.measures import Array, Curve, WholeEnds
from ridgeline.profiles import Profile
from ridgeline.study.keys import Key
from ridgeline.study.store import Store

__all__ = ["FOLDER", "Measurements", "arrays_of", "profile_of"]

FOLDER = ".measured"
KEY = ".key"
"""Name of the array that holds the key's text; no measurement has an array of this name."""
UNREADABLE = (FileNotFoundError, ValueError, EOFError, zipfile.BadZipFile, KeyError)


class Measurements:
    """Arrays by what was asked.

    Args:
        store: Where they are kept.
    """

    def __init__(self, store: Store) -> None:
        self._place = store.place

    def kept(self, key: Key, measure: Callable[[], Mapping[str, Any]]) -> dict[str, Array]:
        """The arrays of a measurement: from the store, or measured now and stored.

        Args:
            key: All that they depend on.
            measure: Gives named arrays.

        Raises:
            UsageError: If it gives something else.
        """
        name = f"{key.digest}.npz"
        with suppress(*UNREADABLE):
            return self._read(name)[1]
        arrays = {k: _array(k, v) for k, v in measure().items()}
        self._place.write(_packed({**arrays, KEY: np.array(key.text)}), FOLDER, name)
        return arrays

    def __iter__(self) -> Iterator[tuple[dict[str, Any], dict[str, Array]]]:
        """All that is kept and can be read: the plain key and the arrays of each."""
        for name in self._place.names(FOLDER):
            with suppress(*UNREADABLE):
                text, arrays = self._read(name)
                yield json.loads(text), arrays

    def _read(self, name: str) -> tuple[str, dict[str, Array]]:
        packed = io.BytesIO(self._place.read(FOLDER, name))
        arrays = dict(np.load(packed, allow_pickle=False))
        return str(arrays.pop(KEY)), arrays


def _array(name: str, value: Any) -> Array:
    """Return one of a measurement's arrays, of numbers or of texts."""
    value = value.detach().cpu().numpy() if isinstance(value, Tensor) else value
    try:
        made = np.asarray(value)
    except ValueError:  # lists of unequal lengths
        made = np.asarray(None)
    if made.dtype.kind not in "biufcU" or name == KEY:
        raise UsageError(
            "A measurement gives arrays of numbers or of texts, by name.",
            got=f"{name!r}: {value!r}"[:200],
            remedy="Give lists of unequal lengths one by one, and NaN in place of None.",
        )
    return made


def _packed(arrays: Mapping[str, Array]) -> bytes:
    """Return an archive as `numpy.savez_compressed` writes it, whatever the arrays are called."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    return written.getvalue()


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
            about = [curve.n, curve.population, curve.higher_is_better, chance, curve.left_out]
            found[f"{key}/about"] = [*about, curve.rounding]
            if curve.whole is not None:
                found[f"{key}/whole_mean"] = curve.whole.mean
                found[f"{key}/whole_covariance"] = curve.whole.covariance
    return found


def profile_of(arrays: Mapping[str, Array]) -> Profile:
    """The profile that `arrays_of` made arrays of, without its provenance."""
    curves: dict[str, dict[str, Curve]] = {}
    for key in arrays:
        if not key.endswith("/mean"):
            continue
        split, metric, _ = key.split("/")
        at = f"{split}/{metric}"
        # What was kept before samples could be left out has no number of them, nor the rounding.
        n, population, higher, chance, left_out, rounding = (*arrays[f"{at}/about"], 0, 0)[:6]
        whole = f"{at}/whole_mean" in arrays
        curves.setdefault(split, {})[metric] = Curve(
            t=arrays["t"],
            mean=arrays[key],
            covariance=arrays[f"{at}/covariance"],
            n=int(n),
            population=int(population),
            nonfinite=arrays[f"{at}/nonfinite"].astype(np.int64),
            higher_is_better=bool(higher),
            chance=None if np.isnan(chance) else float(chance),
            left_out=int(left_out),
            whole=WholeEnds(arrays[f"{at}/whole_mean"], arrays[f"{at}/whole_covariance"])
            if whole
            else None,
            rounding=float(rounding),
        )
    return Profile(arrays["t"], curves)
