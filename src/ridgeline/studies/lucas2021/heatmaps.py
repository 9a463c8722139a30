"""L2: how far lines rise, by learning rate and depth, by learning rate and width."""

from collections.abc import Callable

import numpy as np

from ridgeline.charts import Grid
from ridgeline.frame import Frame, correlation
from ridgeline.frame.show import tidy
from ridgeline.studies.lucas2021.counting import CELL, NAMES, depth, lines, plain
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item

__all__ = ["ITEMS", "heatmaps"]


def heatmaps(bench: Bench) -> Frame:
    """Mean min Delta over runs without normalisation."""
    found = plain(
        *(bench, "grid", "depths", "widths"),
        threshold="loose",
        depth=depth,
        second=lambda run: run.at("net.widths")[2],
        **CELL,
    )
    return (
        lines(bench, found)
        .where(counts=True)
        .derive(by_depth=lambda population: population != "widths")
        .noted(
            f"Runs without normalisation whose final training loss is at most "
            f"{bench.setting('loose'):g}, as in the released code."
        )
    )


def _grid(name: str, rows: str, column: str, **where: object) -> Callable[[Frame], Grid]:
    def show(frame: Frame) -> Grid:
        found = frame.where(optimiser=NAMES[name], **where)
        y, x = sorted(set(found.values(column))), sorted(set(found.values("rate")))
        groups = found.by(column, "rate")
        cells = [[groups[i, j]["rise"] if (i, j) in groups else [] for j in x] for i in y]
        shape = (len(y), len(x))
        means = np.array([[np.mean(c) if len(c) else np.nan for c in row] for row in cells])
        return Grid(
            name=f"rate-{'depth' if column == 'depth' else 'width'}-{name}",
            title=f"Rise on the line by learning rate and {rows}, {NAMES[name]}",
            caption="Mean min Δ of training loss, no normalisation.",
            rows=[str(i) for i in y],
            columns=[tidy(j) for j in x],
            values=means.reshape(shape),
            counts=np.array([[len(c) for c in row] for row in cells]).reshape(shape),
            x="learning rate",
            y=rows,
            unit="mean min Δ (nats)",
        )

    return show


def _deeper(id: str, optimiser: str) -> Claim:
    asked = correlation(
        *("depth", "rise", "layers and min Δ"),
        cluster="setting",
        optimiser=optimiser,
        by_depth=True,
    )
    text = f"Rises are larger in deeper networks ({optimiser})"
    return Claim(id, text, "heatmaps of the released code", asked > 0, "memory")


ITEMS = (
    Item(
        name="heatmaps",
        id="L2",
        title="Rises by learning rate, depth and width",
        asks="Where in learning rate, depth and width are lines not monotone?",
        measure=heatmaps,
        settings=("points", "loose", "tolerance"),
        populations=("grid", "depths", "widths"),
        reported="Rises grow towards high learning rates and depth (recalled, not read); the "
        "colour scale of the released code runs from 0 to 18.",
        show=tuple(
            show
            for name in NAMES
            for show in (
                _grid(name, "layers", "depth", by_depth=True),
                _grid(name, "second width", "second", depth=3),
            )
        ),
        claims=(_deeper("L2a", "SGD"), _deeper("L2b", "Adam")),
    ),
)
