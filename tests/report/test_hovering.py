"""Names, values and intervals of what a reader points at."""

import numpy as np
import pytest

from ridgeline.charts import Panel, Panels, Rise, Rows, Series
from ridgeline.report.frames import frames
from ridgeline.report.hovering import packed, targets_of


def frame(panel):
    return frames(Panels(name="n", title="t", caption="c", panels=[panel]))[0]


def panel(*series, **more):
    return frame(Panel(x="t (position)", y="loss (mean)", series=series, **more))


def test_a_point_says_both_values_without_units():
    (found,) = targets_of(panel(Series(label="a", x=[0, 1], y=[2, np.nan])))
    assert found.name == "a" and found.texts == ["t 0\nloss 2"] and found.key == 0
    assert len(found.x) == len(found.y) == 1 and not found.level


def test_a_band_is_told_as_an_interval_where_it_is_finite():
    series = Series(label="a", x=[0, 1], y=[2.0, 3.0], low=[1.0, np.nan], high=[4.0, 5.0])
    (found,) = targets_of(panel(series))
    assert found.texts == ["t 0\nloss 2.0 [1.0, 4.0]", "t 1\nloss 3"]


def test_places_are_shares_of_the_panel():
    made = panel(Series(label="a", x=[0, 10], y=[0, 10]))
    (found,) = targets_of(made)
    assert found.x == pytest.approx(made.x.share(np.array([0.0, 10.0])))
    assert found.y[1] == pytest.approx(1 - 0.04 / 1.08)


def test_guides_and_what_is_empty_are_not_pointed_at_and_names_may_be_others():
    found = targets_of(
        panel(
            Series(label="a", x=[0, 1], y=[0, 1], guide=True),
            Series(label="b", x=[0, 1], y=[np.nan, np.nan]),
            Series(label="c", x=[0, 1], y=[0, 1], name="run 3"),
        )
    )
    assert [t.name for t in found] == ["run 3"]


def test_a_barrier_says_its_height_and_place():
    rise = Rise(x=0.25, low=0, high=1, text="0.8 ± 0.1", label="a")
    found = targets_of(panel(Series(label="a", x=[0, 1], y=[0, 1]), rises=[rise]))
    assert found[-1].texts == ["barrier 0.8 ± 0.1\nat t 0.25"] and found[-1].key is None
    assert found[-1].colour == found[0].colour and found[-1].name == "a"


def test_a_row_says_its_name_and_series():
    series = [Series(label="test", x=[1.0, 2.0], y=[-0.2, 1.2]), Series(label="q", x=[3.0], y=[1])]
    found = targets_of(frame(Rows(x="barrier (nats)", names=["p", "q"], series=series)))
    assert found[0].texts == ["p\ntest\nbarrier 1", "q\ntest\nbarrier 2"]
    assert found[1].texts == ["q\nbarrier 3"] and found[0].level and found[0].name == ""


def test_targets_as_json_has_them():
    (found,) = targets_of(panel(Series(label="a", x=[0, 3], y=[0, 1])))
    ((one,),) = packed([[found]], str.upper)
    assert one["colour"] == found.colour.upper() and one["texts"] == found.texts
    assert one["x"] == [round(float(v), 4) for v in found.x]
    assert (one["name"], one["key"], one["level"]) == ("a", 0, False)
