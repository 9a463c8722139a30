"""Paths around a barrier, in sentences, tables, figures and pages."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.charts import Panel, Panels, Series, Table
from ridgeline.numerals import number
from ridgeline.paths import Line
from ridgeline.report.aligned import alignment_headline, barrier_table
from ridgeline.report.figures import Figure
from ridgeline.report.page import Page, Section
from ridgeline.report.panels import curve_series, profile_figure, unit
from ridgeline.report.planes import surface_figure
from ridgeline.report.summary import envelope, summarise

if TYPE_CHECKING:
    from ridgeline.connecting import Chain, Connected, Geodesic, Star
    from ridgeline.paths import Path as StatePath
    from ridgeline.paths import Plane
    from ridgeline.profiles import Profile, Surface

__all__ = [
    "arc_figure",
    "connection_page",
    "geodesic_page",
    "geodesic_table",
    "path_plane_figure",
    "star_page",
    "summarise_connection",
    "summarise_geodesic",
    "summarise_star",
]

Profiles = Mapping[str, "Profile"]
DRAWN = 61
"""Positions at which a path is projected onto a plane."""


def path_plane_figure(
    plane: "Plane",
    surface: "Surface",
    paths: "Mapping[str, StatePath]",
    points: Mapping[str, tuple[float, float]],
) -> Figure:
    """The loss on the plane through the ends and a bend, with line and curve drawn on it.

    Args:
        plane: Through three states.
        surface: What was measured on it.
        paths: By name; each is projected onto the plane.
        points: Coordinates of states by their label.
    """
    t = np.linspace(0, 1, DRAWN)
    trails = {}
    for name, path in paths.items():
        across = path.combination(t)
        trails[name] = [plane.project(across.state(k))[:2] for k in range(len(t))]
    return surface_figure(
        surface,
        trajectories=trails,
        points=points,
        name="plane",
        title="The plane through the ends and the bend",
        lines="the paths, projected onto the plane",
    )


def arc_figure(profiles: Profiles, paths: "Mapping[str, StatePath]", name: str = "arc") -> Figure:
    """The loss over arc length, in units of the straight distance of the ends.

    Args:
        profiles: By the name of their path.
        paths: The same names.
        name: For files.
    """
    series, table = [], []
    for label, profile in profiles.items():
        along = paths[label].arc(profile.t)
        straight = paths[label].geometry()["distance"] or 1.0
        split = profile.splits[0]
        drawn = curve_series(profile.curve(), label=label)
        x = along / straight
        series.append(Series(label=label, x=x, y=drawn.y, low=drawn.low, high=drawn.high))
        table += [
            {"path": label, "split": split, "t": float(t), "arc": float(s), "loss": float(y)}
            for t, s, y in zip(profile.t, x, profile.curve().mean, strict=True)
        ]
    split = next(iter(profiles.values())).splits[0]
    panel = Panel(x="arc length / straight distance", y=unit("loss"), series=series)
    caption = f"Loss on {split} over the distance that was gone along each path."
    return Figure(
        Panels(name=name, title="Along the arc", caption=caption, panels=[panel], table=table)
    )


def summarise_connection(found: "Connected", profiles: Profiles) -> dict[str, Any]:
    """A connection in plain values: strict JSON, of a stated format.

    Args:
        found: From `ridgeline.connect`.
        profiles: Of the line and of the curve.
    """
    said = [alignment_headline(profiles), *str(found).splitlines()[2:]]
    return envelope(
        "connection",
        said=[s.strip() for s in said],
        steps=found.steps,
        diverged=found.diverged,
        stretch=found.stretch,
        looks=[
            {"step": k.step, "maximum": _finite(k.maximum), "t": _finite(k.at)} for k in found.looks
        ],
        profiles={name: summarise(one) for name, one in profiles.items()},
    )


def connection_page(
    found: "Connected",
    profiles: Profiles,
    plane: "tuple[Plane, Surface] | None",
    ends: Sequence[str],
    about: Mapping[str, Any],
) -> Page:
    """The line and the curve between two checkpoints, and the plane that both are seen on.

    Args:
        found: From `ridgeline.connect`.
        profiles: Of ``line`` and ``curve``.
        plane: Through the ends and a bend, with the loss on it; None if there is none.
        ends: Names of the checkpoints.
        about: Origin of the numbers.
    """
    a, b = found.path(0.0), found.path(1.0)
    paths = {"line": Line(a, b), "curve": found.path}
    said = summarise_connection(found, profiles)["said"]
    sections = [
        Section(
            "Along line and curve",
            text=[*said, *about["notes"]],
            figures=[_profiles(profiles, "line-and-curve"), arc_figure(profiles, paths)],
            tables=[barrier_table(profiles)],
        ),
        _training(found.looks, found.losses),
    ]
    if plane is not None:
        sections.insert(1, _on_plane(*plane, paths, ends, "bend"))
    title = f"{Path(ends[0]).name} to {Path(ends[1]).name}, around the barrier"
    return Page(title, alignment_headline(profiles), sections, about)


def summarise_star(found: "Star", profiles: Profiles) -> dict[str, Any]:
    """A star in plain values.

    Args:
        found: From `ridgeline.star`.
        profiles: Of a line between two feet, of the arms, and of held-out states.
    """
    return envelope(
        "star",
        said=[alignment_headline(profiles), *(s.strip() for s in str(found).splitlines())],
        steps=found.steps,
        diverged=found.diverged,
        profiles={name: summarise(one) for name, one in profiles.items()},
    )


def star_page(
    found: "Star",
    profiles: Profiles,
    plane: "tuple[Plane, Surface] | None",
    feet: Sequence[str],
    about: Mapping[str, Any],
) -> Page:
    """A centre and its arms.

    Args:
        found: From `ridgeline.star`.
        profiles: See `summarise_star`.
        plane: Through two feet and the centre.
        feet: Names of the checkpoints.
        about: Origin of the numbers.
    """
    said = summarise_star(found, profiles)["said"]
    sections = [
        Section(
            "Along the arms",
            text=[*said, *about["notes"]],
            figures=[_profiles(profiles, "arms")],
            tables=[barrier_table(profiles)],
        ),
        _training(found.looks, found.losses),
    ]
    if plane is not None:
        paths = {"line": Line(found.feet[0], found.feet[1]), "arms": found.fold(0, 1)}
        sections.insert(1, _on_plane(*plane, paths, feet[:2], "centre"))
    title = f"A centre of {len(found.feet)} checkpoints"
    return Page(title, alignment_headline(profiles), sections, about)


def geodesic_table(found: "Geodesic") -> Table:
    """The chain of each penalty: its length and the barrier that is left."""
    columns = ["penalty", "length / distance", "barrier", "removed"]
    tidy = found.rows()
    share = [f"{r['removed']:.1%}" if np.isfinite(r["removed"]) else "-" for r in tidy]
    rows = [[r["penalty"], r["length"], r["barrier"], s] for r, s in zip(tidy, share, strict=True)]
    note = f"The line's barrier is {number(found.line.barrier().height)}; 1 is the least length."
    return Table("Chains", columns, rows, note, tidy)


def summarise_geodesic(
    found: "Geodesic", removing: float = 0.9, *, aligned: bool | None = None
) -> dict[str, Any]:
    """Geodesics in plain values.

    Args:
        found: From `ridgeline.geodesic`.
        removing: Share of the barrier that the chain which is told removes at least.
        aligned: If the ends were carried before; as `found` says by default.
    """
    carried = found.aligned if aligned is None else aligned
    how = "b carried to a before" if carried else "the ends as given"
    short = found.shortest(removing)
    if not found.line.barrier().height > 0:
        first = f"The straight line has no barrier to go around, with {how}."
    elif short is None:
        best = max(found.chains, key=found.removed)
        first = (
            f"No chain removes {removing:.0%} of the line's barrier, with {how}; the best removes "
            f"{found.removed(best):.1%} at a length of {best.length:.3f}."
        )
    else:
        first = (
            f"A chain of {short.length:.3f} times the straight distance removes "
            f"{found.removed(short):.1%} of the line's barrier, with {how} (penalty "
            f"{short.penalty:g})."
        )
    said = [first, *(n for c in found.chains for n in c.notes)]
    chains = [{n: _finite(x) for n, x in row.items()} for row in found.rows()]
    return envelope("geodesic", said=said, distance=found.distance, aligned=carried, chains=chains)


def geodesic_page(
    found: "Geodesic",
    short: "Chain",
    plane: "tuple[Plane, Surface] | None",
    ends: Sequence[str],
    about: Mapping[str, Any],
    said: Sequence[str],
) -> Page:
    """Length against the barrier that is left, and the chain that is told.

    Args:
        found: From `ridgeline.geodesic`.
        short: The chain that is told.
        plane: Through the ends and its bend.
        ends: Names of the checkpoints.
        about: Origin of the numbers.
        said: Sentences, the main one first.
    """
    rows = found.rows()
    curve = Series(
        label="chains", x=[r["length"] for r in rows], y=[r["barrier"] for r in rows], points=True
    )
    line = Series(
        label="straight line", x=[1.0], y=[found.line.barrier().height], points=True, dash=1
    )
    panel = Panel(x="length / straight distance", y="barrier of the loss", series=[curve, line])
    caption = "A point for each penalty on length; below and to the left is better."
    whole = Panels(
        name="lengths", title="Length against barrier", caption=caption, panels=[panel], table=rows
    )
    profiles = {"line": found.line, "chain": short.profile}
    sections = [
        Section(
            "Length against barrier",
            text=[*said, *about["notes"]],
            figures=[Figure(whole)],
            tables=[geodesic_table(found)],
        ),
        Section(
            "Along line and chain",
            figures=[_profiles(profiles, "line-and-chain")],
            tables=[barrier_table(profiles)],
        ),
    ]
    if plane is not None:
        paths = {"line": Line(short.path(0.0), short.path(1.0)), "chain": short.path}
        sections.append(_on_plane(*plane, paths, ends, "bend"))
    title = f"{Path(ends[0]).name} to {Path(ends[1]).name}, by short chains"
    return Page(title, said[0], sections, about)


def _training(looks: Sequence[Any], losses: Any) -> Section:
    """The largest loss along the path, look by look, over the losses of steps."""
    steps = np.arange(len(losses), dtype=np.float64)
    kept = np.isfinite(losses)
    panel = Panel(
        x="step",
        y=unit("loss"),
        series=[
            Series(label="at drawn points", x=steps[kept], y=np.asarray(losses)[kept], faint=True),
            Series(
                label="largest on the path",
                x=[k.step for k in looks],
                y=[k.maximum for k in looks],
                strong=True,
            ),
        ],
    )
    caption = "Loss of each step's points on its batch, and the largest on a sample of the data."
    chart = Panels(name="training", title="How it was trained", caption=caption, panels=[panel])
    return Section("How it was trained", figures=[Figure(chart)])


def _profiles(profiles: Profiles, name: str) -> Figure:
    metrics = tuple(next(iter(next(iter(profiles.values())).curves.values())))
    return profile_figure(profiles, metrics=metrics, name=name)


def _on_plane(
    plane: "Plane",
    surface: "Surface",
    paths: "Mapping[str, StatePath]",
    ends: Sequence[str],
    third: str,
) -> Section:
    """The section with the plane through two checkpoints, of these files, and a third state."""
    names = [Path(end).stem for end in ends]
    labels = [*(names if len(set(names)) == len(names) else "ab"), third]
    corners = [(float(x), float(y)) for x, y in surface.corners]
    points = dict(zip(labels, corners, strict=True))
    return Section("On the plane", figures=[path_plane_figure(plane, surface, paths, points)])


def _finite(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None
