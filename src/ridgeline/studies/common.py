"""Parts that studies share: numbers of a profile, a table of plateaus, a plane made again."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ridgeline.frame.show import Show, Summary
from ridgeline.measures import Array
from ridgeline.profiles import Profile, Surface

__all__ = [
    "BIASES",
    "area",
    "drawn_surface",
    "half",
    "plateau_end",
    "rise",
    "shapes",
]

BIASES = {True: "all biases", "last": "last bias only", False: "no bias"}
"""What networks with this value of ``net.bias`` are called."""


def area(profile: Profile, metric: str = "error", split: str | None = None) -> float:
    """The area under a curve from t = 0 to 1, in the metric's units."""
    return profile.plateau(metric=metric, split=split).area


def plateau_end(profile: Profile, metric: str = "error") -> float:
    """Return where the plateau at the start ends; see `ridgeline.measures.plateau`."""
    return profile.plateau(metric=metric).end


def half(profile: Profile, metric: str = "error", split: str | None = None) -> float:
    """The first position at half the reference level; 1 if there is none."""
    found = profile.plateau(metric=metric, split=split).half
    return 1.0 if np.isnan(found) else found


def rise(profile: Profile) -> float:
    """The largest rise of the loss on the first split, in nats."""
    return profile.monotonicity().largest_rise


def drawn_surface(found: Mapping[str, Array]) -> Surface:
    """The training loss on a plane, made again of arrays that were kept.

    Args:
        found: ``x``, ``y``, ``loss``, ``stderr`` and ``corners``, as in `Surface`.
    """
    loss, stderr = ({"train": {"loss": found[name]}} for name in ("loss", "stderr"))
    return Surface(found["x"], found["y"], loss, stderr, found["corners"])


def shapes(title: str, by: Mapping[str, str], **where: Any) -> Show:
    """Plateau ends, half points and areas of error and loss, a row for each group of rows.

    Args:
        title: Of the table.
        by: Head to the column whose values tell rows apart.
        **where: Of which rows, as `Frame.where` takes them.
    """
    found: dict[str, Callable[[Profile], float]] = {
        "error plateau ends": plateau_end,
        "half error at": half,
        "error area": area,
        "loss plateau ends": lambda profile: plateau_end(profile, "loss"),
        "half loss at": lambda profile: half(profile, "loss"),
        "loss area / L(0)": lambda profile: profile.plateau().relative_area,
    }
    note = "Mean ± standard deviation over runs; positions and areas in units of t."
    heads = {"runs": len, **{name: name for name in found}}
    table = Summary(title, by=by, of=heads, note=note, count=False)
    return lambda frame: table(frame.where(**where).derive(**found))
