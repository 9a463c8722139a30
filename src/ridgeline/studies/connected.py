"""Common parts of studies of paths: networks of a population, and levels on a path."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ridgeline.charts import Panel, Panels, Series, band
from ridgeline.frame import Frame
from ridgeline.frame.show import POSITION
from ridgeline.measures import Array
from ridgeline.paths import Line, Path
from ridgeline.profiles import Profile, profile
from ridgeline.study.bench import Bench
from ridgeline.study.keys import versioned
from ridgeline.study.subjects import Subject

__all__ = [
    "POINTS",
    "circle",
    "levels",
    "losses_drawn",
    "measured",
    "networks",
    "removed",
    "straight",
]

POINTS = 21
"""Positions at which a path is measured, ends included."""


def networks(bench: Bench, population: str = "minima") -> Iterator[tuple[str, list[Subject]]]:
    """Sound runs of each network of a population, by seed; the widths say which network."""
    frame = bench.frame(population, widths="net.widths")
    for widths, rows in frame.by("widths").items():
        yield "-".join(map(str, widths)), sorted(rows.values("run"), key=lambda run: run.seed)


def circle(runs: Sequence[Subject]) -> list[tuple[Subject, Subject]]:
    """Each run with the next, the last with the first."""
    return [(a, runs[(i + 1) % len(runs)]) for i, a in enumerate(runs)]


def levels(profile: Profile) -> dict[str, float]:
    """Numbers of a profile on training and test data.

    Training and test barriers over the chord, the largest training loss, the least training
    accuracy, and by how much the test error exceeds that of the worse end.
    """
    error = profile.curve("error", "test").mean
    return {
        "barrier": profile.barrier(split="train").height,
        "test": profile.barrier(split="test").height,
        "top": float(profile.curve("loss", "train").mean.max()),
        "least": 1 - float(profile.curve("error", "train").mean.max()),
        "worse": float(error.max() - max(error[0], error[-1])),
    }


def measured(path: Path, run: Subject) -> dict[str, Any]:
    """The levels of a path, its length over the straight one, and training losses along it."""
    goals = {"train": run.objective("train"), "test": run.objective("test")}
    found = profile(path, goals, points=POINTS)
    return {**levels(found), "loss": found.curve("loss", "train").mean}


@versioned("line of a pair", "1")
def straight(a: Subject, b: Subject) -> dict[str, Any]:
    """The line between two runs, as `measured` has it."""
    return measured(Line(a.final, b.final), a)


def removed(line: float, left: float) -> float:
    """The share of a barrier that is gone; NaN where there was none."""
    return 1 - left / line if line > 0 else float("nan")


def losses_drawn(name: str, title: str, caption: str, **columns: str) -> Any:
    """A panel a network: the mean training loss on each of several paths, by column and label.

    Args:
        name: Of the chart.
        title: Likewise.
        caption: Likewise; the band is told.
        **columns: Column of what `measured` gives, to its label.
    """

    def drawn(frame: Frame) -> Panels:
        t: Array = np.linspace(0, 1, POINTS)
        panels = []
        for network, rows in frame.by("network").items():
            series: list[Series] = [
                band(label, t, [one["loss"] for one in rows.values(column)])
                for column, label in columns.items()
            ]
            panels.append(Panel(x=POSITION, y="training loss", series=series, title=network))
        said = f"{caption} Mean over {len(frame)} pairs, band of one standard deviation."
        return Panels(name=name, title=title, caption=said, panels=panels)

    return drawn
