"""Curve finding: Bezier curves and polygonal chains of low loss (Garipov et al. 2018)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ridgeline.connecting.contract import Connected
from ridgeline.connecting.descent import Descended, Penalty, Problem, descend
from ridgeline.connecting.keeping import kept_in
from ridgeline.connecting.strategy import Descent
from ridgeline.errors import UnknownName, UsageError
from ridgeline.objective import Objective
from ridgeline.paths import Bezier, Line, Path, Polygon
from ridgeline.progress import Progress
from ridgeline.state import State

__all__ = ["CurveFinding", "curve_problem", "notes_on"]

KINDS: dict[str, type[Bezier] | type[Polygon]] = {"bezier": Bezier, "polygon": Polygon}
CALLED = {"bezier": "Bezier curve", "polygon": "chain"}


@dataclass(frozen=True, kw_only=True)
class CurveFinding:
    """Curve whose bends descend the loss at uniformly drawn positions (Garipov et al. 2018).

    The bends start on the straight line, and the ends never move.

    Raises:
        UsageError: If there is no bend.
        UnknownName: If the kind is unknown.
    """

    kind: Literal["bezier", "polygon"] = "bezier"
    """A Bezier curve, or a chain of straight segments."""
    bends: int = 1
    """States between the ends."""
    descent: Descent = field(default_factory=Descent)
    """How they are trained."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownName("kind of curve", str(self.kind), KINDS)
        if isinstance(self.bends, bool) or not isinstance(self.bends, int) or self.bends < 1:
            raise UsageError(
                "A curve has one bend at least, a whole number.",
                got=f"bends={self.bends!r}",
                remedy="The path without a bend is `rl.Line(a, b)`.",
            )

    def connect(
        self,
        a: State,
        b: State,
        objective: Objective,
        *,
        seed: int = 0,
        progress: Progress | None = None,
        keep: str | None = None,
    ) -> Connected:
        """See `Strategy`."""
        problem = curve_problem(a, b, self.kind, self.bends)
        found = descend(
            problem, objective, self.descent, seed=seed, progress=progress, keep=kept_in(keep)
        )
        return Connected(
            path=problem.paths(found.points)[0],
            by=self,
            looks=found.looks,
            losses=found.losses,
            steps=found.steps,
            diverged=found.diverged,
            notes=notes_on(found),
            seconds=found.seconds,
        )


def curve_problem(
    a: State, b: State, kind: str, bends: int, penalty: Penalty | None = None
) -> Problem:
    """A curve between two states as a problem for `descend`.

    Args:
        a: Where it starts.
        b: Where it ends.
        kind: One of `KINDS`.
        bends: States between, which start on the straight line.
        penalty: A term beside the loss.

    Raises:
        StateMismatch: If the states differ in names or shapes.
        NonFinite: If one holds NaN or infinity.
    """
    line = Line(a, b)
    between = np.linspace(0, 1, bends + 2)[1:-1]
    start = line.combination(between)
    points = (line.a, *(start.state(k) for k in range(bends)), line.b)
    made = KINDS[kind](*points)

    def rows(draws: np.random.Generator, count: int) -> NDArray[np.float64]:
        return made.combination(draws.random(count)).tables[0]

    def paths(points: Sequence[State]) -> tuple[Path]:
        return (KINDS[kind](*points),)

    return Problem(
        points=points,
        free=tuple(range(1, bends + 1)),
        rows=rows,
        paths=paths,
        penalty=penalty,
        name=f"{CALLED[kind]} of {bends + 2} points",
    )


def notes_on(found: Descended) -> tuple[str, ...]:
    """Sentences on a descent that did not do what was hoped."""
    notes = []
    first, last = found.looks[0], found.looks[-1]
    if found.diverged is not None:
        notes.append(
            f"The loss ceased to be finite at step {found.diverged}. This is what stood at step "
            f"{found.steps}, the last good state; a lower learning rate or `clip` goes further."
        )
    if last.maximum > first.maximum or last.maximum == first.maximum > first.ends:
        notes.append(
            "The largest loss is not below that on the path it began with: train longer, or change "
            "the learning rate."
        )
    return tuple(notes)
