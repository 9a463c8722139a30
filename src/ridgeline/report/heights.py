"""How high each layer stands in the way."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ridgeline.measures import Barrier, Curve

if TYPE_CHECKING:
    from ridgeline.profiles import Profile

__all__ = ["WHOLE", "layer_barriers"]

WHOLE = "all layers"


def layer_barriers(
    layers: "Mapping[str, Profile]", whole: "Profile | None", metric: str, split: str | None
) -> tuple[dict[str, Barrier], str]:
    """The barrier of each layer, and of all layers together if `whole` is given.

    With `whole`, and t = 1/2 on every grid, it is the layer barrier of Adilova et al. (2023): the
    cost when the layer stands halfway, less the mean of the two whole networks' costs. A layer
    of b in a is often so much worse than either network that its own chord lies above its curve,
    and a barrier against that says nothing. Otherwise it is that of kind chord.

    Args:
        layers: Profiles from `layerwise`.
        whole: The profile on which every layer moves.
        metric: Which.
        split: Which; the first by default.

    Returns:
        Barriers by layer, and in words what they are against. The standard error of a layer's
        takes the loss of b as independent of the rest: a little too large, as samples that are
        hard for one network are hard for the other.
    """
    named = dict(layers) | ({WHOLE: whole} if whole is not None else {})
    curves = {label: p.curve(metric, split) for label, p in named.items()}
    if whole is None or not all(c.middle is not None for c in curves.values()):
        found = {label: p.barrier(metric=metric, split=split) for label, p in named.items()}
        return found, "the chord between its path's ends"
    found = {label: _half(curves[label], curves[WHOLE]) for label in layers}
    found[WHOLE] = whole.barrier("half", metric=metric, split=split)
    return found, "the mean of both whole networks, at t = 1/2"


def _half(curve: Curve, whole: Curve) -> Barrier:
    middle = curve.middle
    assert middle is not None  # as the caller asked
    own, ends = list(curve.ends()), list(whole.ends())
    with np.errstate(invalid="ignore"):
        height = curve.cost[middle] - whole.cost[ends].mean()
        gaps = np.abs(whole.cost[ends] - curve.cost[own])
    # One end of the layer's path is the network that the other layers are held at: that loss is
    # paired with the one halfway.
    held = 1 if gaps[1] < gaps[0] else 0
    paired = curve.stderr_of({own[held]: -0.5, middle: 1.0})
    stderr = float(np.hypot(paired, whole.stderr[ends[1 - held]] / 2))
    return Barrier(float(height), stderr, 0.5, "half")
