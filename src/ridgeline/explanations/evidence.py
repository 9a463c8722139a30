"""Profiles and numbers that say why a line looks as it does."""

from dataclasses import dataclass, field

import numpy as np

from ridgeline.explanations.variants import HOMOGENEOUS, UNIFORM
from ridgeline.measures import Array, Interval, interval
from ridgeline.profiles import Profile
from ridgeline.theory import GaussLength

__all__ = ["Dominant", "Evidence", "Layer"]


@dataclass(frozen=True)
class Layer:
    """Effect of one layer's way from its start to its end, the others at their end."""

    name: str
    cost: float
    """Loss with this layer at its start, less the loss at the end."""
    stderr: float
    """Paired by sample."""
    error: float | None
    """The same of the error."""
    halfway: float | None
    """Loss with this layer at t = 1/2, less the loss at the end; None if it was not measured."""


@dataclass(frozen=True)
class Dominant:
    """Samples predicted as the class of the largest last bias, where they are most.

    It is the direct sign of biases that drown the signal (Wang et al. 2023).
    """

    label: int
    """The class, by its number."""
    share: float
    """Of samples predicted as it, at most along the line, t = 0 left out."""
    at: float
    """Where."""
    final: float
    """The share at the end."""
    crossing: float
    """From where on the signal's spread over classes is the larger one; NaN if nowhere."""


@dataclass(frozen=True, eq=False, repr=False)
class Evidence:
    """Profiles and numbers of a line from an initialisation to a minimum."""

    profiles: dict[str, Profile]
    """By path: uniform rates first; then, where they can be formed, homogeneous biases, biases
    at their end from the start, and from zero weights."""
    layers: dict[str, Profile]
    """One layer from its start to its end, the others at their end (Vlaar & Frankle 2021)."""
    gauss: GaussLength | None
    """Of the outputs, by turning angles."""
    distance: float
    """Between the ends, in weight space."""
    start_norm: float
    dominant: Dominant | None = None
    why_not: dict[str, str] = field(default_factory=dict)
    """For what was not measured, the reason."""

    def __repr__(self) -> str:
        paths, layers = ", ".join(self.profiles), ", ".join(self.layers) or "none"
        return (
            f"{type(self).__name__}(paths: {paths}; layers: {layers}; distance {self.distance:.3g})"
        )

    @property
    def uniform(self) -> Profile:
        """The profile of linear interpolation itself."""
        return self.profiles[UNIFORM]

    def areas(self, metric: str = "error") -> dict[str, float]:
        """The area under a metric of each path, t from 0 to 1."""
        return {
            name: found.plateau(metric=metric).area
            for name, found in self.profiles.items()
            if metric in next(iter(found.curves.values()))
        }

    def matter(self) -> list[Layer]:
        """The layers, the one whose start costs most first."""
        found = []
        for name, one in self.layers.items():
            curve = one.curve()
            first, last = curve.ends()
            middle = curve.middle
            wrong = one.curve("error").mean if "error" in next(iter(one.curves.values())) else None
            found.append(
                Layer(
                    name=name,
                    cost=float(curve.mean[first] - curve.mean[last]),
                    stderr=curve.stderr_of({first: 1.0, last: -1.0}),
                    error=None if wrong is None else float(wrong[first] - wrong[last]),
                    halfway=None
                    if middle is None
                    else float(curve.mean[middle] - curve.mean[last]),
                )
            )
        return sorted(found, key=lambda layer: -layer.cost)

    def saved(self, metric: str = "error") -> tuple[float, Interval] | None:
        """Return by how much homogeneous biases lower the area under a metric, of the uniform area.

        Returns:
            A share and its 95 % interval over samples, both curves taken as independent: wider
            than the truth as long as samples that are hard on one path are hard on the other.
            None if there is no such path.
        """
        if HOMOGENEOUS not in self.areas(metric):
            return None
        areas, spreads = [], []
        for name in (UNIFORM, HOMOGENEOUS):
            curve = self.profiles[name].curve(metric)
            weights = _trapezoid(curve.t)
            areas.append(float(weights @ curve.mean))
            spreads.append(curve.stderr_of(dict(enumerate(weights.tolist()))))
        if not areas[0]:
            return None
        share = 1 - areas[1] / areas[0]
        ratio = areas[1] / areas[0]
        spread = float(np.hypot(spreads[1], ratio * spreads[0])) / areas[0]
        return share, interval(share, spread)


def _trapezoid(t: Array) -> Array:
    """Weights of the trapezoid rule on a grid."""
    steps = np.diff(t) / 2
    return np.concatenate([steps, [0.0]]) + np.concatenate([[0.0], steps])
