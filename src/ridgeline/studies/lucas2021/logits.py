"""L11: the curves of the logits on the line, in a plane."""

from typing import Any

import numpy as np

from ridgeline.charts import Panel, Panels, Series, Table
from ridgeline.measures import Array
from ridgeline.profiles.outputs import output_paths, project
from ridgeline.studies.common import tidy
from ridgeline.studies.lucas2021.counting import gauss, kind, rate, reached, rise
from ridgeline.study.bench import Bench, line
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS", "logits"]

WAYS = {"pca": "principal components", "random": "a random plane"}
DRAWN = 20
"""Curves of single samples in a chart."""


def logits(bench: Bench) -> Finding:
    """Logit curves of test samples for the straightest and the most bent run."""
    runs = [s for s in reached(bench, bench.runs("grid")) if s.at("net.norm") is None]
    if not runs:
        return Finding(words=["No run without normalisation reached the threshold."])
    lengths = [gauss(bench, run, "ad") for run in runs]
    order = np.argsort(lengths)
    samples = bench.setting("curves")
    panels, rows = [], []
    for title, i in (("least Gauss length", order[0]), ("greatest", order[-1])):
        run = runs[int(i)]
        curves = _kept(bench, run, samples)
        shares = []
        for way, named in WAYS.items():
            seen = project(curves, way)  # type: ignore[arg-type]  # a key of WAYS
            shares.append(f"{seen.share:.3f}")
            panels.append(_panel(seen.coordinates, f"{title}, {named}"))
        told = f"{title}: {kind(run)}, rate {tidy(rate(run))}"
        rows.append([told, f"{lengths[int(i)]:.3f}", f"{rise(bench.profile(run)):.3g}", *shares])
    return Finding(
        charts=[
            Panels(
                name="logit-paths",
                title="Logits on the line from initialisation to minimum",
                caption=f"{min(DRAWN, samples)} of {samples} test samples, one curve each; a "
                "plane is shared by all samples of a run.",
                panels=panels,
            )
        ],
        tables=[
            Table(
                title="Share of the variance of logit curves in a plane",
                columns=["run", "Gauss length (ad)", "min Δ", *WAYS.values()],
                rows=rows,
                note="Of all points of all curves, about their mean.",
            )
        ],
    )


def _kept(bench: Bench, run: Subject, samples: int) -> Array:
    points = bench.setting("points")
    return bench.kept(_outputs, [run], points=points, samples=samples)["outputs"]


@versioned("outputs on the line", "1")
def _outputs(run: Subject, *, points: Any, samples: int) -> dict[str, Any]:
    goal = run.objective("test")
    return {"outputs": output_paths(line(run), goal, points=points, samples=samples)}


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
        settings=("points", "curves", "samples", "threshold"),
        populations=("grid",),
        reported="Shown by principal components and by random projection; curves are near "
        "straight where the Gauss length is small (in words of the specification).",
    ),
)
