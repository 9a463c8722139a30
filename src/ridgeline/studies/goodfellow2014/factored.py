"""G4: the line to the limit of gradient flow, on the smallest landscape with a saddle."""

from typing import Any

import numpy as np

from ridgeline.charts import Landscape, Panel, Panels, Series, Table
from ridgeline.measures import Array, Curve, monotonicity
from ridgeline.profiles import Surface
from ridgeline.studies.common import POSITION, tidy
from ridgeline.studies.goodfellow2014.saddle import (
    SIDE,
    UNTIL,
    falls,
    flow,
    limit,
    loss,
    on_line,
    starts,
)
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Correlation, Every
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Finding, Item

__all__ = ["ITEMS"]

SOLVED = 0.01
"""Loss at which a flow counts as at its end."""
CORRELATED = 300
"""Starts of which times are compared; all would make the bootstrap long, and nothing surer."""
ROUNDING = 1e-9
SHOWN = {
    "near the saddle": (0.05, 0.02),
    "along the saddle's stable line": (0.9, -0.87),
    "factors of opposite sign": (-1.5, 0.5),
    "both too large": (1.2, 1.9),
}


@versioned("flows of the factored problem", "1")
def _flows(*, n: int, points: int) -> dict[str, Any]:
    return _many(starts(n), np.linspace(0, 1, points))


def factored(bench: Bench) -> Finding:
    """Lines to the flow's own limit, from random starts, and the slow phase at the saddle."""
    n, points = bench.setting("factored_starts"), bench.setting("points")
    found = bench.kept(_flows, [], n=n, points=points)
    near = np.argsort(found["nearest"])[: max(1, n // 20)]
    rows = [
        ["starts", n],
        ["of them with factors of opposite sign", int((starts(n).prod(1) < 0).sum())],
        ["lines on which the loss rises", n - int(found["falls"].sum())],
        ["lines on which it rises, by the exact criterion", n - int(found["exact"].sum())],
        ["largest rise on any line", float(found["rise"].max())],
        ["largest distance of a flow's end from the closed form", float(found["off"].max())],
        ["median time to a loss of 0.01", float(np.median(found["time"]))],
        [
            "the same, of the twentieth that comes nearest to the saddle",
            float(np.median(found["time"][near])),
        ],
    ]
    return Finding(
        charts=[_map(bench), _times(points)],
        tables=[Table(title="The factored loss in numbers", columns=["", "value"], rows=rows)],
        cases={
            "G4a": [bool(x) for x in found["falls"]],
            "G4b": [bool(x) for x in found["exact"]],
            "G4c": {
                "x": found["nearest"][:CORRELATED].tolist(),
                "y": found["time"][:CORRELATED].tolist(),
            },
        },
        words=[
            "The flow may crawl past the saddle and turn a factor's sign on the way; the line goes "
            "straight to where the flow ends. On it w1 w2 - 1 is a quadratic with a root at the "
            "minimum, so that whether its square ever rises can be told exactly."
        ],
    )


def _many(begin: Array, t: Array) -> dict[str, Any]:
    times = np.linspace(0, UNTIL, 2001)
    path = flow(begin, times)
    end, height = path[-1], loss(path)
    curves = on_line(begin, end, t)
    rises = [monotonicity(Curve.exact(t, y), ROUNDING) for y in curves]
    return {
        "falls": np.array([found.holds for found in rises]),
        "rise": np.array([found.largest_rise for found in rises]),
        "exact": falls(begin, limit(begin)),
        "off": np.abs(end - limit(begin)).max(1),
        "nearest": np.linalg.norm(path, axis=2).min(0),
        "time": times[np.argmax(height < SOLVED, axis=0)],
    }


def _map(bench: Bench) -> Landscape:
    """The landscape with a few flows; contours of its logarithm would hide the saddle."""
    axis = np.linspace(-SIDE, SIDE, bench.setting("side") * 2 + 1)
    heights = loss(np.stack(np.meshgrid(axis, axis), axis=-1))
    nothing = np.zeros_like(heights)
    corners = np.array([[0.0, 0.0], [1.0, 1.0], [-1.0, -1.0]])
    surface = Surface(
        axis, axis, {"exact": {"loss": heights}}, {"exact": {"loss": nothing}}, corners
    )
    paths = flow(np.array(list(SHOWN.values())), np.linspace(0, UNTIL, 801))
    return Landscape(
        name="factored-flows",
        title="Gradient flow on (w1 w2 - 1)²",
        caption="Axes are w1 and w2. The saddle is the origin; minima are the two branches of "
        "w1 w2 = 1.",
        surface=surface,
        points={"saddle": (0.0, 0.0)},
        trajectories={
            name: [(float(x), float(y)) for x, y in paths[:, i]] for i, name in enumerate(SHOWN)
        },
    )


def _times(points: int) -> Panels:
    begin = np.array(list(SHOWN.values()))
    times, t = np.linspace(0, 4, 401), np.linspace(0, 1, points)
    heights, lines = loss(flow(begin, times)), on_line(begin, limit(begin), t)
    told = ", ".join(f"{k} ({tidy(a)}, {tidy(b)})" for k, (a, b) in SHOWN.items())
    return Panels(
        name="factored-lines",
        title="The same descent in time, and on the line",
        caption=f"Starts (w1, w2): {told}. For the table they are random in the square from "
        f"-{SIDE:g} to {SIDE:g}.",
        panels=[
            Panel(
                x=x,
                y="(w1 w2 - 1)²",
                series=[Series(label=k, x=at, y=y[i]) for i, k in enumerate(SHOWN)],
            )
            for x, at, y in (("time of the flow", times, heights.T), (POSITION, t, lines))
        ],
    )


ITEMS = (
    Item(
        name="factored",
        id="G4",
        title="Two factors",
        asks="Does the line from a start to where gradient flow ends see the saddle?",
        measure=factored,
        settings=("points", "factored_starts", "side"),
        reported="A saddle makes the flow slow for a while, then the loss falls fast; the line is "
        "smooth (as remembered).",
        claims=(
            Claim(
                id="G4a",
                text="The loss falls all the way on the line to the flow's own limit",
                place="our specification, G4",
                source="derived",
                test=Every("the loss never rises on the grid of the line"),
            ),
            Claim(
                id="G4b",
                text="It does at every position, not only on a grid",
                place="our specification, G4",
                source="derived",
                test=Every("the quadratic w1 w2 - 1 has no root and no vertex inside the line"),
            ),
            Claim(
                id="G4c",
                text="The nearer a flow comes to the saddle, the longer it takes",
                place="the factored linear model, as remembered",
                source="memory",
                test=Correlation("least distance from the saddle and time to 0.01", "below"),
            ),
        ),
    ),
)
