"""Columns of an exploration: named functions of a line, kept where they have a version."""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.frame.values import asked_for
from ridgeline.measures import BarrierKind
from ridgeline.profiles import Profile
from ridgeline.state import State

__all__ = ["KNOWN", "Column", "barrier", "distance", "ends", "needs_states", "standard"]

KNOWN = ("profile", "a_state", "b_state", "objective")
"""Parameters of a column, besides the columns before it: the profile, the states at both ends
(b carried where it was aligned), and the objective, or objectives by split."""


@dataclass(frozen=True)
class Column:
    """A number of a line that is kept: a function with a version.

    Args:
        function: Asks for what it needs by the names of its parameters: see `KNOWN`.
        version: Raised by whoever changes the numbers that it gives.
        options: Values that it holds: JSON.

    Raises:
        UsageError: If the function has no name by which its numbers are found again.
    """

    function: Callable[..., float]
    version: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        name = getattr(self.function, "__qualname__", "<")
        if name.rpartition(".")[2].startswith("<"):
            raise UsageError(
                "A column that is kept is found again by its function's name and version.",
                got=f"{name}>" if name == "<" else name,
                remedy="Write it with def; a function without a version is asked anew each time.",
            )


def barrier(metric: str = "loss", kind: BarrierKind = "chord", split: str | None = None) -> Any:
    """Return the column of a barrier's height.

    Args:
        metric: Of the objective.
        kind: As `Profile.barrier` takes it.
        split: The first by default.
    """

    def column(profile: Profile) -> float:
        return profile.barrier(kind, metric=metric, split=split).height

    return column


def ends(metric: str = "loss", split: str | None = None) -> Any:
    """Return the column of a metric's mean over both ends."""

    def column(profile: Profile) -> float:
        mean = profile.curve(metric, split).mean
        return float(mean[[0, -1]].mean())

    return column


def _apart(a_state: State, b_state: State) -> float:
    return states.distance(a_state, b_state)


distance = Column(_apart, "1")
"""The distance of both ends over their coordinates."""


def standard(metrics: Container[str]) -> dict[str, Any]:
    """Return the columns that are measured if none are asked for.

    Args:
        metrics: Which the objective has.
    """
    found: dict[str, Any] = {"barrier": barrier(), "loss": ends()}
    if "error" in metrics:
        found |= {"error_barrier": barrier("error"), "error": ends("error")}
    return found | {"distance": distance}


def needs_states(column: Any) -> bool:
    """True if a column asks for more than the profile and other columns."""
    function = column.function if isinstance(column, Column) else column
    return bool(set(asked_for(function)) & set(KNOWN[1:]))
