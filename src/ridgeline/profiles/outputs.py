"""What a network says along a path: the curves, how straight they are, and pictures of them."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch

from ridgeline import rng
from ridgeline.engine import outputs_at
from ridgeline.errors import GridError, UnknownName, UsageError
from ridgeline.measures import Array, Interval, interval
from ridgeline.objective import Objective
from ridgeline.paths import Grid, Path, grid

__all__ = ["Linearity", "Projection", "linearity", "output_paths", "project"]


@dataclass(frozen=True, eq=False)
class Linearity:
    """Distance of outputs from the chord between their ends, on average over samples."""

    mean: float
    """``int D(t) dt``, in squared units of the outputs; 0 where they move on straight lines."""
    stderr: float
    samples: int
    values: Array
    """One for each sample, shape (samples,)."""
    t: Array
    """Positions, shape (K,)."""
    deviation: Array
    """D(t): mean squared distance of the outputs from the line of the chord, shape (K,)."""

    def interval(self, confidence: float = 0.95) -> Interval:
        """The normal interval of the mean."""
        return interval(self.mean, self.stderr, confidence)


def linearity(
    path: Path, objective: Objective, *, points: Grid = 51, samples: int = 256
) -> Linearity:
    """The linearity integral of a network's outputs (Lucas et al.'s released code).

    ``int D(t) dt`` by the trapezoidal rule, ``D(t) = mean_x |(I - P)(z(t) - z(0))|^2``, P the
    projection on the chord ``z(1) - z(0)`` of that sample. Where the chord has no length nothing
    is projected away. Unlike the Gauss length it has units, and does not see turning back and
    forth along the chord.

    Args:
        path: From a position to a state.
        objective: Gives model, inputs and statistics policy.
        points: Number of equally spaced positions, or the positions, with 0 and 1.
        samples: How many inputs, in the objective's fixed random order.

    Returns:
        Mean over samples with its standard error, each sample's integral, and D(t).

    Raises:
        GridError: If the grid lacks 0 or 1.
    """
    t = grid(points)
    if t[0] != 0 or t[-1] != 1:
        raise GridError(
            "Linearity is measured against the chord from 0 to 1.", got=f"{t[0]:g} to {t[-1]:g}"
        )
    moved = output_paths(path, objective, points=t, samples=samples)
    moved = moved - moved[0]
    chord = moved[-1]
    length = np.linalg.norm(chord, axis=-1, keepdims=True)
    unit = np.divide(chord, length, out=np.zeros_like(chord), where=length > 0)
    astray = moved - unit * (moved * unit).sum(-1, keepdims=True)
    squares = (astray**2).sum(-1)
    values = np.trapezoid(squares, t, axis=0)
    count = len(values)
    spread = float(values.std(ddof=1) / count**0.5) if count > 1 else float("nan")
    return Linearity(float(values.mean()), spread, count, values, t, squares.mean(1))


def output_paths(
    path: Path, objective: Objective, *, points: Grid = 51, samples: int = 100
) -> Array:
    """The outputs of some samples along a path.

    Args:
        path: From a position to a state.
        objective: Gives model, inputs and statistics policy.
        points: Number of equally spaced positions, or the positions.
        samples: How many inputs, in the objective's fixed random order.

    Returns:
        Shape (K, N, C): K positions, N samples, C outputs; further axes are flattened into C.

    Raises:
        UsageError: If the model's output is not one tensor.
    """
    outputs = outputs_at(objective, path.combination(grid(points)), samples)
    return outputs.reshape(*outputs.shape[:2], -1).numpy()


class Projection(NamedTuple):
    """Curves of outputs in a plane."""

    coordinates: Array
    """Shape (K, N, 2), about the mean of all points."""
    share: float
    """Of the variance of all points, what lies in the plane; NaN where they are all equal."""


def project(outputs: Array, by: Literal["pca", "random"] = "pca", seed: int = 0) -> Projection:
    """Curves of outputs, seen in one plane for all samples (after Lucas et al. 2021).

    The points of all samples and positions are taken together. An orthonormal plane of the two
    leading principal components shows most; a random one favours nothing, so that a curve which
    looks straight in several of those is straight.

    Args:
        outputs: What `output_paths` gives, shape (K, N, C), C >= 2.
        by: Principal components, each with its largest entry positive; or a random plane.
        seed: Names the random plane.

    Returns:
        Coordinates in the plane, and the share of variance that it explains.

    Raises:
        UsageError: If the array has another shape, fewer than two outputs, or is not finite.
        UnknownName: If `by` is neither.
    """
    points = np.asarray(outputs, dtype=np.float64)
    if points.ndim != 3 or points.shape[-1] < 2 or not points.size:
        raise UsageError(
            "Outputs to project have the shape (positions, samples, 2 outputs or more).",
            got=f"shape {points.shape}",
        )
    if not np.isfinite(points).all():
        raise UsageError("Outputs to project are finite.", got="NaN or infinity")
    centred = points - points.mean((0, 1))
    if by == "pca":
        axes = _principal(centred.reshape(-1, points.shape[-1]))
    elif by == "random":
        axes = _random(points.shape[-1], seed)
    else:
        raise UnknownName("projection", by, ["pca", "random"])
    seen = centred @ axes
    total = float((centred**2).sum())
    return Projection(seen, float((seen**2).sum()) / total if total else float("nan"))


def _principal(points: Array) -> Array:
    """Two leading principal directions of centred points, as columns, their signs settled."""
    axes = np.linalg.eigh(points.T @ points)[1][:, :-3:-1]
    largest = np.abs(axes).argmax(0)
    return axes * np.sign(axes[largest, [0, 1]])


def _random(width: int, seed: int) -> Array:
    """Two random orthonormal directions, as columns."""
    generator = rng.stream(seed, "projection", width)
    drawn = torch.randn(width, 2, generator=generator, dtype=torch.float64)
    return torch.linalg.qr(drawn).Q.numpy()
