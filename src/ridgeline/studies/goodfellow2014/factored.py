"""G4: the line to the limit of gradient flow, on the smallest landscape with a saddle."""

from typing import Any

import numpy as np

from ridgeline.charts import Landscape, Panel, Panels, Series, Table
from ridgeline.frame import Frame, correlation, every
from ridgeline.frame.show import POSITION, tidy
from ridgeline.measures import Array, Curve, monotonicity
from ridgeline.profiles import Surface
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
from ridgeline.study.claims import Claim
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Item

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


def factored(bench: Bench) -> Frame:
    """Lines to the flow's own limit, from random starts, and the slow phase at the saddle."""
    n, points = bench.setting("factored_starts"), bench.setting("points")
    found = bench.kept(_flows, [], n=n, points=points)
    names = ("falls", "rise", "exact", "off", "nearest", "time")
    rows = Frame({name: found[name].tolist() for name in names} | {"start": range(n)})
    return rows.derive(
        compared=lambda start: start < CORRELATED,
        points=points,
        side=bench.setting("side"),
    ).noted(
        "The flow may crawl past the saddle and turn a factor's sign on the way; the line goes "
        "straight to where the flow ends. On it w1 w2 - 1 is a quadratic with a root at the "
        "minimum, so that whether its square ever rises can be told exactly."
    )


def _numbers(frame: Frame) -> Table:
    n, near = len(frame), frame.sorted("nearest")
    rows = [
        ["starts", n],
        ["of them with factors of opposite sign", int((starts(n).prod(1) < 0).sum())],
        ["lines on which the loss rises", n - int(frame["falls"].sum())],
        ["lines on which it rises, by the exact criterion", n - int(frame["exact"].sum())],
        ["largest rise on any line", float(frame["rise"].max())],
        ["largest distance of a flow's end from the closed form", float(frame["off"].max())],
        ["median time to a loss of 0.01", float(np.median(frame["time"]))],
        [
            "the same, of the twentieth that comes nearest to the saddle",
            float(np.median(near["time"][: max(1, n // 20)])),
        ],
    ]
    return Table(title="The factored loss in numbers", columns=["", "value"], rows=rows)


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


def _map(frame: Frame) -> Landscape:
    """The landscape with a few flows; contours of its logarithm would hide the saddle."""
    axis = np.linspace(-SIDE, SIDE, frame.values("side")[0] * 2 + 1)
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


def _times(frame: Frame) -> Panels:
    points = frame.values("points")[0]
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
        show=(_map, _times, _numbers),
        claims=(
            Claim(
                *("G4a", "The loss falls all the way on the line to the flow's own limit"),
                "our specification, G4",
                every("falls", "the loss never rises on the grid of the line"),
                "derived",
            ),
            Claim(
                *("G4b", "It does at every position, not only on a grid"),
                "our specification, G4",
                every("exact", "the quadratic w1 w2 - 1 has no root and no vertex inside the line"),
                "derived",
            ),
            Claim(
                *("G4c", "The nearer a flow comes to the saddle, the longer it takes"),
                "the factored linear model, as remembered",
                correlation(
                    *("nearest", "time", "least distance from the saddle and time to 0.01"),
                    compared=True,
                )
                < 0,
                "memory",
            ),
        ),
    ),
)
