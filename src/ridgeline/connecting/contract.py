"""Contract of curve finding: a strategy, and what connecting two states gives."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ridgeline.connecting.looking import Look
from ridgeline.connecting.measuring import stretch
from ridgeline.errors import WrongKind
from ridgeline.objective import Objective
from ridgeline.paths import Path
from ridgeline.progress import Progress
from ridgeline.state import State

__all__ = ["Connected", "Strategy", "check_objective", "check_strategy"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Connected:
    """A path between two states."""

    path: Path
    """From a to b, its ends theirs bit for bit: to be profiled as any other."""
    by: "Strategy"
    looks: tuple[Look, ...]
    """The largest loss on the path now and then, on a sample of the data: first on the path that
    the search began with, last on the one that was found."""
    losses: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """Loss of each step at the points that were drawn, on its batch."""
    steps: int = 0
    """Steps of which the path is the outcome."""
    diverged: int | None = None
    """Step at which the loss ceased to be finite; the path is that of the last look before."""
    notes: tuple[str, ...] = ()
    """Sentences that a reader should know."""
    seconds: float = float("nan")

    @property
    def before(self) -> float:
        """The largest loss on the path that the search began with, on the samples watched."""
        return self.looks[0].maximum

    @property
    def after(self) -> float:
        """The largest loss on the path that was found, on the same samples."""
        return self.looks[-1].maximum

    @property
    def stretch(self) -> float:
        """The length of the path over the distance of its ends; 1 for a straight one."""
        return stretch(self.path)

    def __str__(self) -> str:
        first, last = self.looks[0], self.looks[-1]
        lines = [
            f"{self.path!r} after {self.steps} steps",
            f"  largest loss on it {last.maximum:.4g} at t = {last.at:.2f}, "
            f"on the path it began with {first.maximum:.4g}; ends up to {last.ends:.4g}",
            f"  {self.stretch:.3g} times as long as the straight line",
        ]
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


class Strategy(Protocol):
    """Strategy by which a path between two states is found."""

    def connect(
        self,
        a: State,
        b: State,
        objective: Objective,
        *,
        seed: int,
        progress: Progress | None,
        keep: str | None,
    ) -> Connected:
        """A path from a to b on which the loss is low.

        Args:
            a: Where it starts.
            b: Where it ends.
            objective: The loss, its data and its policies.
            seed: Names every draw.
            progress: Told of steps, with the largest loss on the path.
            keep: File of snapshots, to go on from.
        """
        ...


def check_strategy(by: object) -> None:
    """Refuse what is no strategy.

    Raises:
        WrongKind: If it has no method ``connect``, or is a class.
    """
    if isinstance(by, type) or not hasattr(by, "connect"):
        raise WrongKind("A strategy is an instance, such as `rl.CurveFinding()`.", by, name="by")


def check_objective(objective: object) -> None:
    """Refuse what is no objective.

    Raises:
        WrongKind: Naming what was given.
    """
    if not isinstance(objective, Objective):
        raise WrongKind(
            "What is descended is an `rl.Objective`: `rl.connect(a, b, objective)`.",
            objective,
            name="objective",
        )
