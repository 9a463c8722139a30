"""N3: how many straight pieces lie between any two minima."""

from typing import Any

import numpy as np

from ridgeline.charts import Mark, Panel, Panels, Series
from ridgeline.frame import Frame, every
from ridgeline.frame.show import Summary
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Item
from ridgeline.theory.minima import adjacent, diameter, distances

__all__ = ["ITEMS"]

DRAWN = (2, 3)
"""M and m of the graph that is drawn."""


def apart(bench: Bench) -> Frame:
    """The largest distance of two minima for each M and m, by search of the whole graph."""
    rows, cells = [], bench.setting("graphs")
    for i, (M, m) in enumerate(cells):
        bench.tell("graphs", i, len(cells))
        found = float(bench.kept(_diameter, [], teachers=int(M), neurons=int(m))["largest"])
        rows.append({"M": M, "m": m, "largest": found, "enough": m >= 2 * M - 1})
    return (
        Frame.of(rows)
        .derive(
            four=lambda largest: largest <= 4,
            needed=lambda largest: largest >= 4,
            more=lambda largest: largest > 4,
        )
        .noted(
            "Every minimum is searched from: neurons and types may change names, so one of each "
            "kind is enough. The number of pieces between two is a matter of their types alone."
        )
    )


@versioned("largest distance of minima", "1")
def _diameter(*, teachers: int, neurons: int) -> dict[str, Any]:
    return {"largest": np.array(diameter(teachers, neurons))}


def _largest(frame: Frame) -> Panels:
    top = max(float(x) for x in frame["largest"] if np.isfinite(x)) + 2
    series = [
        Series(
            label=f"M = {M}",
            x=rows["m"] - (2 * M - 1),
            y=np.where(np.isfinite(rows["largest"]), rows["largest"], top),
            ordered=M / 5,
        )
        for M, rows in frame.by("M").items()
    ]
    panel = Panel(
        x="neurons above 2M - 1",
        y=f"largest number of pieces ({top:g}: no chain)",
        series=series,
        marks=(Mark(0, "theorem 9"), Mark(4, "", "y")),
    )
    return Panels(
        name="distances",
        title="Four pieces connect any two minima, from 2M - 1 neurons on",
        caption="Largest distance in the graph of types.",
        panels=[panel],
    )


def _drawn(_: Frame) -> Panels:
    """The graph of one small case, in layers by the distance from a minimum."""
    M, m = DRAWN
    found = distances(np.array([1, 1, 2], np.int8), M)
    vectors = [np.array(v, np.int8) for v in np.argwhere(np.isfinite(found))]
    layer = [float(found[tuple(v.tolist())]) for v in vectors]
    place = []
    for i, x in enumerate(layer):
        before, all_of_it = layer[:i].count(x), layer.count(x)
        # A layer is bent a little, so that a line within it passes beside the points between.
        y = before - (all_of_it - 1) / 2
        place.append((x + 0.12 * (all_of_it > 1) * (1 - abs(y)), y))
    edges = [
        Series(label="line at zero loss", x=[p[0], q[0]], y=[p[1], q[1]], faint=True)
        for i, p in enumerate(place)
        for j, q in enumerate(place[:i])
        if adjacent(vectors[i], vectors[j])
    ]
    points = [
        Series(label=f"{x:g} pieces", x=at[:, 0], y=at[:, 1], points=True, ordered=x / 4)
        for x in sorted(set(layer))
        for at in [np.array([p for p, own in zip(place, layer, strict=True) if own == x])]
    ]
    said = "".join(map(str, vectors[layer.index(0.0)].tolist()))
    far = ", ".join(
        "".join(map(str, v.tolist())) for v, x in zip(vectors, layer, strict=True) if x == 4
    )
    return Panels(
        name="graph",
        title=f"The graph of types of {m} neurons and a teacher of {M}",
        caption=f"Every point is all minima of one type vector; colour: pieces from {said}, on the "
        f"left. Four pieces away: {far}. Pale lines join minima whose straight line stays at "
        "zero loss.",
        panels=[
            Panel(x=f"pieces from {said}", y="place within its layer", series=[*edges, *points])
        ],
    )


ITEMS = (
    Item(
        name="distances",
        id="N3",
        title="Pieces between any two minima",
        asks="Are any two minima connected by four pieces, and from how many neurons on?",
        measure=apart,
        settings=("graphs",),
        reported="Proved: 4-PL if m is at least 2M - 1. That it is sharp was found here.",
        show=(
            _drawn,
            _largest,
            Summary(
                "Largest distances",
                by={"M": "M", "m": "m", "m ≥ 2M - 1": "enough"},
                of={"pieces": lambda rows: f"{rows['largest'][0]:g}".replace("inf", "no chain")},
            ),
        ),
        claims=(
            Claim(
                *("N3a", "From 2M - 1 neurons on four pieces are enough", "theorem 9"),
                every("four", "the largest distance is at most 4", enough=True),
            ),
            Claim(
                *("N3b", "and four are needed", "our search"),
                every("needed", "the largest distance is at least 4", enough=True),
                "derived",
            ),
            Claim(
                *("N3c", "With fewer neurons four pieces are not enough", "our search"),
                every("more", "the largest distance is above 4", enough=False),
                "derived",
            ),
        ),
    ),
)
