"""Panels made ready: colours by label, ranges of axes, gaps."""

import numpy as np
import pytest

from ridgeline.charts import Mark, Panel, Panels, Rise, Rows, Series
from ridgeline.report.frames import Scale, edges, frames
from ridgeline.report.style import INK, PALETTE, SOFT, on_ramp

NAN = np.nan


def line(label="a", x=(0, 1), y=(0, 1), **more):
    return Series(label=label, x=x, y=y, **more)


def frame(*series, **more):
    panel = Panel(x="x", y="y", series=series, **more)
    return frames(Panels(name="n", title="t", caption="c", panels=[panel]))[0]


@pytest.mark.parametrize("log", [False, True])
def test_shares_and_values_are_inverse(log):
    scale = Scale(1.0, 100.0, log)
    assert scale.share(1.0) == 0 and scale.share(100.0) == 1
    assert scale.value(0.5) == (10.0 if log else 50.5)
    assert scale.share(scale.value(0.3)) == pytest.approx(0.3)


def test_what_an_axis_shows():
    assert Scale(1, 2, True).shows(1) and not Scale(1, 2, True).shows(0)
    assert Scale(1, 2).shows(-5) and not Scale(1, 2).shows(np.inf)
    assert not Scale(1, 2).shows(NAN)


def test_a_range_has_a_margin_of_a_twenty_fifth():
    found = frame(line(x=(0, 10), y=(-1, 1)))
    assert (found.x.low, found.x.high) == pytest.approx((-0.4, 10.4))
    assert (found.y.low, found.y.high) == pytest.approx((-1.08, 1.08))
    log = frame(line(x=(1, 10), y=(1, 100)), log_y=True).y
    assert (log.low, log.high) == pytest.approx((100**-0.04, 100**1.04))


def test_bands_marks_and_rises_are_in_the_range():
    band = frame(line(y=(0, 1), low=(-5, 0), high=(1, 2)))
    assert band.y.low < -5 and band.y.high > 2
    marked = frame(line(), marks=[Mark(7, axis="x"), Mark(-3, axis="y")])
    assert marked.x.high > 7 and marked.y.low < -3
    risen = frame(line(), rises=[Rise(x=0.5, low=0, high=9, text="9")])
    assert risen.y.high > 9


def test_a_range_may_be_given():
    found = frame(line(), y_range=(-2, 5))
    assert (found.y.low, found.y.high) == (-2, 5)
    assert frame(line(y=(1, 2)), y_range=(0, 5), log_y=True).y.low > 0
    assert frame(line(), y_range=(5, 5)).y.high < 2


@pytest.mark.parametrize(("y", "low", "high"), [((3, 3), 1.5, 4.5), ((0, 0), -0.5, 0.5)])
def test_a_flat_line_has_room_about_it(y, low, high):
    found = frame(line(y=y)).y
    by = 0.04 * (high - low)
    assert (found.low, found.high) == pytest.approx((low - by, high + by))


def test_gaps_are_where_there_is_no_number_or_no_logarithm():
    found = frame(line(x=(0, 1, 2), y=(1, NAN, 2))).strokes[0]
    assert np.isnan(found.y).tolist() == [False, True, False]
    log = frame(line(x=(1, 2, 3), y=(1, 0, 10)), log_y=True).strokes[0]
    assert np.isnan(log.y).tolist() == [False, True, False]
    across = frame(line(x=(0, 2, 3), y=(1, 1, 10)), log_x=True).strokes[0]
    assert np.isnan(across.y).tolist() == [True, False, False]


def test_a_band_below_zero_is_cut_on_a_logarithms_scale():
    found = frame(line(y=(1, 4), low=(-1, 2), high=(3, 6)), log_y=True).strokes[0]
    assert found.low.tolist() == [1, 2] and found.high.tolist() == [3, 6]


def test_an_edge_that_lacks_is_the_line():
    found = frame(line(y=(1, 4), high=(3, 6))).strokes[0]
    assert found.low.tolist() == [1, 4]
    assert edges(line()) == (None, None)


def test_colours_follow_the_palette_and_then_dashes():
    many = [line(f"s{i}") for i in range(len(PALETTE) + 1)]
    strokes = frame(*many).strokes
    assert [s.colour for s in strokes[:-1]] == list(PALETTE) and strokes[-1].colour == PALETTE[0]
    assert [s.dash for s in strokes] == [0] * len(PALETTE) + [1]


def test_strong_ordered_faint_and_grouped_lines():
    found = frame(
        line("all", strong=True),
        line("one", ordered=0.3),
        line("run", faint=True),
        line("mean"),
        line("other", group="mean"),
    ).strokes
    assert [s.colour for s in found] == [INK, on_ramp(0.3), SOFT, PALETTE[0], PALETTE[0]]


def test_faint_lines_alone_have_colours():
    assert frame(line("run", faint=True)).strokes[0].colour == PALETTE[0]


def test_entries_of_the_legend():
    found = frame(
        line("a"), line(""), line("f", faint=True), line("g", guide=True), line("n", y=(NAN, NAN))
    )
    assert [s.named for s in found.strokes] == [True, False, False, False, False]
    assert [s.empty for s in found.strokes] == [False] * 4 + [True] and not found.empty
    assert frame(line(y=(NAN, NAN))).empty


def test_keys_are_one_for_a_label_in_all_panels():
    panels = [
        Panel(x="x", y="y", series=[line("a"), line("b")]),
        Panel(x="x", y="y", series=[line("b")]),
    ]
    first, second = frames(Panels(name="n", title="t", caption="c", panels=panels))
    assert [s.key for s in first.strokes] == [0, 1] and second.strokes[0].key == 1
    assert second.strokes[0].colour == first.strokes[1].colour


@pytest.mark.parametrize(
    ("x", "log", "ticks"),
    [((0, 5, 10), False, [0, 5, 10]), ((0, 0.5, 1), False, None), ((1, 1.5, 100), True, None),
     ((1, 30, 100), True, [1, 30, 100]), (tuple(range(9)), False, None), ((3, 3), False, None),
     ((0, 1, 100), False, None)],
)  # fmt: skip
def test_few_positions_are_named_themselves(x, log, ticks):
    assert frame(line(x=x, y=[1] * len(x)), log_x=log).ticks == ticks


def test_rows_stand_from_above_and_bars_from_zero():
    rows = Rows(x="v", names=["p", "q"], series=[line(x=(1.0, 4.0), y=(0, 1))], bars=True)
    found = frames(Panels(name="n", title="t", caption="c", panels=[rows]))[0]
    assert (found.y.low, found.y.high) == (1.5, -0.5)
    assert (found.x.low, found.x.high) == (0.0, 4.0) and found.ticks is None
    told = Rows(x="v", names=["p"], series=[line(x=(4.0,), y=(0,))], bars=True, texts=["4"])
    assert frames(Panels(name="n", title="t", caption="c", panels=[told]))[
        0
    ].x.high == pytest.approx(5.44)


def test_marks_have_value_label_and_colour():
    marks = [Mark(0.5, "half", of="a"), Mark(0.2), Mark(NAN, "lost"), Mark(3, "up", axis="y")]
    found = frame(line("a"), marks=marks)
    assert list(found.marked("x")) == [(0.5, "half", PALETTE[0]), (0.2, "", SOFT)]
    assert list(found.marked("y")) == [(3, "up", SOFT)]
