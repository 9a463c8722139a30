"""The state of one estimator in the scaling of another."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ridgeline.data.scaling import Shift, same_scaling
from ridgeline.errors import UsageError
from ridgeline.state import State

__all__ = ["transported"]


def transported(source: Any, target: Any) -> State:
    """Return the state that is in `target` the function that `source` is.

    With x = mean + deviation z for both, w_s z_s + b_s = w_t z_t + b_t for all x gives w_t =
    w_s d_t / d_s and b_t = b_s + w_s (m_t - m_s) / d_s. Outputs of a regression likewise: leaves
    times d_s / d_t, and (m_s - m_t) / d_t shared out evenly over all trees.

    Args:
        source: A fitted estimator.
        target: Another.

    Raises:
        UsageError: If they are not comparable.
    """
    _check_comparable(source, target)
    state = source.state_
    if not same_scaling(source.scaling_, target.scaling_):
        here, there = _shift(source), _shift(target)
        by = _tensor((there.mean - here.mean) / here.deviation)
        state["bias"] = state["bias"] + state["weight"] @ by
        state["weight"] = state["weight"] * _tensor(there.deviation / here.deviation)
    here, there = (getattr(e, "target_scaling_", None) for e in (source, target))
    if here is not None and there is not None and not same_scaling(here, there):
        state["leaves"] = state["leaves"] * _tensor(here.deviation / there.deviation)
        by = _tensor((here.mean - there.mean) / there.deviation)
        if source.network_.kind == "modified-list" and bool((by != 0).any()):
            raise UsageError(
                "Regressors of modified lists that are compared have targets of one mean: the "
                "leaf that is empty cannot take the difference.",
                got=f"{here.mean.tolist()} and {there.mean.tolist()}",
                remedy='Use kind="list", or subtract one number from the targets of both.',
            )
        state["leaves"] = state["leaves"] + by / source.network_.trees
    return state


def _shift(estimator: Any) -> Shift:
    if isinstance(estimator.scaling_, Shift):
        return estimator.scaling_
    raise UsageError(
        "Estimators that scale by quantiles are compared when their quantiles are the same.",
        got="others",
        remedy="Use scaling='standard'; or scale the whole table beforehand, and scaling='none'.",
    )


def _check_comparable(source: Any, target: Any) -> None:
    if type(source) is not type(target):
        _refuse("the class", type(source).__name__, type(target).__name__)
    for name in ("kind", "depth", "trees"):
        one, other = (getattr(e.network_, name) for e in (source, target))
        if one != other:
            _refuse(f"`{name}`", one, other)
    if source.n_features_in_ != target.n_features_in_:
        _refuse("the number of columns", source.n_features_in_, target.n_features_in_)
    names = [getattr(e, "feature_names_in_", None) for e in (source, target)]
    if names[0] is not None and names[1] is not None and list(names[0]) != list(names[1]):
        pairs = zip(names[0], names[1], strict=True)
        _refuse("the columns", *next((a, b) for a, b in pairs if a != b))
    classes = [getattr(e, "classes_", np.empty(0)).tolist() for e in (source, target)]
    if classes[0] != classes[1]:
        raise UsageError(
            "Estimators that are compared know the same classes.",
            got=f"{classes[0]} and {classes[1]}",
            remedy="Fit both to rows of every class; a row of sample weight 0 is enough.",
        )
    outputs = [e.network_.outputs for e in (source, target)]
    if outputs[0] != outputs[1]:
        _refuse("the number of targets", *outputs)


def _refuse(what: str, one: object, other: object) -> None:
    raise UsageError(
        f"Estimators that are compared agree in {what}.",
        got=f"{one!r} and {other!r}",
        remedy="Fit both with the same parameters to tables of the same columns.",
    )


def _tensor(x: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(x))
