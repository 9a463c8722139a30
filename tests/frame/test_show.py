"""Figures and tables of a frame: what is drawn is what its rows say."""

import numpy as np
import pytest

from ridgeline.frame import Frame
from ridgeline.frame.show import Curves, Lines, Scatter, Summary, Trend
from ridgeline.measures import Curve
from ridgeline.profiles import Profile


def line(*heights, metrics=("loss", "error")):
    t = np.linspace(0, 1, len(heights))
    return Profile(t, {"train": {name: Curve.exact(t, heights) for name in metrics}})


def test_curves_are_means_by_line_a_chart_for_each_value():
    rows = Frame(
        {
            "net": ["A b", "A b", "c", "c"],
            "along": ["x", "x", "x", "y"],
            "profile": [line(2, 0), line(4, 2), line(1, 1, metrics=("loss",)), None],
        }
    )
    first, second = Curves("of-{}", "Of {}", line="along", each="net")(rows)
    assert (first.name, first.title) == ("of-a-b", "Of A b")
    (series,) = first.panels[0].series
    np.testing.assert_allclose(series.y, [3, 1])
    np.testing.assert_allclose(series.low, [3 - 2**0.5, 1 - 2**0.5])
    assert [panel.y.split()[0] for panel in first.panels] == ["loss", "error"]
    assert len(second.panels) == 1  # no profile of it has an error
    assert "runs: 2 (x)." in first.caption
    assert "runs: 1 (x)." in second.caption  # what was not measured is not drawn


def test_a_summary_is_mean_and_deviation_of_what_is_there():
    rows = Frame({"net": ["a", "a", "a", "b"], "x": [1.0, 2.0, None, 3.0]})
    table = Summary("T", by={"network": "net"}, of={"runs": len, "x": "x"}, note="n")(rows)
    assert table.columns == ["network", "runs", "x"]
    assert table.rows == [["a", 3, "1.50 ± 0.71 (2)"], ["b", 1, "3 (1)"]]
    bare = Summary("T", by={"network": "net"}, of={"x": "x"}, count=False)(rows)
    assert bare.rows == [["a", "1.50 ± 0.71"], ["b", "3"]]


def test_a_trend_is_of_the_same_units_everywhere():
    """At 2 the first pair is missing: its large number is no part of the mean at 1."""
    rows = Frame({"at": [2.0, 1.0, 1.0], "group": ["q", "p", "q"], "x": [3.0, 100.0, 1.0]})
    chart = Trend("n", "t", x=("at", "width"), y={"nats": "x"}, unit="group")(rows)
    (series,) = chart.panels[0].series
    assert (series.label, list(series.x), list(series.y)) == ("nats", [1.0, 2.0], [1.0, 3.0])


def test_a_trend_has_several_columns_in_a_panel_and_a_panel_for_each_value():
    rows = Frame(
        {"at": [1, 2] * 2, "unit": [0] * 4, "net": list("aabb"), "x": range(4), "y": [1] * 4}
    )
    of = {"nats": {"train": "x", "test": "y"}}
    chart = Trend("n", "t", x=("at", "width"), y=of, unit="unit", each="net")(rows)
    assert [panel.title for panel in chart.panels] == ["a", "b"]
    assert [s.label for s in chart.panels[1].series] == ["train", "test"]
    assert list(chart.panels[1].series[0].y) == [2, 3]


@pytest.mark.parametrize("lost", [None, 2])
def test_a_scatter_has_a_point_for_each_row_that_has_both(lost):
    rows = Frame({"net": list("aab"), "x": [1.0, 2.0, 3.0], "y": [5.0, lost, 7.0]})
    chart = Scatter("n", "t", x=("x", "rate"), y={"nats": "y"}, line="net")(rows)
    first, second = chart.panels[0].series
    assert len(first.x) == (1 if lost is None else 2)
    assert (list(second.x), list(second.y)) == ([3.0], [7.0])


def test_lines_are_one_a_row_pale_but_for_the_first_of_a_colour():
    rows = Frame(
        {
            "t": [[0, 1]] * 4,
            "y": [[1, 2], [3, 4], [5, 6], None],
            "kind": ["a", "b", "a", "a"],
            "net": ["n", "n", "n", "m"],
        }
    )
    (shown,) = Lines("l", "T", y=("y", "loss"), line="kind", each="net", dashed=True)(rows)
    (panel,) = shown.panels  # of m nothing was measured
    assert (panel.title, panel.y) == ("n", "loss")
    told = [(s.label, s.faint, s.dash, list(s.y)) for s in panel.series]
    assert told == [("a", False, 0, [1, 2]), ("a", True, 0, [5, 6]), ("b", False, 1, [3, 4])]
    assert Lines("l", "T", y=("y", "loss"), line="kind")(rows.where(net="m")) == []


def test_points_against_several_columns_are_a_panel_each():
    rows = Frame({"a": [1, 2], "b": [3, None], "c": [5, 6], "kind": ["k", "k"]})
    shown = Scatter("s", "T", x={"of a": "a", "of b": "b"}, y={"of c": "c"}, line="kind")(rows)
    assert [(p.x, list(p.series[0].x)) for p in shown.panels] == [("of a", [1, 2]), ("of b", [3])]


def test_what_a_row_of_curves_is_can_be_told():
    rows = Frame({"kind": ["a"], "profile": [line(1, 0)]})
    (shown,) = Curves("c", "T", line="kind", unit="lines")(rows)
    assert "Mean over lines, band of one standard deviation; lines: 1 (a)." in shown.caption
