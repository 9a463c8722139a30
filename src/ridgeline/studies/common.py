"""What studies share: groups of runs, and the panels that they are drawn in."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ridgeline.charts import Panel, Panels, Series, band
from ridgeline.errors import UsageError
from ridgeline.frame.show import POSITION, UNITS, Show, Summary, mean_sd, tidy
from ridgeline.measures import Array
from ridgeline.profiles import Profile, Surface
from ridgeline.study.subjects import Subject

__all__ = [
    "BIASES",
    "POSITION",
    "area",
    "curves_chart",
    "drawn_surface",
    "groups",
    "half",
    "mean_sd",
    "plateau_end",
    "rise",
    "shapes",
    "sound",
    "tidy",
]

BIASES = {True: "all biases", "last": "last bias only", False: "no bias"}
"""What networks with this value of ``net.bias`` are called."""


def groups(
    subjects: Iterable[Subject], path: str, needed: Iterable[Any] = ()
) -> dict[Any, list[Subject]]:
    """Runs by one value of their configs, in the order in which values occur.

    Raises:
        UsageError: If no run has one of the values that are needed.
    """
    found: dict[Any, list[Subject]] = {}
    for subject in subjects:
        value = subject.at(path)
        found.setdefault(tuple(value) if isinstance(value, list) else value, []).append(subject)
    if lacking := [value for value in needed if value not in found]:
        raise UsageError(
            f"The item compares runs by {path}: {', '.join(map(str, needed))}.",
            got=f"no sound run with {', '.join(map(str, lacking))}",
            remedy="Give the population's grid these values; runs that diverged are left out.",
        )
    return found


def sound(subjects: Iterable[Subject], *, required: bool = True) -> list[Subject]:
    """Runs that did not diverge: of the others there is no end to draw a line to.

    Args:
        subjects: Any number.
        required: Whether there must be one; a cell of a grid may be empty.

    Raises:
        UsageError: If one is required and all diverged.
    """
    every = list(subjects)
    found = [subject for subject in every if not subject.diverged]
    if required and every and not found:
        raise UsageError(
            "An item is measured on runs whose loss stayed finite.",
            got=f"{len(every)} runs, all of which diverged",
            remedy="Lower the learning rate.",
        )
    return found


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


def curves_chart(
    name: str,
    title: str,
    caption: str,
    found: Mapping[str, Sequence[Profile]],
    *,
    metrics: Sequence[str] = ("loss", "error"),
    split: str | None = None,
    ordered: bool = False,
    transform: Callable[[Array], Array] | None = None,
) -> Panels:
    """A panel for each metric, a line for each group: the mean over its runs, a band of one sd.

    Args:
        name: As in `Chart`.
        title: As in `Chart`.
        caption: As in `Chart`; the number of runs of each group is added.
        found: Group to its profiles, all on one grid.
        metrics: Which; those that no profile has are left out.
        split: Which; the first by default.
        ordered: Whether groups are values in an order, to be coloured on a ramp.
        transform: Of the values drawn.
    """
    change = transform or (lambda y: y)
    place = {group: i / max(len(found) - 1, 1) for i, group in enumerate(found)}
    panels = []
    for metric in metrics:
        series: list[Series] = []
        for group, profiles in found.items():
            curves = [change(p.curve(metric, split).mean) for p in profiles if metric in _of(p)]
            if curves:
                shade = place[group] if ordered else None
                series.append(band(group, profiles[0].t, curves, ordered=shade))
        if series:
            panels.append(Panel(x=POSITION, y=UNITS.get(metric, metric), series=series))
    counts = ", ".join(f"{len(p)} ({group})" for group, p in found.items())
    said = f"{caption} Mean over runs, band of one standard deviation; runs: {counts}."
    return Panels(name=name, title=title, caption=said, panels=panels)


def _of(profile: Profile) -> Mapping[str, Any]:
    return next(iter(profile.curves.values()))


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
