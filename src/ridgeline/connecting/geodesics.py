"""Geodesics: short chains of low loss, over a grid of penalties on their length."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path as File

import numpy as np
import torch
from torch import Tensor

from ridgeline.connecting.contract import check_objective
from ridgeline.connecting.curves import curve_problem, notes_on
from ridgeline.connecting.descent import descend
from ridgeline.connecting.keeping import Kept
from ridgeline.connecting.looking import Look
from ridgeline.connecting.measuring import stretch
from ridgeline.connecting.stars import carried
from ridgeline.connecting.strategy import Descent
from ridgeline.errors import UsageError
from ridgeline.matching.contract import Strategy as Matching
from ridgeline.objective import Objective
from ridgeline.paths import Grid, Line, Path, Polygon
from ridgeline.profiles import Profile, profile
from ridgeline.profiles.profile import Objectives, as_splits
from ridgeline.progress import Progress
from ridgeline.state import State
from ridgeline.symmetry import Symmetry
from ridgeline.training.optimisers import Adam

__all__ = ["PENALTIES", "Chain", "Geodesic", "SquaredSegments", "geodesic"]

PENALTIES = (0.0, *(float(x) for x in np.geomspace(0.01, 10, 7).round(6)))
"""None, and seven on a logarithmic grid, in units of the loss over the squared distance."""


@dataclass(frozen=True)
class SquaredSegments:
    """Penalty on the squared lengths of a chain's segments, in units of the straight distance.

    Of K segments it is ``strength K / 4 sum_k |segment k|^2 / |b - a|^2``: a quarter of the
    strength for a straight chain. With one bend it is the mean of the squared distances to both
    ends (Lin et al. 2024, Eq. 6 with r = 2), over that of the ends.
    """

    strength: float

    def value(self, matrix: Tensor) -> float:
        """See `Penalty`."""
        squares = matrix.diff(dim=0).double().square().sum()
        return float(self._factor(matrix) / 2 * squares)

    def add_gradient(self, matrix: Tensor, out: Sequence[Tensor]) -> None:
        """See `Penalty`."""
        factor = float(self._factor(matrix))
        for k, x in enumerate(out, start=1):
            x.add_(2 * matrix[k] - matrix[k - 1] - matrix[k + 1], alpha=factor)

    def _factor(self, matrix: Tensor) -> Tensor:
        straight = (matrix[-1] - matrix[0]).double().square().sum()
        return self.strength * (len(matrix) - 1) / 2 / straight.clamp(min=1e-300)


@dataclass(frozen=True, eq=False, kw_only=True)
class Chain:
    """The chain that was found at one penalty."""

    penalty: float
    """Its strength; see `SquaredSegments`."""
    path: Polygon
    profile: Profile
    looks: tuple[Look, ...]
    notes: tuple[str, ...] = ()

    @property
    def length(self) -> float:
        """Over the straight distance of the ends: 1 at least."""
        return stretch(self.path)


@dataclass(frozen=True, eq=False, kw_only=True)
class Geodesic:
    """Chains between two states: their length against the barrier that is left."""

    line: Profile
    """Along the straight line."""
    chains: tuple[Chain, ...]
    """One for each penalty, in the order given."""
    distance: float
    """Of the ends, in weight space."""
    aligned: bool
    """True if b was carried to a by a symmetry before; else the ends are as given."""

    def removed(self, chain: Chain) -> float:
        """The share of the line's barrier that a chain removes; NaN if there is none."""
        height = self.line.barrier().height
        return 1 - chain.profile.barrier().height / height if height > 0 else float("nan")

    def shortest(self, removing: float = 0.9) -> Chain | None:
        """The shortest chain that removes this share of the barrier; None if none does."""
        able = [c for c in self.chains if self.removed(c) >= removing]
        return min(able, key=lambda c: c.length, default=None)

    def rows(self) -> list[dict[str, float]]:
        """The whole curve: a row for each penalty."""
        return [
            {
                "penalty": c.penalty,
                "length": c.length,
                "barrier": c.profile.barrier().height,
                "stderr": c.profile.barrier().stderr,
                "removed": self.removed(c),
            }
            for c in self.chains
        ]

    def __str__(self) -> str:
        how = "b carried to a before" if self.aligned else "ends as given"
        height = self.line.barrier().height
        lines = [
            f"Geodesics, {how}: distance {self.distance:.4g}, barrier of the line {height:.4g}"
        ]
        lines += [
            f"  penalty {r['penalty']:<8.3g} length {r['length']:.4f}   barrier {r['barrier']:.4g}"
            f"   removed {r['removed']:.1%}"
            for r in self.rows()
        ]
        return "\n".join([*lines, *(f"  {n}" for c in self.chains for n in c.notes)])


def geodesic(
    a: State,
    b: State,
    objective: Objective,
    *,
    penalties: Sequence[float] = PENALTIES,
    bends: int = 1,
    by: Descent | None = None,
    measured: Objectives | None = None,
    points: Grid = 51,
    symmetry: Symmetry | None = None,
    match: Matching | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    keep: str | os.PathLike[str] | None = None,
) -> Geodesic:
    """Find short chains of low loss between two states.

    The length of a chain over the straight distance bounds the normalised geodesic distance of Lin
    et al. (2024) from above, and 1 bounds it from below. It is no invariant of the function: carry
    b to a first, by its symmetries, or take the ends as given; the result says which.

    Args:
        a: Where chains start.
        b: Where they end.
        objective: The loss that is descended.
        penalties: Strengths of the penalty on length, one chain for each; see `SquaredSegments`.
        bends: States between the ends.
        by: Numbers of the descent; Adam at 0.01 with three positions by default, as Lin et al.
        measured: What barriers are of; the objective by default.
        points: Of each profile.
        symmetry: Carries b to where it is nearest to a, before.
        match: The strategy for that; weight matching by default.
        seed: Names every draw.
        progress: Told of steps.
        keep: A ``.safetensors`` file of snapshots; each penalty has its own beside it.

    Raises:
        UsageError: If there is no penalty, one is negative, or the ends are one state.
        StateMismatch: If the states differ in names or shapes, or are not of the model.
        NonFinite: If one holds NaN or infinity.
        ForwardFailed: If the model or its loss raises.
    """
    check_objective(objective)
    grid = [float(x) for x in penalties]
    if not grid or not all(0 <= x < float("inf") for x in grid):
        raise UsageError(
            "Penalties are finite and not negative, one at least.", got=f"{list(penalties)}"
        )
    descent = by or Descent(positions=3, optimiser=Adam(learning_rate=0.01))
    if symmetry is not None:
        b = carried(a, b, symmetry, match, seed)
    goal = as_splits(objective if measured is None else measured)
    line = Line(a, b)
    distance = line.geometry()["distance"]
    if distance == 0:
        raise UsageError(
            "A geodesic has two ends that differ.", got="two states at a distance of zero"
        )

    def told(path: Path) -> Profile:
        return profile(path, goal, points=points, seed=seed)

    chains = []
    for number, strength in enumerate(grid):
        problem = curve_problem(line.a, line.b, "polygon", bends, SquaredSegments(strength))
        file = None if keep is None else Kept(_beside(keep, number))
        found = descend(problem, objective, descent, seed=seed, progress=progress, keep=file)
        with torch.inference_mode(False):
            path = Polygon(*found.points)
        notes = tuple(f"At penalty {strength:g}: {note}" for note in notes_on(found))
        made = Chain(
            penalty=strength, path=path, profile=told(path), looks=found.looks, notes=notes
        )
        chains.append(made)
    return Geodesic(
        line=told(line), chains=tuple(chains), distance=distance, aligned=symmetry is not None
    )


def _beside(keep: str | os.PathLike[str], number: int) -> File:
    file = File(keep)
    return file.with_name(f"{file.stem}-{number}{file.suffix}")
