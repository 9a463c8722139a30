"""G3: training seen from the line between its ends, and on a plane."""

from typing import Any

from ridgeline.charts import Landscape, Mark, Panel, Panels, Series, Table, band
from ridgeline.frame import Frame, mean
from ridgeline.frame.show import mean_sd
from ridgeline.measures import trajectory
from ridgeline.paths import Plane
from ridgeline.profiles import surface
from ridgeline.studies.common import drawn_surface, rise
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS"]


def routes(bench: Bench) -> Frame:
    """Progress along the line and distance from it, and the surface through the first run."""
    lines = bench.lines(bench.frame("trajectories")).derive(
        route=lambda run: bench.kept(_route, [run]),
        length=lambda route: float(route["distance"]),
        away=lambda route: route["away"] / route["distance"],
        farthest=lambda away: float(away.max()),
        farthest_at=lambda route: float(route["share"][route["away"].argmax()]),
        rise=rise,
    )
    first, side = lines.values("run")[0], bench.setting("side")
    route = lines.values("route")[0]
    middle = int(route["step"][route["away"].argmax()])
    plane = bench.kept(_plane, [first], side=side, middle=middle)
    return lines.derive(plane=lambda run: plane if run is first else None)


@versioned("trajectory", "1")
def _route(run: Subject) -> dict[str, Any]:
    found = trajectory([run.state(step) for step in run.steps], run.initial, run.final)
    return {
        "step": run.steps,
        "share": found.share,
        "away": found.away,
        "distance": found.distance,
    }


def _panels(frame: Frame) -> Panels:
    found = list(zip(frame.values("route"), frame.values("away"), strict=True))
    steps = found[0][0]["step"]
    along = Panel(
        x="progress along the line (share of its length)",
        y="distance from the line (share of its length)",
        series=[
            Series(label=f"run {i + 1}", x=route["share"], y=away)
            for i, (route, away) in enumerate(found)
        ],
    )
    inside = steps > 0  # the axis is logarithmic
    shares, far = ([r["share"][inside] for r, _ in found], [away[inside] for _, away in found])
    time = Panel(
        x="step",
        y="share of the line's length",
        series=[
            band("progress along the line", steps[inside], shares),
            band("distance from the line", steps[inside], far),
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


def _table(frame: Frame) -> Table:
    said = {
        "length of the line": "length",
        "largest distance from the line, as a share of its length": "farthest",
        "progress where it is farthest": "farthest_at",
        "largest rise of the loss on the line (nats)": "rise",
    }
    return Table(
        title="Trajectories seen from the line between their ends",
        columns=["quantity", "mean ± sd (runs)"],
        rows=[[words, mean_sd(frame[column])] for words, column in said.items()],
        note="Lengths in weight space; over weights, without statistics of norms.",
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


def _landscape(frame: Frame) -> Landscape:
    """The loss on the plane through the ends of a run and its state farthest from the line."""
    (row,) = frame.where(plane=lambda plane: plane is not None)
    found = row["plane"]
    names = ("initialisation", "solution", "farthest from the line")
    points = {k: (float(x), float(y)) for k, (x, y) in zip(names, found["corners"], strict=True)}
    trail = [(float(x), float(y)) for x, y, _ in found["trail"]]
    off = float(found["trail"][:, 2].max() / row["length"])
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
        show=(_panels, _landscape, _table),
        claims=(
            Claim(
                *("G3a", "Training leaves the line", "trajectories, as remembered"),
                mean("farthest", "largest distance from the line, share of its length") > 0.1,
                "memory",
            ),
            Claim(
                *("G3b", "No barrier on the line explains it", "trajectories, as remembered"),
                mean("rise", "largest rise of the training loss on the line (nats)") < 0.01,
                "memory",
            ),
        ),
    ),
)
