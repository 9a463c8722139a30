"""``align`` and ``merge`` of fitted estimators, from files that execute nothing, on a table."""

import argparse
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from ridgeline.cli.consoles import progress_bar, say
from ridgeline.cli.matching import check_written
from ridgeline.cli.merging import weights_of
from ridgeline.cli.results import Result, finish
from ridgeline.data import tables
from ridgeline.errors import DataError, UsageError
from ridgeline.matching import (
    MergeMany,
    Strategy,
    ToReference,
    TreeActivationMatching,
    TreeWeightMatching,
    align,
    align_many,
)
from ridgeline.matching.fitted import symmetry_of
from ridgeline.merging import merge
from ridgeline.progress import Progress

__all__ = ["fitted_aligned", "fitted_merged", "read_estimators"]

KEY = "ridgeline.estimator"
OF_NETWORKS = {
    **dict.fromkeys(("model", "symmetry", "example", "without", "layers", "base", "split"), None),
    "metrics": None,
    "report": None,
    "loss": "cross_entropy",
}
"""Options of checkpoints alone, with what they are where they are not given."""


def read_estimators(paths: Sequence[str]) -> list[Any]:
    """Return the estimators that files hold; empty where they are checkpoints.

    Raises:
        UsageError: If some are the one and some the other.
        CheckpointError: If a file is torn.
    """
    held = [_is_estimator(Path(path)) for path in paths]
    if not any(held):
        return []
    if not all(held):
        raise UsageError(
            "Estimators go with estimators, and checkpoints with checkpoints.",
            got=f"the estimator {paths[held.index(True)]!r} and {paths[held.index(False)]!r}",
            remedy="Save the other with rl.save_estimator(estimator, 'name.safetensors').",
        )
    from ridgeline.estimators import load_estimator

    return [load_estimator(path) for path in paths]


def fitted_aligned(chosen: argparse.Namespace, given: list[Any]) -> int:
    """Carry the second estimator's trees to where they lie nearest to the first's."""
    _check(chosen)
    a, b = given
    table = _table(chosen, a)
    with progress_bar() as tell:
        carried = _aligned(chosen, chosen.by, given, table, tell)[1]
        made = {"halfway": merge([a, b]), "halfway, aligned": merge([a, carried])}
    found = carried.aligned_
    scores = _scores({chosen.a: a, chosen.b: b, **made}, table)
    return _told(chosen, carried, [str(found)], found.summary(), scores, "alignment")


def fitted_merged(chosen: argparse.Namespace, given: list[Any]) -> int:
    """Merge estimators, aligned before if asked."""
    _check(chosen)
    if chosen.by != "mean":
        raise UsageError(
            "Estimators are merged to their mean.", got=f"--by {chosen.by}", remedy="Leave it out."
        )
    if chosen.repair or not (chosen.out or chosen.data or chosen.json):
        raise UsageError(
            "A merge of estimators is written or measured, and has no layers to repair.",
            got="--repair" if chosen.repair else "neither --out nor --data",
            remedy="Give --out FILE or --data TABLE, without --repair.",
        )
    weights, table = weights_of(chosen.weights), _table(chosen, given[0])
    said = []
    with progress_bar() as tell:
        carried = given
        if chosen.align:
            carried = _aligned(chosen, chosen.align_by or "weights", given, table, tell)
            said.append(str(carried[-1].aligned_).splitlines()[0])
        merged: Any = merge(carried, weights=weights)
    said.append(str(merged.merged_))
    names = dict(zip(chosen.states, given, strict=True))
    scores = _scores({**names, "merged": merged}, table)
    summary = {"count": merged.merged_.count, "weights": merged.merged_.weights}
    return _told(chosen, merged, said, summary, scores, "merge")


def _is_estimator(path: Path) -> bool:
    if path.suffix != ".safetensors" or not path.is_file():
        return False
    try:
        with safe_open(path, framework="pt") as file:
            return KEY in (file.metadata() or {})
    except Exception:  # torn: whoever reads it says so
        return False


def _check(chosen: argparse.Namespace) -> None:
    """Refuse what is of checkpoints, and places that cannot be written to.

    Raises:
        UsageError: If such an option is given.
        OutputError: If something is there already.
    """
    for name, default in OF_NETWORKS.items():
        if getattr(chosen, name, default) != default:
            raise UsageError(
                "Estimators bring their network, its loss and its symmetry.",
                got=f"--{name}",
                remedy="Leave it out.",
            )
    check_written(chosen, (".safetensors",))


def _table(chosen: argparse.Namespace, first: Any) -> "tables.Table | None":
    """The table, its columns as the first estimator names and orders them.

    Raises:
        DataError: If columns are missing.
        UsageError: If a target is named without a table.
    """
    if chosen.data is None:
        if chosen.target is not None:
            raise UsageError("--target is a column of --data.", got="no --data")
        return None
    names = getattr(first, "feature_names_in_", None)
    words = names is not None and any("=" in str(n) for n in names)
    found = tables.read(
        chosen.data, target=chosen.target, categorical="one-hot" if words else "refuse"
    )
    wanted = found.names if names is None else tuple(map(str, names))
    missing = [n for n in wanted if n not in found.names]
    if missing or len(wanted) != first.n_features_in_:
        raise DataError(
            "A table has the columns that the estimators were fitted on.",
            got=f"'{chosen.data}' without {missing[0]!r}"
            if missing
            else f"{len(wanted)} columns in place of {first.n_features_in_}",
            remedy="Give the table with all of them; others are left aside.",
        )
    columns = [found.names.index(n) for n in wanted]
    return tables.Table(wanted, found.x[:, columns], found.y, found.target)


def _aligned(
    chosen: argparse.Namespace,
    name: str,
    given: list[Any],
    table: "tables.Table | None",
    tell: Progress,
) -> list[Any]:
    by = _strategy(name, given[0], table)
    if len(given) == 2:
        a, b = given
        return [a, align(a, b, symmetry_of(a), by=by, seed=chosen.seed, progress=tell)]
    if getattr(chosen, "align_many", None) == "cycle-consistent":
        raise UsageError(
            "Estimators come into one frame by merge-many or reference.",
            got="--align-many cycle-consistent",
        )
    many = ToReference(by=by) if chosen.align_many == "reference" else MergeMany(by=by)
    return list(align_many(given, by=many, seed=chosen.seed, progress=tell))


def _strategy(name: str, first: Any, table: "tables.Table | None") -> Strategy:
    if name == "weights":
        return TreeWeightMatching()
    if name != "activations":
        raise UsageError("Trees are matched by weights or by activations.", got=f"--by {name}")
    if table is None:
        raise UsageError(
            "Matching by activations looks at data.", got="no --data", remedy="Give a table."
        )
    rows = torch.from_numpy(first.scaling_(table.x))
    return TreeActivationMatching(model=first.network_, data=rows)


def _scores(given: Mapping[str, Any], table: "tables.Table | None") -> dict[str, float]:
    """Accuracy, or R squared, of each on the table."""
    if table is None:
        return {}
    y = table.y
    classes = getattr(next(iter(given.values())), "classes_", None)
    if classes is not None and (classes.dtype.kind in "OU") != (y.dtype.kind in "OU"):
        raise DataError(
            "A table's classes are of the estimators' kind: words, or numbers.",
            got=f"{y[:1].tolist()[0]!r} in {table.target!r}, and classes {classes[:3].tolist()}",
            remedy="Name another column: --target.",
        )
    with warnings.catch_warnings():  # columns were put into its order: their names are known
        warnings.filterwarnings("ignore", "X does not have valid feature names")
        return {name: float(one.score(table.x, y)) for name, one in given.items()}


def _told(
    chosen: argparse.Namespace,
    made: Any,
    said: Sequence[str],
    summary: Mapping[str, Any],
    scores: Mapping[str, float],
    what: str,
) -> int:
    from ridgeline.estimators import save_estimator

    measure = "accuracy" if hasattr(made, "classes_") else "R2"
    lines = [f"  {name}: {measure} {value:.4f}" for name, value in scores.items()]
    result = Result(
        told=lambda: {what: dict(summary), "measure": measure, "scores": dict(scores)},
        show=lambda: say([*said, *lines]),
        save=lambda: _save(save_estimator, made, chosen),
    )
    return finish(chosen, result)


def _save(save: Any, made: Any, chosen: argparse.Namespace) -> None:
    save(made, chosen.out, overwrite=chosen.overwrite)
