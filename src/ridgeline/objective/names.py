"""Losses and metrics by name, for the command line, specs and ``Objective(loss="mse")``."""

from collections.abc import Iterable, Mapping

from ridgeline.errors import UnknownName
from ridgeline.objective.forms import Metric
from ridgeline.objective.losses import binary_cross_entropy, cross_entropy, squared_error
from ridgeline.objective.metrics import accuracy, error, top_k

__all__ = ["LOSSES", "METRICS", "loss", "metric", "metrics_of"]

LOSSES: dict[str, Metric] = {
    "cross_entropy": cross_entropy,
    "squared_error": squared_error,
    "binary_cross_entropy": binary_cross_entropy,
}
"""What can be descended: losses by name."""
METRICS: dict[str, Metric] = {
    "error": error,
    "accuracy": accuracy,
    "top5_error": top_k(5),
    **LOSSES,
}
"""What can be measured: metrics by name; each loss is a metric, too."""
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


def metrics_of(
    given: str | Iterable[str] | Mapping[str, Metric | str],
) -> dict[str, Metric]:
    """Metrics by what they shall be called: of names, or of functions and names by such a name.

    Args:
        given: ``"error,accuracy"``, a list of names, or a mapping.

    Raises:
        UnknownName: If there is no metric of a name.
    """
    if isinstance(given, str):
        given = [name.strip() for name in given.split(",") if name.strip()]
    if not isinstance(given, Mapping):
        given = {name: name for name in given}
    return {n: metric(f) if isinstance(f, str) else f for n, f in given.items()}
