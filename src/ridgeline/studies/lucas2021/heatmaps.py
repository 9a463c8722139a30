"""L2: how far lines rise, by learning rate and depth, by learning rate and width."""

from collections.abc import Callable, Sequence

import numpy as np

from ridgeline.charts import Grid
from ridgeline.studies.common import tidy
from ridgeline.studies.lucas2021.counting import (
    NAMES,
    depth,
    plain,
    rate,
    reached,
    rise,
    setting,
)
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Correlation
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS", "heatmaps"]

Runs = Sequence[Subject]


def heatmaps(bench: Bench) -> Finding:
    """Mean min Delta over runs without normalisation."""
    without, narrow = plain(bench), bench.runs("widths")
    chosen = reached(bench, [*without, *narrow], "loose")
    bench.profiles(chosen, told="lines")
    hashes = {s.hash for s in without}
    by_depth = [s for s in chosen if s.hash in hashes]
    by_width = [s for s in chosen if depth(s) == 3]
    charts, cases = [], {}
    for letter, name in zip("ab", NAMES, strict=True):
        deep, wide = (
            [s for s in found if s.at("training.optimiser.kind") == name]
            for found in (by_depth, by_width)
        )
        charts += [
            _grid(bench, f"rate-depth-{name}", name, deep, depth, "layers"),
            _grid(bench, f"rate-width-{name}", name, wide, _second, "second width"),
        ]
        cases[f"L2{letter}"] = {
            "x": [depth(s) for s in deep],
            "y": [rise(bench.profile(s)) for s in deep],
            "group": [setting(s) for s in deep],
        }
    return Finding(
        charts=charts,
        cases=cases,
        words=[
            f"Runs without normalisation whose final training loss is at most "
            f"{bench.setting('loose'):g}, as in the released code."
        ],
    )


def _second(subject: Subject) -> int:
    return subject.at("net.widths")[2]


def _grid(
    bench: Bench,
    name: str,
    optimiser: str,
    runs: Runs,
    of: Callable[[Subject], int],
    rows: str,
) -> Grid:
    y, x = sorted({of(s) for s in runs}), sorted({rate(s) for s in runs})
    found: dict[tuple[int, float], list[float]] = {}
    for run in runs:
        found.setdefault((of(run), rate(run)), []).append(rise(bench.profile(run)))
    cells = [[found.get((i, j), []) for j in x] for i in y]
    shape = (len(y), len(x))
    return Grid(
        name=name,
        title=f"Rise on the line by learning rate and {rows}, {NAMES[optimiser]}",
        caption="Mean min Δ of training loss, no normalisation.",
        rows=[str(i) for i in y],
        columns=[tidy(j) for j in x],
        values=np.array([[np.mean(c) if c else np.nan for c in r] for r in cells]).reshape(shape),
        counts=np.array([[len(c) for c in r] for r in cells]).reshape(shape),
        x="learning rate",
        y=rows,
        unit="mean min Δ (nats)",
    )


def _deeper(id: str, optimiser: str) -> Claim:
    return Claim(
        id=id,
        text=f"Rises are larger in deeper networks ({optimiser})",
        place="heatmaps of the released code",
        source="memory",
        test=Correlation("layers and min Δ"),
    )


ITEMS = (
    Item(
        name="heatmaps",
        id="L2",
        title="Rises by learning rate, depth and width",
        asks="Where in learning rate, depth and width are lines not monotone?",
        measure=heatmaps,
        settings=("points", "loose"),
        populations=("grid", "depths", "widths"),
        reported="Rises grow towards high learning rates and depth (recalled, not read); the "
        "colour scale of the released code runs from 0 to 18.",
        claims=(_deeper("L2a", "SGD"), _deeper("L2b", "Adam")),
    ),
)
