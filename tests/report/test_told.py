"""Panels as a table, and what of them is not drawn in words."""

import numpy as np
import pytest

from ridgeline.charts import Mark, Panel, Panels, Rows, Series
from ridgeline.report.frames import frames
from ridgeline.report.told import notes, tidy_panels

NAN = np.nan


def chart(*panels):
    return Panels(name="n", title="t", caption="c", panels=panels)


def told(*series, **more):
    return notes(frames(chart(Panel(x="x", y="y", series=series, **more))))


def line(label="a", x=(1, 2, 3), y=(1, 2, 3)):
    return Series(label=label, x=x, y=y)


def test_where_all_is_drawn_nothing_is_said():
    assert told(line()) == [] and told(line(), log_y=True) == []


def test_labels_without_a_number_are_named_once():
    lost = line("lost", y=(NAN, NAN, NAN))
    assert told(line(), lost, lost, line("", y=(NAN,) * 3)) == [
        "Nothing to draw for lost, a series."
    ]
    assert told(line("a"), line("a", y=(NAN,) * 3)) == []


@pytest.mark.parametrize(
    ("y", "more", "said"),
    [
        ((1, NAN, 3), {}, "Gaps: not finite."),
        ((1, NAN, 3), {"log_y": True}, "Gaps: not finite."),
        ((1, 0, 3), {"log_y": True}, "Gaps: not finite, or not above zero on a logarithm's scale."),
        ((1, NAN, 3), {"crossed": True}, "Crosses mark positions where the mean is not finite."),
    ],
)
def test_gaps_are_said_with_their_reason(y, more, said):
    assert told(line(y=y), **more) == [said]


def test_a_logarithm_across_has_no_place_for_zero():
    found = told(line(x=(0, 1, 2)), log_x=True)
    assert found == ["Gaps: not finite, or not above zero on a logarithm's scale."]


def test_a_row_for_each_value_and_mark():
    series = Series(label="a", x=[0], y=[2], low=[1], high=[3])
    panel = Panel(
        x="x", y="y", series=[series, line("b", (5,), (6,))], marks=[Mark(7, "m", axis="y")]
    )
    one, two, mark = tidy_panels(chart(panel))
    about = {"panel": 1, "title": "", "x_axis": "x", "y_axis": "y"}
    value = {"kind": "series", "label": "a", "x": 0.0, "y": 2.0, "low": 1.0, "high": 3.0}
    assert one == about | value
    assert (two["label"], two["x"], two["low"], two["high"]) == ("b", 5.0, None, None)
    assert mark == about | {"kind": "mark", "label": "m", "x": None, "y": 7.0}


def test_rows_are_told_by_their_names():
    rows = Rows(x="v", names=["p", "q"], series=[line("a", (5, 6), (0.2, 0.8))], title="T")
    found = tidy_panels(chart(Panel(x="x", y="y", series=[]), rows))
    assert [(r["panel"], r["title"], r["y"], r["y_axis"]) for r in found] == [
        (2, "T", "p", ""),
        (2, "T", "q", ""),
    ]
