"""The Gauss length of what a network says along a path."""

from dataclasses import dataclass

import numpy as np

from ridgeline.engine import outputs_at
from ridgeline.measures import Array, Interval, interval, turning
from ridgeline.objective import Objective
from ridgeline.paths import Grid, Path, grid

__all__ = ["GaussLength", "gauss_length"]


@dataclass(frozen=True, eq=False)
class GaussLength:
    """How much the curve of a network's outputs turns, on average over samples."""

    mean: float
    """Radians; 0 where outputs move on a straight line."""
    stderr: float
    samples: int
    values: Array
    """One for each sample, shape (samples,)."""

    def interval(self, confidence: float = 0.95) -> Interval:
        """The normal interval of the mean."""
        return interval(self.mean, self.stderr, confidence)


def gauss_length(
    path: Path, objective: Objective, *, points: Grid = 51, samples: int = 256
) -> GaussLength:
    """The Gauss length of the output curve ``t -> f(x; path(t))`` (Lucas et al. 2021).

    By turning angles: the sum of angles between successive chords of the curve. For ReLU
    networks it counts kinks, which automatic differentiation misses, and grows with the grid;
    compare only lengths of one grid.

    Args:
        path: From a position to a state.
        objective: Gives model, inputs and statistics policy.
        points: Number of equally spaced positions, or the positions.
        samples: How many inputs, in the objective's fixed random order.

    Returns:
        Mean over samples with its standard error, and each sample's length.
    """
    outputs = outputs_at(objective, path.combination(grid(points)), samples)
    values = np.asarray(turning(outputs.flatten(2).numpy()))
    spread = float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else float("nan")
    return GaussLength(float(values.mean()), spread, len(values), values)
