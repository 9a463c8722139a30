"""Why a line from an initialisation to a minimum looks as it does."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ridgeline import state as states
from ridgeline.biases import decompose
from ridgeline.errors import RidgelineError
from ridgeline.explanations.variants import HOMOGENEOUS, UNIFORM, reason, variants
from ridgeline.explanations.words import explained
from ridgeline.measures import Array, Interval, interval
from ridgeline.objective import Objective
from ridgeline.paths import Grid, Path
from ridgeline.profiles import GaussLength, Profile, gauss_length, layerwise, profile
from ridgeline.state import State

__all__ = ["Dominant", "Explanation", "Layer", "explain"]

Tell = Callable[[str, int, int], None]
"""Told (what is measured, samples done, samples in all)."""
SAMPLES = 256
"""Of inputs for the Gauss length."""


@dataclass(frozen=True)
class Layer:
    """What one layer's way from its start to its end matters, the others at their end."""

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
class Explanation:
    """What a line from an initialisation to a minimum does, and what it is due to.

    As a string it is its words: what `ridgeline explain` prints.
    """

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

    def __str__(self) -> str:
        return "\n".join(
            "\n".join([heading, *(f"  {sentence}" for sentence in sentences)])
            for heading, sentences in explained(self).items()
        )

    def __repr__(self) -> str:
        paths, layers = ", ".join(self.profiles), ", ".join(self.layers) or "none"
        return f"Explanation(paths: {paths}; layers: {layers}; distance {self.distance:.3g})"

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
        """By how much homogeneous biases lower the area under a metric, of the uniform area.

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


def explain(
    a: State,
    b: State,
    objective: Objective,
    *,
    points: Grid = 51,
    layers: bool = True,
    progress: Tell | None = None,
) -> Explanation:
    """Measure what says why the line from `a` to `b` looks as it does.

    Args:
        a: An initialisation.
        b: The minimum that training reached from it.
        objective: Loss and metrics, with the network; the error is used where it is measured.
        points: As in `profile`.
        layers: Whether each layer is measured by itself.
        progress: Told how far the work is.

    Returns:
        Profiles of the line and of its variants; what cannot be formed for this network is
        named in `Explanation.why_not` with the reason.

    Raises:
        StateMismatch: If the states are not the model's.
        NonFinite: If either holds NaN or infinity.
    """
    tell = progress or (lambda *_: None)
    paths, why = variants(a, b, objective)
    found: dict[str, Profile] = {}
    for name, path in paths.items():

        def told(_: str, done: int, of: int, name: str = name) -> None:
            tell(name, done, of)

        try:
            found[name] = profile(path, {"train": objective}, points=points, progress=told)
        except RidgelineError as refused:
            if name == UNIFORM:  # without the line itself there is nothing to explain
                raise
            why[name] = reason(refused)
    each: dict[str, Profile] = {}
    if layers:
        try:
            each = layerwise(
                a,
                b,
                {"train": objective},
                hold="b",
                points=points,
                progress=lambda layer: lambda _, done, of: tell(f"layer {layer}", done, of),
            )
        except RidgelineError as refused:
            why["single layers"] = reason(refused)
    gauss = None
    try:
        gauss = gauss_length(paths[UNIFORM], objective, points=points, samples=SAMPLES)
    except RidgelineError as refused:
        why["the Gauss length"] = reason(refused)
    return Explanation(
        profiles=found,
        layers=each,
        gauss=gauss,
        distance=states.distance(a, b),
        start_norm=states.norm(a),
        dominant=_dominant(paths[UNIFORM], objective, points),
        why_not=why,
    )


def _dominant(line: Path, objective: Objective, points: Grid) -> Dominant | None:
    """The class of the largest last bias on the line; None if there is no such bias."""
    try:
        found = decompose(line, objective, points)
    except RidgelineError:
        return None
    at = 1 + int(np.argmax(found.dominant[1:]))  # at t = 0 the biases are those of the start
    share, final = float(found.dominant[at]), float(found.dominant[-1])
    return Dominant(found.largest, share, float(found.t[at]), final, found.crossing)


def _trapezoid(t: Array) -> Array:
    """Weights of the trapezoid rule on a grid."""
    steps = np.diff(t) / 2
    return np.concatenate([steps, [0.0]]) + np.concatenate([[0.0], steps])
