"""Learning curves: the loss and the error of runs as they were trained."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.errors import UsageError
from ridgeline.measures import Array
from ridgeline.report.figures import Figure
from ridgeline.report.layouts import layout
from ridgeline.report.lines import unit
from ridgeline.report.style import COLUMN, PALETTE, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["learning_figure"]

Log = Mapping[str, Sequence[float]]

SPLITS = {"train": ("", PALETTE[0]), "test": ("test_", PALETTE[1])}
"""Split to the prefix of its columns in a log, and its colour."""
DECADES = 1.5
"""A loss that falls by more decades than this is drawn on a logarithm's scale."""


@dataclass(frozen=True, eq=False)
class _Curves:
    """One metric of one split: a line for each run that has it, and their median."""

    split: str
    colour: str
    each: list[tuple[str, Array, Array]]
    """Run, epochs, values; finite ones only."""

    @property
    def median(self) -> tuple[Array, Array]:
        """At each epoch that at least half of the runs reached."""
        at: dict[float, list[float]] = {}
        for _, epochs, values in self.each:
            for epoch, value in zip(epochs.tolist(), values.tolist(), strict=True):
                at.setdefault(epoch, []).append(value)
        common = sorted(epoch for epoch, found in at.items() if 2 * len(found) >= len(self.each))
        return np.array(common), np.array([float(np.median(at[epoch])) for epoch in common])


def learning_figure(
    logs: Mapping[str, Log], *, name: str = "learning", title: str = "As they were trained"
) -> Figure:
    """Draw the logs of runs: loss and error against epochs, a thin line for each run.

    The training split is shown as batches met it, the test split in evaluation mode. With
    several runs their median is drawn thick.

    Args:
        logs: By the name of the run: columns ``epoch``, ``loss``, ``error``, and perhaps
            ``test_loss`` and ``test_error``, as `ridgeline.training.Run.log` has them.
        name: For files.
        title: Of the figure.

    Returns:
        A figure; nothing is drawn yet.

    Raises:
        UsageError: If no log has a finite number.
    """
    panels = {metric: _curves(logs, metric) for metric in ("loss", "error")}
    panels = {metric: curves for metric, curves in panels.items() if curves}
    if not panels:
        raise UsageError("A figure is of one finite number at least.", got=f"{len(logs)} logs")
    table = [
        {"run": run, "split": curves.split, "metric": metric, "epoch": epoch, "value": value}
        for metric, every in panels.items()
        for curves in every
        for run, epochs, values in curves.each
        for epoch, value in zip(epochs.tolist(), values.tolist(), strict=True)
    ]
    lost = len(logs) - len(panels.get("loss", [_Curves("", "", [])])[0].each)
    text = (
        f"{len(logs)} run{'s' * (len(logs) > 1)}. Training split: means over an epoch as batches "
        "met it; test split: in evaluation mode."
    )
    if len(logs) > 1:
        text += " Thin: each run; thick: the median."
    if lost:
        text += f" {lost} without a finite loss are not drawn."
    return Figure(
        name=name,
        title=title,
        caption=text,
        rows=table,
        draw=lambda: _draw(panels),
        plot=lambda: _plot(panels),
        width=COLUMN * len(panels),
    )


def _curves(logs: Mapping[str, Log], metric: str) -> list[_Curves]:
    found = []
    for split, (prefix, colour) in SPLITS.items():
        each = []
        for run, log in logs.items():
            values = np.asarray(log.get(prefix + metric, ()), float)
            epochs = np.asarray(log["epoch"], float)[: len(values)]
            good = np.isfinite(values)
            if good.any():
                each.append((run, epochs[good], values[good]))
        if each:
            found.append(_Curves(split, colour, each))
    return found


def _logarithmic(metric: str, every: Sequence[_Curves]) -> bool:
    values = np.concatenate([v for curves in every for _, _, v in curves.each])
    if metric != "loss" or values.min() <= 0:
        return False
    return math.log10(values.max() / values.min()) > DECADES


def _draw(panels: Mapping[str, Sequence[_Curves]]) -> Any:
    figure, axes = canvas(len(panels), (COLUMN * len(panels), 2.55))
    handles: dict[str, Any] = {}
    for ax, (metric, every) in zip(axes, panels.items(), strict=True):
        for curves in every:
            handles[curves.split] = _draw_curves(ax, curves)
        ax.set(xlabel="epochs", ylabel=unit(metric))
        if _logarithmic(metric, every):
            ax.set_yscale("log")
        else:
            ax.set_ylim(bottom=0)
    figure.legend(list(handles.values()), list(handles), loc="outside upper left", ncols=2)
    return figure


def _draw_curves(ax: "Axes", curves: _Curves) -> Any:
    several = len(curves.each) > 1
    alone = "o" if max(len(epochs) for _, epochs, _ in curves.each) == 1 else None
    for _, epochs, values in curves.each:
        ax.plot(epochs, values, color=curves.colour, lw=0.6, alpha=0.45, marker=alone, ms=2.5)
    epochs, values = curves.median if several else curves.each[0][1:]
    return ax.plot(epochs, values, color=curves.colour, marker=alone, ms=3)[0]


def _plot(panels: Mapping[str, Sequence[_Curves]]) -> dict[str, Any]:
    data: list[dict[str, Any]] = []
    axes = []
    for i, (metric, every) in enumerate(panels.items()):
        n = str(i + 1) if i else ""
        kind = "log" if _logarithmic(metric, every) else "linear"
        y = {"title": {"text": unit(metric)}, "type": kind}
        axes.append({"x": {"title": {"text": "epochs"}}, "y": y})
        for curves in every:
            place = {"xaxis": "x" + n, "yaxis": "y" + n, "legendgroup": curves.split}
            for run, epochs, values in curves.each:
                data.append(
                    place
                    | _trace(epochs, values, curves.colour, 1, f"{run}, {curves.split}")
                    | {"opacity": 0.45, "showlegend": False}
                )
            several = len(curves.each) > 1
            epochs, values = curves.median if several else curves.each[0][1:]
            label = f"{curves.split}, median" if several else curves.split
            data.append(
                place | _trace(epochs, values, curves.colour, 2.2, label) | {"showlegend": not i}
            )
    return {"data": data, "layout": layout(axes)}


def _trace(x: Array, y: Array, colour: str, width: float, name: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines" if len(x) > 1 else "markers",
        "x": x.tolist(),
        "y": y.tolist(),
        "name": name,
        "line": {"color": colour, "width": width},
        "marker": {"color": colour},
    }
