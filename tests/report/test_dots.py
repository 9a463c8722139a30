"""Several states side by side: a dot with its interval for each."""

from types import SimpleNamespace

import numpy as np
import pytest

from ridgeline.numerals import Z
from ridgeline.report.dots import APART, scores_figure

VALUES = {
    ("merged", "train"): (0.5, 0.1), ("merged", "test"): (0.6, 0.1), ("a", "train"): (0.2, 0.1),
    ("a", "test"): (np.nan, 0.1), ("b", "train"): (0.4, np.nan), ("b", "test"): (0.8, 0.1),
}  # fmt: skip


@pytest.fixture
def chart():
    scores = SimpleNamespace(
        metrics=["loss"], splits=["train", "test"], names=["merged", "a", "b"], given=["a", "b"],
        made=["merged"], value=lambda name, split, metric: VALUES[name, split],
        count=lambda split: {"train": 1200, "test": 30}[split], rows=lambda: [{"x": 1}],
    )  # fmt: skip
    return scores_figure(scores).chart


def test_dots_stand_apart_by_split_in_the_row_of_their_state(chart):
    (panel,) = chart.panels
    train, test = panel.series
    assert train.y == pytest.approx(np.arange(3) - APART / 4)
    assert test.y == pytest.approx(np.arange(3) + APART / 4)
    assert panel.names == ["merged", "a", "b"] and panel.leading == 1
    assert (train.dash, test.dash) == (0, 1) and train.points


def test_intervals_are_of_95_per_cent_and_none_where_there_is_no_error(chart):
    train = chart.panels[0].series[0]
    assert train.low == pytest.approx([0.5 - Z * 0.1, 0.2 - Z * 0.1, 0.4])
    assert train.high == pytest.approx([0.5 + Z * 0.1, 0.2 + Z * 0.1, 0.4])


def test_the_mean_of_the_checkpoints_is_marked(chart):
    train, test = chart.panels[0].marks
    assert train.value == pytest.approx(0.3) and train.of == "train" and np.isnan(test.value)


def test_counts_and_what_is_not_finite_are_told(chart):
    assert "n = 1,200 (train), 30 (test)." in chart.caption
    assert chart.caption.endswith("Not finite, and left out: a (loss, test).")
    assert chart.columns == 1 and chart.table == [{"x": 1}]
