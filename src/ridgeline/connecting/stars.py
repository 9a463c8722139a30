"""Stars: a centre from which straight lines of low loss lead to every foot.

Lin et al. (2024, Eq. 6 and 7) train a centre for r minima by the loss at sampled points of its
arms; Sonthalia et al. (2024) ask whether it is linearly connected to minima it was not trained on.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ridgeline import state as states
from ridgeline.connecting.contract import check_objective
from ridgeline.connecting.curves import notes_on
from ridgeline.connecting.descent import Problem, descend
from ridgeline.connecting.keeping import kept_in
from ridgeline.connecting.looking import Look
from ridgeline.connecting.measuring import stretch
from ridgeline.connecting.strategy import Descent
from ridgeline.errors import UnknownName, UsageError
from ridgeline.matching import WeightMatching, align
from ridgeline.matching.contract import Strategy as Matching
from ridgeline.objective import Objective
from ridgeline.paths import Line, Polygon, noise
from ridgeline.progress import Progress
from ridgeline.state import State
from ridgeline.symmetry import Symmetry
from ridgeline.training.optimisers import Adam

__all__ = ["Star", "StarFinding", "carried", "star"]

STARTS = ("mean", "foot", "random")
SAMPLING = ("uniform", "beta", "constant")


def _descent() -> Descent:
    return Descent(positions=3, optimiser=Adam(learning_rate=0.01))


@dataclass(frozen=True, kw_only=True)
class StarFinding:
    """A centre that descends the loss at points of the arms to its feet (Lin et al. 2024, Eq. 7).

    Raises:
        UnknownName: If a choice is unknown.
        UsageError: If no foot is drawn in a step.
    """

    start: Literal["mean", "foot", "random"] = "mean"
    """Where the centre starts: the mean of the feet, the first foot, or noise with the spread of
    each weight of the first foot, its vectors those of the mean."""
    sampling: Literal["uniform", "beta", "constant"] = "uniform"
    """Law of the centre's share of a point: uniform, Beta(2, 2), or one half always."""
    feet: int = 1
    """Feet drawn in a step, with replacement; each with the descent's number of positions."""
    descent: Descent = field(default_factory=_descent)
    """Adam at 0.01 and three positions are Lin et al.'s."""

    def __post_init__(self) -> None:
        if self.start not in STARTS:
            raise UnknownName("start of a centre", str(self.start), STARTS)
        if self.sampling not in SAMPLING:
            raise UnknownName("law of positions", str(self.sampling), SAMPLING)
        if isinstance(self.feet, bool) or not isinstance(self.feet, int) or self.feet < 1:
            raise UsageError("`feet` is a whole number from 1.", got=repr(self.feet))

    def begin(self, feet: Sequence[State], seed: int = 0) -> State:
        """The centre before the first step.

        Args:
            feet: States.
            seed: Names the noise.
        """
        if self.start == "foot":
            return dict(feet[0])
        middle = states.mean(feet)
        if self.start == "mean":
            return middle
        drawn = noise(feet[0], seed=seed)
        moving = {n for n in states.coordinates(feet[0]) if feet[0][n].ndim > 1}
        kept = {states.place(feet[0][n]) for n in moving}
        return {n: drawn[n] if states.place(feet[0][n]) in kept else middle[n] for n in middle}

    def shares(self, draws: np.random.Generator, count: int) -> NDArray[np.float64]:
        """The centre's share of so many points."""
        if self.sampling == "constant":
            return np.full(count, 0.5)
        return draws.beta(2, 2, count) if self.sampling == "beta" else draws.random(count)


@dataclass(frozen=True, eq=False, kw_only=True)
class Star:
    """A centre and its feet."""

    centre: State
    feet: tuple[State, ...]
    """As given, or carried to the first if a symmetry was."""
    by: StarFinding
    looks: tuple[Look, ...]
    """The largest loss on the worst arm now and then, on a sample of the data."""
    losses: NDArray[np.float64]
    """Loss of each step, at the points that were drawn."""
    steps: int
    aligned: bool = False
    """True if the feet were carried by a symmetry before."""
    diverged: int | None = None
    """Step at which the loss ceased to be finite."""
    notes: tuple[str, ...] = ()
    seconds: float = float("nan")

    def arm(self, foot: int) -> Line:
        """The line from a foot, by its number, to the centre."""
        return Line(self.feet[foot], self.centre)

    def fold(self, first: int, second: int) -> Polygon:
        """The chain from one foot through the centre to another."""
        return Polygon(self.feet[first], self.centre, self.feet[second])

    def stretch(self, first: int, second: int) -> float:
        """The length of that chain over the distance of the two feet.

        It bounds the normalised geodesic distance from above (Lin et al. 2024, Eq. 8).
        """
        return stretch(self.fold(first, second))

    def __str__(self) -> str:
        first, last = self.looks[0], self.looks[-1]
        how = "aligned to the first" if self.aligned else "as given"
        lines = [
            f"Star of {len(self.feet)} feet, {how}, after {self.steps} steps from the "
            f"start '{self.by.start}'",
            f"  largest loss on an arm {last.maximum:.4g} (arm {last.path}), where it began "
            f"{first.maximum:.4g}",
        ]
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


def star(
    feet: Sequence[State],
    objective: Objective,
    *,
    by: StarFinding | None = None,
    symmetry: Symmetry | None = None,
    match: Matching | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    keep: str | os.PathLike[str] | None = None,
) -> Star:
    """Find a centre that is linearly connected to several states.

    Args:
        feet: Two states or more, which stay as they are.
        objective: The loss that is descended.
        by: Numbers of the search.
        symmetry: Carries every foot to where it is nearest to the first, before.
        match: The strategy for that; weight matching by default.
        seed: Names every draw.
        progress: Told of steps, with the largest loss on an arm at the last look.
        keep: A ``.safetensors`` file of snapshots; see `connect`.

    Raises:
        UsageError: If there are fewer than two feet.
        StateMismatch: If they differ in names or shapes, or are not of the model.
        NonFinite: If one holds NaN or infinity.
        ForwardFailed: If the model or its loss raises.
    """
    check_objective(objective)
    given = list(feet)
    if len(given) < 2:
        raise UsageError(
            "A star has two feet at least.",
            got=f"{len(given)}",
            remedy="Give the states in a list: `rl.star([a, b, c], objective)`.",
        )
    how = StarFinding() if by is None else by
    given = list(Polygon(*given).points)  # of one network, and finite
    if symmetry is not None:
        given = [given[0], *(carried(given[0], x, symmetry, match, seed) for x in given[1:])]
    found = descend(
        _problem(given, how, seed),
        objective,
        replace(how.descent, positions=how.descent.positions * how.feet),
        seed=seed,
        progress=progress,
        keep=kept_in(keep),
    )
    return Star(
        centre=found.points[-1],
        feet=found.points[:-1],
        by=how,
        looks=found.looks,
        losses=found.losses,
        steps=found.steps,
        aligned=symmetry is not None,
        diverged=found.diverged,
        notes=notes_on(found),
        seconds=found.seconds,
    )


def carried(
    to: State, state: State, symmetry: Symmetry, match: Matching | None, seed: int
) -> State:
    """A state carried by a symmetry to where it is nearest to another."""
    return align(to, state, symmetry, by=match or WeightMatching(), seed=seed).state


def _problem(feet: Sequence[State], by: StarFinding, seed: int) -> Problem:
    count, each = len(feet), by.descent.positions

    def rows(draws: np.random.Generator, wanted: int) -> NDArray[np.float64]:
        at = np.repeat(draws.integers(count, size=wanted // each), each)
        share = by.shares(draws, wanted)
        table = np.zeros((wanted, count + 1))
        table[np.arange(wanted), at] = 1 - share
        table[:, count] += share
        return table

    def paths(points: Sequence[State]) -> list[Polygon]:
        return [Polygon(foot, points[-1]) for foot in points[:-1]]

    with torch.inference_mode(False):
        start = by.begin(feet, seed)
    return Problem(
        points=(*feet, start),
        free=(count,),
        rows=rows,
        paths=paths,
        name=f"star of {count} feet ({by.start}, {by.sampling}, {by.feet})",
    )
