"""The explanation of a line from an initialisation to a minimum: measured, and in words."""

from dataclasses import dataclass

import numpy as np

from ridgeline import state as states
from ridgeline.errors import RidgelineError
from ridgeline.explanations.evidence import Dominant, Evidence
from ridgeline.explanations.variants import UNIFORM, reason, variants
from ridgeline.explanations.words import explained
from ridgeline.objective import Objective
from ridgeline.paths import Grid, Path
from ridgeline.profiles import Profile, layerwise, profile
from ridgeline.progress import Progress, silent, under
from ridgeline.state import State
from ridgeline.theory import decompose, gauss_length

__all__ = ["Explanation", "explain"]

SAMPLES = 256
"""Of inputs for the Gauss length."""


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(Evidence):
    """Account of a line from an initialisation to a minimum, and of what its shape is due to.

    As a string it is its words: what `ridgeline explain` prints.
    """

    def __str__(self) -> str:
        return "\n".join(
            "\n".join([heading, *(f"  {sentence}" for sentence in sentences)])
            for heading, sentences in explained(self).items()
        )


def explain(
    a: State,
    b: State,
    objective: Objective,
    *,
    points: Grid = 51,
    layers: bool = True,
    progress: Progress | None = None,
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
    tell = progress or silent
    paths, why = variants(a, b, objective)
    found: dict[str, Profile] = {}
    for name, path in paths.items():
        try:
            found[name] = profile(
                path, {"train": objective}, points=points, progress=under(progress, name)
            )
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
                progress=lambda layer, done, of: tell(f"layer {layer}", done, of),
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
