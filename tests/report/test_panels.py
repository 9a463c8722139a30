"""Profiles as charts: a panel for each metric, a line for each path and split."""

import numpy as np
import pytest

from ridgeline.errors import UnknownName, UsageError
from ridgeline.measures import Curve
from ridgeline.numerals import Z
from ridgeline.profiles import Profile
from ridgeline.report.panels import curve_series, profile_figure, unit

T = np.array([0.0, 0.5, 1.0])


def curve(*values):
    return Curve.exact(T, np.array(values, float))


def profile(train=(1, 3, 2), test=None, error=(0.5, 0.7, 0.6)):
    curves = {"train": {"loss": curve(*train), "error": curve(*error)}}
    if test is not None:
        curves["test"] = {"loss": curve(*test), "error": curve(*error)}
    return Profile(T, curves)


def chart(profiles, **more):
    return profile_figure(profiles, **more).chart


def test_axes_have_names_and_units():
    assert unit("loss") == "loss (mean per sample)" and unit("error") == "error (share of samples)"
    assert unit("mine") == "mine" and unit("mine", {"mine": "cm"}) == "mine (cm)"
    assert unit("loss", {"loss": "nats"}) == "loss (nats)"


def test_a_panel_for_each_metric_in_the_order_asked_for():
    found = chart({"a to b": profile()})
    assert [p.y for p in found.panels] == ["loss (mean per sample)", "error (share of samples)"]
    assert [p.y for p in chart({"a": profile()}, metrics=["error"]).panels] == [unit("error")]
    assert found.panels[0].x == "t (position on the path)" and found.panels[0].crossed


def test_lines_are_named_by_what_tells_them_apart():
    def labels(profiles):
        return list(dict.fromkeys(s.label for s in chart(profiles).panels[0].series))

    assert labels({"p": profile()}) == ["train"]
    assert labels({"p": profile(test=(1, 2, 1))}) == ["train", "test"]
    assert labels({"p": profile(), "q": profile()}) == ["p", "q"]
    both = {"p": profile(test=(1, 2, 1)), "q": profile(test=(1, 2, 1))}
    assert labels(both) == ["p, train", "p, test", "q, train", "q, test"]


def test_a_chord_and_the_height_above_it():
    panel = chart({"p": profile()}).panels[0]
    guide = next(s for s in panel.series if s.guide)
    assert guide.x.tolist() == [0, 1] and guide.y.tolist() == [1, 2]
    (rise,) = panel.rises
    assert (rise.x, rise.low, rise.high, rise.text) == (0.5, 1.5, 3.0, "1.5")


def test_below_its_chord_a_curve_has_no_height():
    assert chart({"p": profile((1, 0, 2))}).panels[0].rises == []
    broken = chart({"p": profile((1, 3, np.nan))}).panels[0]
    assert broken.rises == [] and not any(s.guide for s in broken.series)


def test_in_a_crowd_the_first_split_alone_has_a_chord():
    both = {"p": profile(test=(1, 4, 1)), "q": profile(test=(1, 4, 1))}
    found = chart(both)
    assert [s.label for s in found.panels[0].series if s.guide] == ["p, train", "q, train"]
    assert "(not drawn for test)." in found.caption
    few = chart({"p": profile(test=(1, 4, 1))})
    assert sum(s.guide for s in few.panels[0].series) == 2 and "not drawn" not in few.caption


def test_the_caption_says_what_over_how_many_and_with_which_band():
    found = chart({"p": profile()})
    assert found.caption.startswith("Loss and error along the path; means over n = ")
    assert "Bands are 95 %" not in found.caption and "Dashed thin: the chord" in found.caption


def test_a_band_is_of_95_per_cent():
    made = Curve.exact(T, np.array([1.0, 2.0, np.inf]))
    plain = curve_series(made, label="a", dash=1)
    assert plain.low is None and np.isnan(plain.y[2]) and plain.dash == 1
    assert pytest.approx(1.959964, abs=1e-6) == Z


def test_unknown_splits_and_metrics_and_nothing_at_all():
    with pytest.raises(UnknownName, match=r"split.*'val'.*train"):
        chart({"p": profile()}, splits=["val"])
    with pytest.raises(UnknownName, match=r"metric.*'top'.*loss, error"):
        chart({"p": profile()}, metrics=["top"])
    with pytest.raises(UsageError, match="one profile at least"):
        chart({})


def test_the_table_has_the_rows_that_are_drawn():
    found = chart({"p": profile(test=(1, 2, 1))}, metrics=["loss"], splits=["test"])
    assert {row["split"] for row in found.table} == {"test"} and len(found.table) == 3
    assert {row["metric"] for row in found.table} == {"loss"} and found.table[0]["path"] == "p"
