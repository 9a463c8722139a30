"""Figures and tables as data, and what is refused of them."""

import numpy as np
import pytest

from ridgeline.charts import Mark, Panel, Panels, Rows, Series, Table, band, slug
from ridgeline.errors import UsageError


def test_a_series_is_arrays_of_one_length():
    made = Series(label="a", x=[0, 1], y=(2, 3), low=[1, 2])
    assert made.x.dtype == made.low.dtype == np.float64 and made.high is None
    for name in ("y", "low", "high"):
        values = {"x": [0, 1], "y": [2, 3]} | {name: [1, 2, 3]}
        with pytest.raises(UsageError, match="as many values on each axis") as caught:
            Series(label="a", **values)
        assert caught.value.got == "'a': 2 and (3,)"


@pytest.mark.parametrize(
    ("rows", "fine"), [((0, 1.5), True), ((-0.5, 0), True), ((0, 1.6), False), ((-0.6, 0), False)]
)
def test_values_stand_in_rows_that_have_a_name(rows, fine):
    series = [Series(label="a", x=[1, 2], y=rows)]
    if fine:
        assert Rows(x="v", names=["p", "q"], series=series).leading == 0
        return
    with pytest.raises(UsageError, match="in a row that has a name") as caught:
        Rows(x="v", names=["p", "q"], series=series)
    assert caught.value.got == f"2 names, and rows {min(*rows, 0):g} to {max(*rows, 0):g}"


def test_rows_have_a_name_at_least():
    with pytest.raises(UsageError, match="0 names"):
        Rows(x="v", names=[], series=[])


PANEL = Panel(x="x", y="y", series=[])


@pytest.mark.parametrize("name", ["", "-a", "a b", "../a", "a/b", ".a"])
def test_a_charts_name_becomes_a_files(name):
    with pytest.raises(UsageError, match="letters, digits") as caught:
        Panels(name=name, title="t", caption="c", panels=[PANEL])
    assert caught.value.got == repr(name)
    assert Panels(name="A-1_b.c", title="t", caption="c", panels=[PANEL]).legend


def test_a_chart_has_a_panel():
    with pytest.raises(UsageError, match=r"one panel at least\. Got 'n'"):
        Panels(name="n", title="t", caption="c", panels=[])


def test_rows_of_a_table_are_records():
    table = Table("Barriers, by layer!", ["a", "b"], [[1, 2], [3, 4]])
    assert table.records() == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert table.name == "barriers-by-layer"
    assert Table("t", ["a"], [[1]], tidy=[{"z": 5}]).records() == [{"z": 5}]
    with pytest.raises(ValueError, match="zip"):
        Table("t", ["a"], [[1, 2]]).records()


@pytest.mark.parametrize(
    ("text", "want"),
    [("Loss (train)", "loss-train"), ("--", "untitled"), ("Ä b", "b"), ("A1", "a1")],
)
def test_a_title_as_a_files_name(text, want):
    assert slug(text) == want


def test_a_band_is_mean_and_deviation_over_curves():
    made = band("a", [0, 1], [[1, 2], [3, 6]], dash=2)
    assert made.y.tolist() == [2, 4] and made.dash == 2
    assert made.low == pytest.approx([2 - 2**0.5, 4 - 8**0.5])
    assert made.high == pytest.approx([2 + 2**0.5, 4 + 8**0.5])
    one = band("a", [0, 1], [[1, 2]])
    assert one.low.tolist() == one.high.tolist() == [1, 2]


def test_marks_stand_on_the_first_axis_unless_they_say():
    assert Mark(1.0).axis == "x" and Mark(1.0).label == ""
