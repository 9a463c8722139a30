"""Losses and metrics by name, for the command line, specs and ``Objective(loss="mse")``."""

from collections.abc import Iterable, Mapping
from typing import Any

from ridgeline.errors import UnknownName, WrongKind
from ridgeline.objective.declared import bare
from ridgeline.objective.forms import Metric, unwrapped
from ridgeline.objective.losses import binary_cross_entropy, cross_entropy, squared_error
from ridgeline.objective.metrics import accuracy, error, top_k

__all__ = ["LOSSES", "METRICS", "loss", "loss_of", "metric", "metrics_of"]

LOSSES: dict[str, Metric] = {
    "cross_entropy": cross_entropy,
    "squared_error": squared_error,
    "binary_cross_entropy": binary_cross_entropy,
}
"""Losses by name: what can be descended."""
METRICS: dict[str, Metric] = {
    "error": error,
    "accuracy": accuracy,
    "top5_error": top_k(5),
    **LOSSES,
}
"""Metrics by name: what can be measured; each loss is a metric, too."""
ALSO = {"mse": "squared_error", "bce": "binary_cross_entropy", "ce": "cross_entropy"}
"""Other names of the same."""


def loss(name: str) -> Metric:
    """A loss by its name.

    Raises:
        UnknownName: With the names that are known, the nearest first; also for a metric that is
            no loss, such as ``"accuracy"``.
    """
    return _named("loss", name, LOSSES)


def metric(name: str) -> Metric:
    """A metric by its name.

    Raises:
        UnknownName: With the names that are known, the nearest first.
    """
    return _named("metric", name, METRICS)


def _named(kind: str, name: str, known: Mapping[str, Metric]) -> Metric:
    name = ALSO.get(name, name)
    if name not in known:
        raise UnknownName(kind, name, known)
    return known[name]


def loss_of(given: Metric | str) -> Metric:
    """A loss that was given, or named.

    Raises:
        UnknownName: If there is no loss of a name.
        WrongKind: If it cannot be called with outputs and targets.
    """
    return loss(given) if isinstance(given, str) else _function(given, "loss")


def metrics_of(
    given: str | Metric | Iterable[Any] | Mapping[str, Any],
) -> dict[str, Metric]:
    """Metrics by what they shall be called: of names, or of functions and names by such a name.

    Args:
        given: ``"error,accuracy"``, a function, a list of names and functions, or a mapping.

    Raises:
        UnknownName: If there is no metric of a name.
        WrongKind: If one cannot be called with outputs and targets.
    """
    if isinstance(given, str):
        given = [name.strip() for name in given.split(",") if name.strip()]
    elif callable(given):
        given = [given]
    held: dict[str, Any]
    if isinstance(given, Mapping):
        held = dict(given)
    else:
        held = {f if isinstance(f, str) else _called(f): f for f in given}
    return {n: metric(f) if isinstance(f, str) else _function(f, "metric") for n, f in held.items()}


def _called(function: Any) -> str:
    plain = unwrapped(bare(function))
    return getattr(plain, "__name__", type(plain).__name__)


def _function(given: Metric, kind: str) -> Metric:
    if isinstance(given, type) or not callable(given):
        raise WrongKind(f"A {kind} is a function of outputs and targets.", given, name=kind)
    return given
