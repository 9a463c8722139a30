"""G3: training seen from the line between its ends, and on a plane."""

from collections.abc import Sequence
from typing import Any

from ridgeline.charts import Landscape, Mark, Panel, Panels, Series, Table, band
from ridgeline.measures import Array, trajectory
from ridgeline.paths import Plane
from ridgeline.profiles import surface
from ridgeline.studies.common import drawn_surface, mean_sd, rise, sound
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Mean
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS"]


def routes(bench: Bench) -> Finding:
    """Progress along the line and distance from it, and the surface through the first run."""
    runs = sound(bench.runs("trajectories"))
    lines = bench.profiles(runs)
    found = [bench.kept(_route, [run]) for run in runs]
    farthest = [float((f["away"] / f["distance"]).max()) for f in found]
    longest = [float(f["distance"]) for f in found]
    table = Table(
        title="Trajectories seen from the line between their ends",
        columns=["quantity", "mean ± sd (runs)"],
        rows=[
            ["length of the line", mean_sd(longest)],
            ["largest distance from the line, as a share of its length", mean_sd(farthest)],
            ["progress where it is farthest", mean_sd(_farthest_at(f) for f in found)],
            ["largest rise of the loss on the line (nats)", mean_sd(rise(p) for p in lines)],
        ],
        note="Lengths in weight space; over weights, without statistics of norms.",
    )
    return Finding(
        charts=[_panels(found), _landscape(bench, runs[0])],
        tables=[table],
        cases={"G3a": farthest, "G3b": [rise(p) for p in lines]},
    )


@versioned("trajectory", "1")
def _route(run: Subject) -> dict[str, Any]:
    found = trajectory([run.state(step) for step in run.steps], run.initial, run.final)
    return {
        "step": run.steps,
        "share": found.share,
        "away": found.away,
        "distance": found.distance,
    }


def _farthest_at(found: dict[str, Array]) -> float:
    return float(found["share"][found["away"].argmax()])


def _panels(found: Sequence[dict[str, Array]]) -> Panels:
    steps = found[0]["step"]
    along = Panel(
        x="progress along the line (share of its length)",
        y="distance from the line (share of its length)",
        series=[
            Series(label=f"run {i + 1}", x=f["share"], y=f["away"] / f["distance"])
            for i, f in enumerate(found)
        ],
    )
    inside = steps > 0  # the axis is logarithmic
    time = Panel(
        x="step",
        y="share of the line's length",
        series=[
            band("progress along the line", steps[inside], [f["share"][inside] for f in found]),
            band(
                "distance from the line",
                steps[inside],
                [(f["away"] / f["distance"])[inside] for f in found],
            ),
        ],
        log_x=True,
        marks=[Mark(1.0, axis="y")],
    )
    return Panels(
        name="trajectories",
        title="Progress along the line, and distance from it",
        caption=f"{len(found)} runs, {len(steps)} states each. Both coordinates are exact at the "
        "ends: (0, 0) and (1, 0).",
        panels=[along, time],
    )


# --- the plane -------------------------------------------------------------------------------


@versioned("plane", "1")
def _plane(run: Subject, *, side: int, middle: int) -> dict[str, Any]:
    plane = Plane(run.initial, run.final, run.state(middle))
    found = surface(plane, {"train": run.objective()}, points=side)
    return {
        "x": found.x,
        "y": found.y,
        "loss": found.value(),
        "stderr": found.stderr["train"]["loss"],
        "corners": found.corners,
        "trail": [plane.project(run.state(step)) for step in run.steps],
    }


def _landscape(bench: Bench, run: Subject) -> Landscape:
    """The loss on the plane through the ends of a run and its state farthest from the line."""
    route, side = bench.kept(_route, [run]), bench.setting("side")
    middle = int(route["step"][route["away"].argmax()])
    found = bench.kept(_plane, [run], side=side, middle=middle)
    names = ("initialisation", "solution", "farthest from the line")
    points = {k: (float(x), float(y)) for k, (x, y) in zip(names, found["corners"], strict=True)}
    trail = [(float(x), float(y)) for x, y, _ in found["trail"]]
    off = float(found["trail"][:, 2].max() / route["distance"])
    return Landscape(
        name="plane",
        title="Training on the plane through its ends and its farthest state",
        caption=f"Training loss of the first run. The run leaves the plane by up to {off:.2g} of "
        "the line's length; its states are projected. Horizontal: along the line.",
        surface=drawn_surface(found),
        points=points,
        trajectories={"training": trail},
    )


ITEMS = (
    Item(
        name="trajectory",
        id="G3",
        title="The path that training takes",
        asks="How far does training go from the line, and is there anything on the line to avoid?",
        measure=routes,
        settings=("points", "side"),
        populations=("trajectories",),
        reported="Training leaves the line, though no barrier on it explains why (as remembered); "
        "the surface spanned by the line and the distance from it is smooth.",
        claims=(
            Claim(
                id="G3a",
                text="Training leaves the line",
                place="trajectories, as remembered",
                source="memory",
                test=Mean("largest distance from the line, share of its length", "above", 0.1),
            ),
            Claim(
                id="G3b",
                text="No barrier on the line explains it",
                place="trajectories, as remembered",
                source="memory",
                test=Mean("largest rise of the training loss on the line (nats)", "below", 0.01),
            ),
        ),
    ),
)
