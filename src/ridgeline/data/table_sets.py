"""Tables as data sets: files by their path, and sets that have a name.

A spec is a path or a name, then perhaps options: ``adult.csv?target=income&test=1000&seed=1``.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
import torch

from ridgeline.data import downloads, openml, r_sets, scikit
from ridgeline.data.scaling import SCALINGS, fit_scaling
from ridgeline.data.sets import DataSet, Split
from ridgeline.data.tables import CATEGORICAL, SUFFIXES, Table, read
from ridgeline.errors import DataError, RidgelineError, UnknownName, UsageError
from ridgeline.rng import stream

__all__ = ["is_table", "known", "load", "problem_of", "split", "training_rows"]

OPTIONS = ("target", "categorical", "scaling", "task", "train", "test", "seed", "normalise")
TASKS = ("auto", "classes", "values")
MOST = 20
"""Classes beyond which whole numbers are taken for values where nothing is said."""


@dataclass(frozen=True)
class Asked:
    """Options of a spec."""

    target: str | None = None
    categorical: str = "refuse"
    scaling: str = "quantile"
    task: str = "auto"
    train: int | None = None
    test: int | None = None
    seed: int = 0


def known() -> dict[str, str]:
    """The tables that have a name, with a line about each."""
    return scikit.known() | r_sets.known() | openml.known()


def is_table(spec: str) -> bool:
    """True if a spec names a table: one of `known`, or a file by its suffix."""
    name = spec.strip().partition("?")[0]
    return name in known() or Path(name).suffix in SUFFIXES


def training_rows(spec: str) -> int | None:
    """Return how many rows of a table are for training, if it is known from its name."""
    name, asked = _parse(spec)
    if asked.train is not None:
        return asked.train
    rows = scikit.ROWS.get(name) or openml.rows_of(name)
    if rows is None:
        return None
    return rows - (rows // 2 if asked.test is None else asked.test)


def problem_of(spec: str) -> RidgelineError | None:
    """Return what is wrong with a spec's options, before any file is read."""
    try:
        _parse(spec)
    except RidgelineError as error:
        return error
    return None


def load(
    spec: str, *, root: str | os.PathLike[str] | None = None, normalise: bool = True
) -> DataSet:
    """Load a table into memory, split it, and scale its columns.

    Args:
        spec: A path that ends in one of `SUFFIXES`, or one of `known`; then options. ``target``:
            a column's name, the last by default. ``categorical``: ``refuse`` or ``one-hot``.
            ``scaling``: ``quantile`` (a normal law for each column), ``standard`` or ``none``,
            fitted to the training rows. ``task``: ``classes``, ``values``, or ``auto``: words,
            booleans, and whole numbers of at most 20 kinds are classes. ``train``, ``test``: how
            many rows, chosen at random by ``seed``; halves by default.
        root: A folder of data sets, in which files of named sets are looked for; of a path that
            does not exist too.
        normalise: Scale; ``normalise=0`` in the spec is ``scaling=none``.

    Returns:
        Splits ``train`` and ``test``: inputs float32 (N, F), class numbers int64 in the order of
        the labels, or values float32 (N,).

    Raises:
        UsageError: If an option is not understood.
        DataError: If a file is missing or not whole, or there are too few rows.
    """
    name, asked = _parse(spec)
    if not normalise:
        asked = replace(asked, scaling="none")
    base = None if root is None else Path(root)
    if Path(name).suffix in SUFFIXES and name not in known():
        path = Path(name)
        if base is not None and not path.exists():
            path = base / path
        table = read(path, target=asked.target, categorical=asked.categorical)
        described, source = f"Table of {len(table.x)} rows from {path.name}", str(path)
    else:
        table, source = _named(name, base, asked)
        described = known()[name]
    return split(table, asked, name=spec.strip(), description=described, source=source)


def _named(name: str, root: Path | None, asked: Asked) -> tuple[Table, str]:
    if name in scikit.known():
        if asked.target is not None:
            raise UsageError(f"`target` is for files; {name} has one.", got=repr(asked.target))
        return scikit.read(name), "scikit-learn"
    home = r_sets if name in r_sets.known() else openml
    places = [base for base in (root, _given(), downloads.cache()) if base is not None]
    path = home.find(name, places)
    table = home.read(name, path, target=asked.target, categorical=asked.categorical)
    return table, str(path)


def _given() -> Path | None:
    folder = os.environ.get("RIDGELINE_DATA")
    return Path(folder) if folder else None


def split(
    table: Table, asked: Asked, *, name: str, description: str = "", source: str = ""
) -> DataSet:
    """Split a table at random and scale its columns by the training rows.

    Raises:
        DataError: If there are fewer rows than are asked for, or one class.
    """
    rows = len(table.x)
    test = asked.test if asked.test is not None else _rest(asked.train, rows)
    train = asked.train if asked.train is not None else rows - test
    if train < 1 or test < 1 or train + test > rows:
        raise DataError(
            f"Training and test rows are from 1 on, and together at most {rows}.",
            got=f"train={train}, test={test}",
            remedy="Ask for fewer, or leave them out for halves.",
        )
    order = torch.randperm(rows, generator=stream(asked.seed, "table")).numpy()
    parts = {"train": order[:train], "test": order[train : train + test]}
    targets, classes, labels = _targets(table, asked.task)
    if classes is not None:
        _check_seen(targets[parts["train"]], targets[parts["test"]], labels)
    scaling = fit_scaling(asked.scaling, table.x[parts["train"]])
    splits = {
        part: Split(
            torch.from_numpy(scaling(table.x[chosen])).float(), torch.from_numpy(targets[chosen])
        )
        for part, chosen in parts.items()
    }
    told = f"{description}; classes {', '.join(labels)}" if labels else description
    return DataSet(name, splits, classes, told, source)


def _rest(train: int | None, rows: int) -> int:
    return rows // 2 if train is None else rows - train


def _targets(table: Table, task: str) -> tuple[np.ndarray, int | None, list[str]]:
    """Targets as class numbers or as values, how many classes there are, and their labels."""
    y = table.y
    if task == "auto":
        few = table.is_classes and (y.dtype.kind not in "iu" or len(np.unique(y)) <= MOST)
        task = "classes" if few else "values"
    if task == "values":
        if y.dtype.kind == "O":
            raise DataError(
                "Values are numbers.",
                got=f"words in the target {table.target!r}",
                remedy="Ask for task=classes.",
            )
        return y.astype(np.float32), None, []
    labels, numbers = np.unique(y.astype(str) if y.dtype.kind == "O" else y, return_inverse=True)
    if len(labels) < 2:
        raise DataError(
            "A target has two classes or more.",
            got=f"{labels.tolist()[0]!r} in all rows of {table.target!r}",
            remedy="Name another column with target=.",
        )
    return numbers.astype(np.int64), len(labels), [str(label) for label in labels.tolist()]


def _check_seen(train: np.ndarray, test: np.ndarray, labels: list[str]) -> None:
    """Refuse a class that is asked for in the test and not there to be learnt."""
    unseen = sorted(set(test.tolist()) - set(train.tolist()))
    if unseen:
        raise DataError(
            "A class of the test rows is one of the training rows.",
            got=f"{', '.join(repr(labels[i]) for i in unseen[:5])} in none of {len(train)} rows",
            remedy="Take more training rows or another seed, or leave rare classes out of the "
            "table.",
        )


def _parse(spec: str) -> tuple[str, Asked]:
    name, _, text = spec.strip().partition("?")
    given: dict[str, str] = {}
    for key, value in parse_qsl(text.replace("+", "%2B"), keep_blank_values=True):
        if key not in OPTIONS:
            raise UnknownName(f"option of the table {name}", key, OPTIONS)
        if key in given or not value:
            raise UsageError("Options of a table are given once, with a value.", got=repr(text))
        given[key] = value
    if given.pop("normalise", "1") == "0":
        given["scaling"] = "none"
    for key, ways in CHOICES.items():
        if key in given and given[key] not in ways:
            raise UnknownName(key, given[key], ways)
    numbers: dict[str, int] = {}
    for key in ("train", "test", "seed"):
        if key in given and not given[key].isdecimal():
            raise UsageError(f"`{key}` is a whole number.", got=repr(given[key]))
        numbers |= {key: int(given.pop(key))} if key in given else {}
    return name, Asked(**given, **numbers)  # pyright: ignore[reportArgumentType] (texts and numbers by name)


CHOICES: Mapping[str, tuple[str, ...]] = {
    "categorical": CATEGORICAL,
    "scaling": SCALINGS,
    "task": TASKS,
}
