"""One profile per layer: the line on which only that layer moves."""

from collections.abc import Callable, Sequence
from typing import Literal

from ridgeline.engine import StrategyName
from ridgeline.paths import Grid, Line
from ridgeline.profiles.profile import Objectives, Profile, as_splits, profile
from ridgeline.progress import Progress, under
from ridgeline.state import State, layers

__all__ = ["layerwise"]


def layerwise(
    a: State,
    b: State,
    objective: Objectives,
    *,
    only: Sequence[str] | None = None,
    hold: Literal["a", "b"] = "a",
    points: Grid = 51,
    strategy: StrategyName = "auto",
    progress: Progress | None = None,
    interrupted: Callable[[], bool] | None = None,
) -> dict[str, Profile]:
    """Profiles of the layers of two networks (Adilova et al. 2023; Vlaar & Frankle 2021).

    For each layer, the line from `a` to `b` on which that layer moves and all others stay at
    `hold`. What lies before the moving layer is the same at every position, and the engine
    computes it once.

    The two whole networks are measured in the same pass: ``profile.barrier()`` is the layer
    barrier of Adilova et al., against their mean (`measures.layer_barrier`, of kind ``layer``), if
    the grid has t = 1/2. ``profile.barrier("chord")`` is against the ends of the layer's own line,
    of which the far one is a network of parts, mostly far worse than either.

    Args:
        a: A state.
        b: Another.
        objective: What is measured.
        only: Layers to measure; all with a floating tensor by default.
        hold: Which state the other layers are of.
        points: As in `profile`.
        strategy: As in `profile`.
        progress: Told how far each layer is, and each split where there are several.
        interrupted: As in `profile`; finished layers are returned.

    Returns:
        Layer name to its profile, in the order of the state.
    """
    several = len(as_splits(objective)) > 1
    found: dict[str, Profile] = {}
    for layer in only if only is not None else layers(a):
        if interrupted is not None and interrupted():
            break
        found[layer] = profile(
            Line(a, b, layers=[layer], hold=hold),
            objective,
            points=points,
            strategy=strategy,
            progress=_of_layer(progress, layer, several),
            interrupted=interrupted,
            whole=(a, b),
        )
    return found


def _of_layer(progress: Progress | None, layer: str, several: bool) -> Progress | None:
    if progress is None or not several:
        return under(progress, layer)
    return lambda split, done, of: progress(f"{layer} ({split})", done, of)
