"""The Gauss length of what a network says along a path."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ridgeline.engine import outputs_at
from ridgeline.errors import UnknownName
from ridgeline.measures import Array, Interval, interval, turning
from ridgeline.objective import Objective
from ridgeline.paths import Grid, Path, grid
from ridgeline.profiles.derivatives import velocities

__all__ = ["GaussLength", "GaussMethod", "gauss_length"]

GaussMethod = Literal["turning", "ad"]

# A step or a velocity shorter than this has no direction (as in `measures.length`).
STILL = 1e-20


@dataclass(frozen=True, eq=False)
class GaussLength:
    """Gauss length: how much the curve of a network's outputs turns, on average over samples."""

    mean: float
    """Radians; 0 where outputs move on a straight line."""
    stderr: float
    samples: int
    values: Array
    """One for each sample, shape (samples,)."""
    method: GaussMethod = "turning"
    """How it was measured; lengths of the two methods are not compared."""
    still: float = 0.0
    """Share of steps (positions, by ``"ad"``) at which a sample's outputs stand still: they have
    no direction there, and count as not turning."""

    def interval(self, confidence: float = 0.95) -> Interval:
        """The normal interval of the mean."""
        return interval(self.mean, self.stderr, confidence)


def gauss_length(
    path: Path,
    objective: Objective,
    *,
    points: Grid = 51,
    samples: int = 256,
    method: GaussMethod = "turning",
) -> GaussLength:
    """The Gauss length of the output curve ``t -> f(x; path(t))`` (Lucas et al. 2021).

    It is ``int |dn/dt| dt``, n the unit tangent of the curve. ``"turning"`` sums the angles
    between successive chords: it takes every path and every network, is a lower bound, and for
    ReLU networks counts kinks, so that it grows with the grid; compare only lengths of one grid.
    ``"ad"`` is the paper's: with the velocity v and the acceleration w of the outputs by
    automatic differentiation, ``|dn/dt| = |w - n (n . w)| / |v|``, by the trapezoidal rule. It
    hardly depends on the grid, and for ReLU networks sees only the smooth part: at a kink the
    direction jumps between positions. The two agree for smooth networks only.

    The released code divides by |v| unguarded; here a sample that stands still (|v| of 1e-20 or
    less, as at the start of a homogeneous path from zero) does not turn there (derived: such a
    path's outputs move on a straight line), and the share of those is reported.

    Args:
        path: From a position to a state; for ``"ad"`` a `Line`, its rates with a known second
            derivative.
        objective: Gives model, inputs and statistics policy. By ``"ad"``, recomputed
            normalisation statistics are constants in the derivative, as in the released code.
        points: Number of equally spaced positions, or the positions.
        samples: How many inputs, in the objective's fixed random order.
        method: Angles between chords, or automatic differentiation.

    Returns:
        Mean over samples with its standard error, and each sample's length.

    Raises:
        UnknownName: If the method is not known.
        UsageError: By ``"ad"``, if the path or the model cannot be differentiated.
    """
    if method not in ("turning", "ad"):
        raise UnknownName("method", method, ["turning", "ad"])
    measure = _turning if method == "turning" else _differentiated
    values, still = measure(path, objective, grid(points), samples)
    spread = float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else float("nan")
    return GaussLength(float(values.mean()), spread, len(values), values, method, still)


def _turning(path: Path, objective: Objective, t: Array, samples: int) -> tuple[Array, float]:
    outputs = outputs_at(objective, path.combination(t), samples)
    curves = outputs.reshape(*outputs.shape[:2], -1).numpy()
    sizes = np.linalg.norm(np.diff(curves, axis=0), axis=-1)
    return np.asarray(turning(curves)), float((sizes <= STILL).mean())


def _differentiated(
    path: Path, objective: Objective, t: Array, samples: int
) -> tuple[Array, float]:
    rates, still = [], []
    for v, w in velocities(path, objective, t, samples):
        size = v.norm(dim=1, keepdim=True)
        n = v / size.clamp_min(STILL)
        turn = (w - n * (n * w).sum(1, keepdim=True)).norm(dim=1) / size.clamp_min(STILL)[:, 0]
        stands = size[:, 0] <= STILL
        rates.append(turn.masked_fill(stands, 0.0).numpy())
        still.append(float(stands.double().mean()))
    return np.trapezoid(np.stack(rates), t, axis=0), float(np.mean(still))
