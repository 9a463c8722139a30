"""Fitted estimators in files that execute nothing when they are read."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ridgeline.data.scaling import Shift, scaling_of
from ridgeline.errors import CheckpointError, RidgelineError, UsageError
from ridgeline.estimators.soft_trees import SoftTreeClassifier, SoftTreeRegressor
from ridgeline.io import save
from ridgeline.io.formats import read_safetensors
from ridgeline.nets.soft_trees import SoftTrees, splits_and_leaves

__all__ = ["load_estimator", "save_estimator"]

KEY = "ridgeline.estimator"
VERSION = 1
CLASSES = {kind.__name__: kind for kind in (SoftTreeClassifier, SoftTreeRegressor)}
NETWORK, SCALING, TARGET = "network.", "scaling.", "target_scaling."
PICKLES = (b"\x80", b"\x78", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"]\0")
"""First bytes of a pickle, and of the compressions that joblib puts around one."""
REMEDY = "Save the fitted estimator with rl.save_estimator(estimator, 'name.safetensors')."


def save_estimator(
    estimator: SoftTreeClassifier | SoftTreeRegressor,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
) -> Path:
    """Write a fitted estimator as safetensors: whole or not at all.

    Tensors are the network's and the scaling's; parameters, classes and column names are JSON in
    the file's metadata. Reading it runs no code, which of pickle and joblib cannot be said.

    Args:
        estimator: A fitted one of this package's.
        path: A name that ends in ``.safetensors``.
        overwrite: Whether an existing file may be replaced.

    Returns:
        Where it was written.

    Raises:
        UsageError: If it is another estimator or is not fitted, if labels are neither numbers nor
            strings, or if the name does not end so.
        OutputError: If the file exists, or cannot be written.
    """
    kind = type(estimator).__name__
    if CLASSES.get(kind) is not type(estimator):
        raise UsageError(
            f"An estimator that is saved is a {' or a '.join(CLASSES)}.",
            got=f"{kind}",
            remedy="Of a pipeline, save its last step and keep the others in your code.",
        )
    if not hasattr(estimator, "network_"):
        raise UsageError(
            "An estimator that is saved is fitted.", got=f"a {kind} that is not", remedy="Fit it."
        )
    tensors = {NETWORK + name: x for name, x in estimator.state_.items()}
    scalings = {SCALING: estimator.scaling_}
    if isinstance(estimator, SoftTreeRegressor):
        scalings[TARGET] = estimator.target_scaling_
    for prefix, scaling in scalings.items():
        tensors |= {prefix + n: torch.tensor(x) for n, x in scaling.arrays().items()}
    about = {"version": VERSION, "kind": kind, "params": _params(estimator)} | _fitted(estimator)
    return save(tensors, path, metadata={KEY: json.dumps(about)}, overwrite=overwrite)


def _params(estimator: Any) -> dict[str, Any]:
    """Parameters in plain values; a generator of random numbers is left out."""
    given = {name: _plain(value) for name, value in estimator.get_params().items()}
    if not isinstance(given["random_state"], int):
        given["random_state"] = None
    return given


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _fitted(estimator: Any) -> dict[str, Any]:
    network = estimator.network_
    names = getattr(estimator, "feature_names_in_", None)
    facts: dict[str, Any] = {
        "network": {
            **{name: getattr(network, name) for name in ("features", "outputs", "trees", "depth")},
            "kind": network.kind,
        },
        "names": None if names is None else [str(name) for name in names],
        "constant": estimator.constant_features_,
        "epochs": estimator.n_iter_,
        "losses": estimator.validation_losses_,
    }
    if isinstance(estimator, SoftTreeRegressor):
        return facts | {"targets": estimator.n_targets_}
    classes = estimator.classes_
    plain = classes.tolist()
    if not all(isinstance(label, str | int | float | bool) for label in plain):
        raise UsageError(
            "Labels that are saved are numbers or strings.",
            got=f"{type(plain[0]).__name__}",
            remedy="Fit to labels of another type.",
        )
    return facts | {
        "classes": plain,
        "dtype": "object" if classes.dtype == object else classes.dtype.str,
    }


def load_estimator(path: str | os.PathLike[str]) -> SoftTreeClassifier | SoftTreeRegressor:
    """Read a fitted estimator. Never executes code.

    Args:
        path: What `save_estimator` wrote. Pickle and joblib files are refused, whatever they hold:
            to read one is to run what is in it.

    Raises:
        CheckpointError: If the file is missing, torn, or holds no estimator.
    """
    where = Path(path)
    _refuse_pickles(where)
    tensors, metadata = read_safetensors(where)
    about = _about(metadata, where)
    try:
        return _rebuilt(tensors, about)
    except (TypeError, ValueError, AttributeError, LookupError, RuntimeError) as error:
        raise CheckpointError(
            "An estimator's file holds its network, its scaling and its parameters.",
            got=f"'{where}': {error if isinstance(error, RidgelineError) else repr(error)}",
            remedy=REMEDY,
        ) from error


def _refuse_pickles(path: Path) -> None:
    """Refuse what is named so, and what begins as pickles do, compressed or not."""
    if not path.is_file():
        raise CheckpointError("An estimator's file must be there.", got=f"'{path}'", remedy=REMEDY)
    with path.open("rb") as file:
        head = file.read(9)
    pickled = head.startswith(PICKLES) and head[8:] != b"{"
    if pickled or path.suffix in (".joblib", ".pkl", ".pickle"):
        raise CheckpointError(
            "An estimator is read from a file that executes nothing; pickle and joblib files do.",
            got=f"'{path}'",
            remedy="Load it where you trust it, with joblib, and there save it with "
            "rl.save_estimator(estimator, 'name.safetensors').",
        )


def _about(metadata: Mapping[str, str], path: Path) -> Mapping[str, Any]:
    try:
        about = json.loads(metadata.get(KEY, ""))
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, Mapping) or about.get("kind") not in CLASSES:
        raise CheckpointError(
            f"An estimator's file says so under {KEY!r} in its metadata.",
            got=f"'{path}'",
            remedy=REMEDY,
        )
    if about.get("version") != VERSION:
        raise CheckpointError(
            f"This Ridgeline reads estimators of version {VERSION}.",
            got=f"version {about.get('version')!r} in '{path}'",
            remedy="Read it with the Ridgeline that wrote it, or fit anew.",
        )
    return about


def _rebuilt(
    tensors: Mapping[str, torch.Tensor], about: Mapping[str, Any]
) -> SoftTreeClassifier | SoftTreeRegressor:
    def under(prefix: str) -> dict[str, torch.Tensor]:
        return {n.removeprefix(prefix): x for n, x in tensors.items() if n.startswith(prefix)}

    def numbers(prefix: str) -> dict[str, Any]:
        return {name: x.numpy() for name, x in under(prefix).items()}

    made = CLASSES[about["kind"]](**about["params"])
    network = _network(under(NETWORK), **about["network"])
    made.network_ = network.requires_grad_(False)
    made.n_features_in_ = network.features
    made.scaling_ = scaling_of(numbers(SCALING))
    made.scaling_(np.zeros((1, network.features)))  # of another width it does not go
    if about["names"] is not None:
        made.feature_names_in_ = np.asarray(about["names"], dtype=object)
    made.constant_features_ = list(about["constant"])
    made.n_iter_, made.validation_losses_ = about["epochs"], list(about["losses"])
    if isinstance(made, SoftTreeRegressor):
        made.target_scaling_ = Shift(**numbers(TARGET))
        made.n_targets_ = int(about["targets"])
    else:
        made.classes_ = np.asarray(about["classes"], dtype=about["dtype"])
    return made


def _network(
    state: Mapping[str, torch.Tensor],
    features: int,
    outputs: int,
    trees: int,
    depth: int,
    kind: Any,
) -> SoftTrees:
    """The network, its sizes held against its tensors before anything is made of them."""
    shapes = {name: tuple(x.shape) for name, x in state.items()}
    if depth > shapes["weight"][1]:
        raise ValueError(f"a depth of {depth} where there are {shapes['weight'][1]} splits")
    splits, leaves = splits_and_leaves(kind, depth)
    wanted = {
        "weight": (trees, splits, features),
        "bias": (trees, splits),
        "leaves": (trees, leaves, outputs),
    }
    if shapes != wanted:
        raise ValueError(f"tensors of shapes {shapes} where {wanted} are said")
    network = SoftTrees(features, outputs, trees=trees, depth=depth, kind=kind).double()
    network.load_state_dict(state)
    return network
