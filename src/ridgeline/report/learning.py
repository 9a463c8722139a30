"""Learning curves: the loss and the error of runs as they were trained."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ridgeline.charts import Panel, Panels, Row, Series
from ridgeline.errors import UsageError
from ridgeline.measures.curve import Array
from ridgeline.report.figures import Figure
from ridgeline.report.panels import unit

__all__ = ["learning_figure"]

Log = Mapping[str, Sequence[float]]
Each = list[tuple[str, Array, Array]]
"""Run, epochs, values; finite ones only."""

PREFIXES = {"train": "", "test": "test_"}
"""Split to the prefix of its columns in a log."""
DECADES = 1.5
"""A loss that falls by more decades than this is drawn on a logarithm's scale."""


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
    found = {metric: _curves(logs, metric) for metric in ("loss", "error")}
    found = {metric: curves for metric, curves in found.items() if curves}
    if not found:
        raise UsageError("A figure is of one finite number at least.", got=f"{len(logs)} logs")
    table: list[Row] = [
        {"run": run, "split": split, "metric": metric, "epoch": epoch, "value": value}
        for metric, by_split in found.items()
        for split, each in by_split.items()
        for run, epochs, values in each
        for epoch, value in zip(epochs.tolist(), values.tolist(), strict=True)
    ]
    lost = len(logs) - len(next(iter(found.get("loss", {"": []}).values())))
    text = (
        f"{len(logs)} run{'s' * (len(logs) > 1)}. Training split: means over an epoch as batches "
        "met it; test split: in evaluation mode."
    )
    if len(logs) > 1:
        text += " Thin: each run; thick: the median."
    if lost:
        text += f" {lost} without a finite loss are not drawn."
    panels = [_panel(metric, by_split) for metric, by_split in found.items()]
    return Figure(Panels(name=name, title=title, caption=text, panels=panels, table=table))


def _curves(logs: Mapping[str, Log], metric: str) -> dict[str, Each]:
    """By split, the runs that have the metric."""
    found = {}
    for split, prefix in PREFIXES.items():
        each = []
        for run, log in logs.items():
            values = np.asarray(log.get(prefix + metric, ()), float)
            epochs = np.asarray(log["epoch"], float)[: len(values)]
            good = np.isfinite(values)
            if good.any():
                each.append((run, epochs[good], values[good]))
        if each:
            found[split] = each
    return found


def _panel(metric: str, by_split: Mapping[str, Each]) -> Panel:
    series = []
    for split, each in by_split.items():
        if len(each) > 1:
            for run, epochs, values in each:
                named = f"{run}, {split}"
                series.append(Series(label=split, x=epochs, y=values, faint=True, name=named))
            epochs, values = _median(each)
            series.append(Series(label=split, x=epochs, y=values, name=f"{split}, median"))
        else:
            series.append(Series(label=split, x=each[0][1], y=each[0][2]))
    every = np.concatenate([values for each in by_split.values() for _, _, values in each])
    log = metric == "loss" and every.min() > 0
    log = log and math.log10(every.max() / every.min()) > DECADES
    from_zero = None if log or every.min() < 0 else (0.0, 1.04 * float(every.max()) or 1.0)
    return Panel(x="epochs", y=unit(metric), series=series, log_y=log, y_range=from_zero)


def _median(each: Each) -> tuple[Array, Array]:
    """At each epoch that at least half of the runs reached."""
    at: dict[float, list[float]] = {}
    for _, epochs, values in each:
        for epoch, value in zip(epochs.tolist(), values.tolist(), strict=True):
            at.setdefault(epoch, []).append(value)
    common = sorted(epoch for epoch, found in at.items() if 2 * len(found) >= len(each))
    return np.array(common), np.array([float(np.median(at[epoch])) for epoch in common])
