"""What was measured is kept: a killed study goes on, and a figure drawn anew measures nothing.

A measurement is arrays, in the store beside the runs that it is of, under a name made of what was
asked, of the runs' hashes, and of the code that measures: the library's own measuring modules and
the modules that the measuring functions stand in, as syntax trees. Changed code measures again;
changed comments, docstrings, layout or claims do not.
"""

import ast
import hashlib
import inspect
import io
import textwrap
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ridgeline.errors import UsageError
from ridgeline.measures import Array, Curve, WholeEnds
from ridgeline.profiles import Profile
from ridgeline.study.canonical import digest
from ridgeline.study.store import Store

__all__ = ["FOLDER", "Measurements", "arrays_of", "profile_of"]

FOLDER = ".measured"
FORMAT = 3
MEASURING = (
    *("biases/*.py", "engine/*.py", "measures/*.py", "nets/*.py", "objective/*.py"),
    *("matching/**/*.py", "merging/*.py", "symmetry/**/*.py", "paths/*.py", "profiles/*.py"),
    *("repairs/*.py", "state/*.py", "functional/*.py", "tracing/*.py", "values.py"),
    "study/subjects.py",
)
"""Modules whose change makes every measurement anew."""
ASKING = frozenset({"ITEMS", "PAPER", "__all__"})
"""What a study's module says of claims: it comes after measuring, and changes no number."""


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
            code: Functions whose code is part of the name, besides `measure`.
        """
        key = digest(
            {
                "format": FORMAT,
                "library": library(),
                "what": what,
                "runs": list(hashes),
                "settings": dict(settings or {}),
                "code": [[_function(f), _module(f)] for f in (measure, *code)],
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
    return _digest("".join(_code(file.read_text(encoding="utf-8")) for file in files))


def _module(function: Callable[..., Any]) -> str:
    """A digest of the module that a function stands in: its constants and helpers are there."""
    module = inspect.getmodule(function)
    try:
        text = inspect.getsource(module) if module is not None else ""
    except (OSError, TypeError):
        text = ""
    return _digest(_code(text))


def _function(function: Callable[..., Any]) -> str:
    """A digest of a function."""
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError) as error:
        raise UsageError(
            "What measures is a function with a text, by which its results are found again.",
            got=repr(function),
            remedy="Write a function with def, in place of a partial or a built-in one.",
        ) from error
    return _digest(_code(textwrap.dedent(text)))


@cache
def _code(text: str) -> str:
    """What a text of Python does, without how it is written or explained.

    Its syntax tree without strings that stand alone, which are docstrings, and without `ASKING`. A
    piece that is no program, such as the line in which a lambda is written, is taken as it is. The
    form of a tree is the interpreter's: another version of Python measures again.
    """
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return text
    for node in ast.walk(tree):
        for _, part in ast.iter_fields(node):
            if isinstance(part, list):
                part[:] = [one for one in part if not _explains(one)]
    tree.body = [one for one in tree.body if not _asks(one)]
    return ast.dump(tree)


def _explains(node: Any) -> bool:
    """True if it is a statement of a string alone, as docstrings are."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _asks(node: ast.stmt) -> bool:
    """True if it is a module's table of claims, or of names."""
    targets = node.targets if isinstance(node, ast.Assign) else []
    return bool(targets) and all(isinstance(t, ast.Name) and t.id in ASKING for t in targets)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


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
