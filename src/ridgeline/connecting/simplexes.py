"""Simplexes of low loss (SPRO, Benton et al. 2021): vertices added one by one.

A new vertex starts at the mean of the others and descends the loss at points that are uniform in
the simplex, less a small multiple of the logarithm of its volume. Several modes may share their
connecting vertices: the simplexes of each mode with all of these make up a complex.

In the released code the loss is a sum over the drawn points, for a division is thrown away, and
the penalty of each vertex is a quotient by the logarithm of the first volume, which is negative
below 1 and then cut to 1e-8. Here the loss is a mean and the penalty what it says.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path as File

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ridgeline import state as states
from ridgeline.connecting.contract import check_objective
from ridgeline.connecting.curves import notes_on
from ridgeline.connecting.descent import Problem, descend
from ridgeline.connecting.keeping import Kept
from ridgeline.connecting.looking import Look
from ridgeline.connecting.strategy import Descent
from ridgeline.errors import UsageError
from ridgeline.objective import Objective
from ridgeline.paths import Combination, Polygon
from ridgeline.progress import Progress
from ridgeline.state import State
from ridgeline.training.optimisers import SGD

__all__ = ["LogVolume", "Simplex", "SimplexFinding", "simplex"]

LEAST = 1e-4
"""Height, as a share of the others' size, below which the volume hardly grows any more."""


@dataclass(frozen=True, kw_only=True)
class SimplexFinding:
    """Vertices that descend the loss at uniform points of a simplex, and are drawn outwards."""

    vertices: int = 1
    """How many are added, one after another."""
    strength: float = 1e-3
    """Of the logarithm of the volume, in units of the loss."""
    descent: Descent = field(
        default_factory=lambda: Descent(
            positions=5, optimiser=SGD(learning_rate=0.01, momentum=0.9)
        )
    )
    """For each vertex. Five positions and the rate 0.01 are Benton et al.'s."""

    def __post_init__(self) -> None:
        if isinstance(self.vertices, bool) or not self.vertices >= 1:
            raise UsageError("`vertices` is a whole number from 1.", got=repr(self.vertices))
        if not 0 <= self.strength < math.inf:
            raise UsageError("`strength` is finite and not negative.", got=str(self.strength))


@dataclass(frozen=True)
class LogVolume:
    """Penalty on a small volume: minus a strength times the logarithm of the last vertex' height.

    That is its distance from the hull of the others, over their size. Of a simplex whose other
    vertices are fixed the volume is proportional to it, so that no determinant is needed. With
    several modes it is the mean over their simplexes.
    """

    strength: float
    modes: int = 1
    """How many of the first rows are each the first vertex of a simplex of its own."""

    def value(self, matrix: Tensor) -> float:
        """See `Penalty`."""
        heights = [self._height(matrix, m) for m in range(self.modes)]
        logs = [math.log(float(x.norm()) / size + LEAST) for x, size in heights]
        return -self.strength * sum(logs) / self.modes

    def add_gradient(self, matrix: Tensor, out: Sequence[Tensor]) -> None:
        """See `Penalty`."""
        for m in range(self.modes):
            across, size = self._height(matrix, m)
            height = float(across.norm())
            if height:  # on the others' hull there is no way out that is better than the others
                slope = self.strength / self.modes / (height + LEAST * size) / height
                out[0].add_(across.to(out[0]), alpha=-slope)

    def _height(self, matrix: Tensor, mode: int) -> tuple[Tensor, float]:
        """The last vertex from its nearest point on the others' hull, and the others' size."""
        own = torch.cat([matrix[mode : mode + 1], matrix[self.modes : -1]]).double()
        across = matrix[-1].double() - own[0]
        size = float(own[0].norm()) or 1.0
        if len(own) > 1:
            edges = (own[1:] - own[0]).T
            size = float(edges.norm(dim=0).mean()) or size
            base, _ = torch.linalg.qr(edges)
            across = across - base @ (base.T @ across)
        return across, size


@dataclass(frozen=True, eq=False, kw_only=True)
class Simplex:
    """A simplex of low loss; with several modes the complex of the simplexes of each."""

    modes: tuple[State, ...]
    """As given."""
    vertices: tuple[State, ...]
    """That were added; each simplex is of one mode and all of these."""
    looks: tuple[tuple[Look, ...], ...]
    """The largest loss from each mode through the vertices, now and then; for each vertex."""
    notes: tuple[str, ...] = ()

    def points(self, count: int, *, seed: int = 0) -> Combination:
        """States that are uniform in the complex.

        Args:
            count: How many.
            seed: Names the draw.
        """
        draws = np.random.default_rng(seed)
        table = _uniform(draws, count, len(self.modes), len(self.vertices))
        return Combination((*self.modes, *self.vertices), (table,), {})

    def log_volume(self) -> float:
        """The natural logarithm of the volume of the first mode's simplex, in weight space."""
        corners = [self.modes[0], *self.vertices]
        names = list(states.coordinates(corners[0]))
        flat = torch.stack([states.flatten(x, names).double() for x in corners])
        edges = flat[1:] - flat[0]
        sign, log = torch.linalg.slogdet(edges @ edges.T)
        size = len(edges)
        return float(log) / 2 - math.lgamma(size + 1) if float(sign) > 0 else -math.inf


def simplex(
    modes: Sequence[State],
    objective: Objective,
    *,
    by: SimplexFinding | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    keep: str | os.PathLike[str] | None = None,
) -> Simplex:
    """Find a simplex of low loss with given states among its vertices.

    Args:
        modes: One minimum, or several that share the vertices that are found.
        objective: The loss that is descended.
        by: Numbers of the search.
        seed: Names every draw.
        progress: Told of steps.
        keep: A ``.safetensors`` file of snapshots; each vertex has its own beside it.

    Raises:
        UsageError: If there is no mode.
        StateMismatch: If states differ in names or shapes, or are not of the model.
        NonFinite: If one holds NaN or infinity.
        ForwardFailed: If the model or its loss raises.
    """
    check_objective(objective)
    given = list(modes)
    if not given:
        raise UsageError("A simplex has one mode at least.", got="none")
    how = SimplexFinding() if by is None else by
    given = list(Polygon(*given, given[-1]).points)[:-1]
    found: list[State] = []
    looks, notes = [], []
    for number in range(how.vertices):
        file = None
        if keep is not None:
            path = File(keep)
            file = Kept(path.with_name(f"{path.stem}-{number}{path.suffix}"))
        made = descend(
            _problem(given, found, how),
            objective,
            how.descent,
            seed=seed + number,
            progress=progress,
            keep=file,
        )
        found.append(made.points[-1])
        looks.append(made.looks)
        notes += [f"Vertex {number + 1}: {note}" for note in notes_on(made)]
    return Simplex(
        modes=tuple(given), vertices=tuple(found), looks=tuple(looks), notes=tuple(notes)
    )


def _uniform(
    draws: np.random.Generator, count: int, modes: int, vertices: int
) -> NDArray[np.float64]:
    """Barycentric coordinates of points, uniform in the simplex of a mode drawn at random."""
    table = np.zeros((count, modes + vertices))
    weights = draws.dirichlet(np.ones(1 + vertices), count)
    table[np.arange(count), draws.integers(modes, size=count)] = weights[:, 0]
    table[:, modes:] = weights[:, 1:]
    return table / table.sum(1, keepdims=True)


def _problem(modes: Sequence[State], before: Sequence[State], by: SimplexFinding) -> Problem:
    count = len(modes)

    def rows(draws: np.random.Generator, wanted: int) -> NDArray[np.float64]:
        return _uniform(draws, wanted, count, len(before) + 1)

    def paths(points: Sequence[State]) -> list[Polygon]:
        return [Polygon(mode, *points[count:][::-1]) for mode in points[:count]]

    points = (*modes, *before)
    return Problem(
        points=(*points, states.mean(points)),
        free=(len(points),),
        rows=rows,
        paths=paths,
        penalty=LogVolume(by.strength, count),
        name=f"simplex of {len(before) + 2} vertices",
    )
