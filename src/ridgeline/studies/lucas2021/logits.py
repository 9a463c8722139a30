"""L11: the curves of the logits on the line, in a plane."""

from typing import Any

import numpy as np

from ridgeline.charts import Panel, Panels, Series
from ridgeline.frame import Frame
from ridgeline.frame.show import Summary
from ridgeline.measures import Array
from ridgeline.profiles.outputs import output_paths, project
from ridgeline.studies.lucas2021.counting import CELL, bent, lines, named, plain
from ridgeline.study.bench import Bench, line
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS", "logits"]

WAYS = {"pca": "principal components", "random": "a random plane"}
DRAWN = 20
"""Curves of single samples in a chart."""


def logits(bench: Bench) -> Frame:
    """Logit curves of test samples for the straightest and the most bent run."""
    found = bent(bench, plain(bench, "grid", **CELL).where(counts=True), "ad")
    least, most = (found.sorted("ad", reverse=reverse).head(1) for reverse in (False, True))
    ends = least.derive(which="least Gauss length") + most.derive(which="greatest")
    asked = {"points": bench.setting("points"), "samples": bench.setting("curves")}
    return lines(bench, ends).derive(
        curves=lambda run: bench.kept(_outputs, [run], **asked)["outputs"],
        told=named,
        pca=lambda curves: project(curves, "pca"),
        random=lambda curves: project(curves, "random"),
    )


@versioned("outputs on the line", "1")
def _outputs(run: Subject, *, points: Any, samples: int) -> dict[str, Any]:
    goal = run.objective("test")
    return {"outputs": output_paths(line(run), goal, points=points, samples=samples)}


def _drawn(frame: Frame) -> list[Panels]:
    panels = [
        _panel(row[way].coordinates, f"{row['which']}, {named}")
        for row in frame
        for way, named in WAYS.items()
    ]
    caption = (
        f"At most {DRAWN} test samples, one curve each; a plane is shared by all samples of a run."
    )
    title = "Logits on the line from initialisation to minimum"
    if not panels:
        return []
    return [Panels(name="logit-paths", title=title, caption=caption, panels=panels)]


def _panel(coordinates: Array, title: str) -> Panel:
    series = [
        Series(label="samples", x=c[:, 0], y=c[:, 1], faint=True)
        for c in np.moveaxis(coordinates, 1, 0)[:DRAWN]
    ]
    ends = coordinates[-1, :DRAWN]
    series.append(Series(label="at the minimum", x=ends[:, 0], y=ends[:, 1], points=True))
    return Panel(x="first direction (logits)", y="second (logits)", series=series, title=title)


ITEMS = (
    Item(
        name="logit-paths",
        id="L11",
        title="Logit paths",
        asks="How straight are the curves of the logits, in two planes?",
        measure=logits,
        settings=("points", "curves", "samples", "threshold", "tolerance"),
        populations=("grid",),
        reported="Shown by principal components and by random projection; curves are near "
        "straight where the Gauss length is small (in words of the specification).",
        show=(
            _drawn,
            Summary(
                "Share of the variance of logit curves in a plane",
                by={"run": "told"},
                of={
                    "Gauss length (ad)": lambda rows: f"{rows['ad'][0]:.3f}",
                    "min Δ": lambda rows: f"{rows['rise'][0]:.3g}",
                    **{
                        named: lambda rows, way=way: f"{rows.values(way)[0].share:.3f}"
                        for way, named in WAYS.items()
                    },
                },
                note="Of all points of all curves, about their mean.",
            ),
        ),
    ),
)
