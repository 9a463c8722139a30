import math

import pytest

from ridgeline.errors import UsageError
from ridgeline.report import learning_figure


def log(start, epochs=3, test=True):
    values = [start / 10**k for k in range(epochs)]
    columns = {"epoch": [k + 1.0 for k in range(epochs)], "loss": values, "error": values}
    return columns | ({"test_loss": values, "test_error": values} if test else {})


def test_the_table_holds_what_is_drawn():
    figure = learning_figure({"a": log(1.0), "b": log(3.0), "c": log(2.0, test=False)})
    assert len(figure.rows) == 3 * 2 * 3 + 2 * 2 * 3
    assert "3 runs" in figure.caption
    assert "median" in figure.caption
    loss, error = figure.chart.panels
    medians = [s for panel in (loss, error) for s in panel.series if "median" in s.name]
    assert len(medians) == 4
    assert medians[0].y == pytest.approx([2.0, 0.2, 0.02])
    assert loss.log_y and not error.log_y and error.y_range[0] == 0


def test_one_run_of_one_epoch_is_a_point():
    figure = learning_figure({"a": log(1.0, epochs=1, test=False)})
    assert {line.get_marker() for ax in figure.matplotlib().axes for line in ax.lines} == {"o"}
    assert "median" not in figure.caption
    assert figure.svg().startswith("<svg")


def test_what_is_not_finite_is_left_out_and_told():
    bad = log(math.nan) | {"error": [math.nan] * 3}
    figure = learning_figure({"a": log(1.0), "b": bad})
    assert {row["run"] for row in figure.rows} == {"a"}
    assert "1 without a finite loss" in figure.caption
    with pytest.raises(UsageError, match="one finite number"):
        learning_figure({"b": bad})


def test_regression_has_no_panel_of_errors():
    figure = learning_figure({"a": log(1.0) | {"error": [math.nan] * 3, "test_error": []}})
    assert {row["metric"] for row in figure.rows} == {"loss"}


def test_runs_that_ended_early_do_not_bend_the_median():
    figure = learning_figure({"a": log(1.0), "b": log(1.0), "c": log(9.0, epochs=1)})
    median = next(s for s in figure.chart.panels[0].series if s.name == "train, median")
    assert median.x.tolist() == [1.0, 2.0, 3.0]


def test_each_run_is_named_where_it_is_pointed_at():
    (loss, _) = learning_figure({"a": log(1.0), "b": log(3.0)}).hover()["panels"]
    names = [target["name"] for target in loss]
    assert names == [
        *("a, train", "b, train", "train, median"),
        *("a, test", "b, test", "test, median"),
    ]
    assert loss[1]["texts"][0] == "epochs 1\nloss 3"
