"""Heights of the barriers of layers."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ridgeline.measures import Barrier

if TYPE_CHECKING:
    from ridgeline.profiles import Profile

__all__ = ["WHOLE", "layer_barriers"]

WHOLE = "all layers"


def layer_barriers(
    layers: "Mapping[str, Profile]", whole: "Profile | None", metric: str, split: str | None
) -> tuple[dict[str, Barrier], str]:
    """The barrier of each layer, and of all layers together if `whole` is given.

    Where t = 1/2 is on every grid it is the layer barrier of Adilova et al. (2023): the cost when
    the layer stands halfway, less the mean of the two whole networks' costs. A layer of b in a is
    often so much worse than either network that its own chord lies above its curve, and a barrier
    against that says nothing. Otherwise it is that of kind chord.

    Args:
        layers: Profiles from `layerwise`.
        whole: The profile on which every layer moves.
        metric: Which.
        split: Which; the first by default.

    Returns:
        Barriers by layer, and in words what they are against.
    """
    found = {label: p.barrier(metric=metric, split=split) for label, p in layers.items()}
    halfway = whole is None or whole.curve(metric, split).middle is not None
    if not halfway or not all(b.kind == "layer" for b in found.values()):
        named = dict(layers) | ({WHOLE: whole} if whole is not None else {})
        found = {n: p.barrier("chord", metric=metric, split=split) for n, p in named.items()}
        return found, "the chord between its path's ends"
    if whole is not None:
        found[WHOLE] = whole.barrier("half", metric=metric, split=split)
    return found, "the mean of both whole networks, at t = 1/2"
