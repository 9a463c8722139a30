import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.collections import QuadMesh
from matplotlib.colors import same_color

from report import samples
from ridgeline.charts import Chart, Mark, Panel, Panels, Rise, Rows, Series
from ridgeline.errors import UsageError
from ridgeline.report import chart_figure
from ridgeline.report.drawing import inside_of
from ridgeline.report.frames import Scale, frames
from ridgeline.report.heatmaps import _contrast
from ridgeline.report.labels import above, inside
from ridgeline.report.levels import powers, rounds
from ridgeline.report.style import PALETTE, SOFT, channels, drawing, on_ramp


def one(*series, **more):
    panel = Panel(x="x (units)", y="y (nats)", series=series, **more)
    return Panels(name="one", title="One", caption="n = 3 runs.", panels=[panel])


def line(label, y, **more):
    return Series(label=label, x=np.arange(len(y), dtype=float), y=y, **more)


@pytest.fixture
def charts(plain_surface):
    return [
        *(samples.paths(), samples.scatter(), samples.crowd(), samples.ordered(6)),
        *(samples.grid(), samples.grid(log=True, columns=14), samples.grid(columns=22)),
        samples.landscape(plain_surface),
    ]


def test_every_chart_is_a_picture_with_values_and_a_table(charts, tmp_path):
    for k, chart in enumerate(charts):
        figure = chart_figure(chart)
        paths = figure.save(tmp_path / str(k), ["svg"])
        assert [p.name for p in paths] == [f"{chart.name}.{s}" for s in ("svg", "csv")]
        told = json.loads(json.dumps(figure.hover(), allow_nan=False))
        assert len(told["panels"]) == len(told["boxes"]["wide"])
        assert figure.title == chart.title and figure.caption.startswith(chart.caption)
        assert figure.rows and figure.width <= 6.9  # both columns of a paper


def test_nothing_that_is_written_is_cut_off(charts):
    for chart in charts:
        canvas = chart_figure(chart).matplotlib()
        canvas.draw_without_rendering()
        box = canvas.get_tightbbox()
        width, height = canvas.get_size_inches()
        assert box.x0 > -0.05 and box.x1 < width + 0.05, chart.name
        assert box.y0 > -0.05 and box.y1 < height + 0.05, chart.name


def test_the_same_chart_is_the_same_bytes(tmp_path):
    first = [p.read_bytes() for p in chart_figure(samples.paths()).save(tmp_path / "1")]
    assert first == [p.read_bytes() for p in chart_figure(samples.paths()).save(tmp_path / "2")]


def test_another_kind_of_chart_is_refused():
    with pytest.raises(UsageError, match="panels, a grid or a landscape"):
        chart_figure(Chart(name="x", title="", caption=""))


def test_a_label_has_one_colour_and_one_entry_in_all_panels():
    left, right = (Panel(x="x", y="y", series=s) for s in (
        [line("b", [1, 2]), line("a", [2, 1]), line("b", [0, 1], dash=1)],
        [line("a", [3, 4]), line("c", [5, 6])],
    ))  # fmt: skip
    chart = Panels(name="two", title="", caption="", panels=[left, right])
    colours = [{s.label: s.colour for s in frame.strokes} for frame in frames(chart)]
    assert colours == [
        {"b": PALETTE[0], "a": PALETTE[1]},
        {"a": PALETTE[1], "c": PALETTE[2]},
    ]
    figure = chart_figure(chart)
    (legend,) = figure.matplotlib().legends
    assert [t.get_text() for t in legend.get_texts()] == ["b", "a", "c"]


def test_more_labels_than_colours_are_told_apart_by_dashes():
    (frame,) = frames(one(*(line(str(i), [i, 1]) for i in range(13))))
    looks = [(s.colour, s.dash) for s in frame.strokes]
    assert len(set(looks)) == 13 and looks[0][0] == looks[6][0] == looks[12][0]


def test_an_order_has_a_ramp_and_leaves_the_palette_alone():
    (frame,) = frames(one(line("low", [1], ordered=0.0), line("mean", [1]),
                          line("high", [2], ordered=1.0)))  # fmt: skip
    assert [s.colour for s in frame.strokes] == [on_ramp(0), PALETTE[0], on_ramp(1)]


def test_faint_runs_share_their_means_colour_and_have_no_entry():
    chart = one(
        line("runs", [1, 2], faint=True), line("runs", [2, 3]), line("other", [1], faint=True)
    )
    (frame,) = frames(chart)
    assert [s.colour for s in frame.strokes] == [PALETTE[0], PALETTE[0], SOFT]
    (legend,) = chart_figure(chart).matplotlib().legends
    assert [t.get_text() for t in legend.get_texts()] == ["runs"]


def test_what_has_no_number_is_named_and_draws_nothing():
    chart = one(line("some", [1, np.nan, 3, 4]), line("none", [np.nan] * 4), line("empty", []))
    figure = chart_figure(chart)
    assert figure.caption == "n = 3 runs. Nothing to draw for none, empty. Gaps: not finite."
    ((said,),) = figure.hover()["panels"]
    assert said["texts"] == [f"x {x}\ny {x + 1}" for x in (0, 2, 3)]
    nothing = chart_figure(one(line("none", [])))
    assert "no data" in [t.get_text() for t in nothing.matplotlib().axes[0].texts]
    assert nothing.hover()["panels"] == [[]]


def test_what_a_logarithm_has_no_place_for_is_a_gap():
    chart = one(
        line("l", [0.0, 1.0, 10.0, -1.0], low=[0, -1, 5, -2], high=[1, 2, 20, 0]), log_y=True
    )
    (frame,) = frames(chart)
    (stroke,) = frame.strokes
    np.testing.assert_array_equal(stroke.y, [np.nan, 1, 10, np.nan])
    np.testing.assert_array_equal(stroke.low, [np.nan, 1, 5, np.nan])  # cut at the least above zero
    assert 0 < frame.y.low < 1 and frame.y.high > 20
    assert "logarithm" in chart_figure(chart).caption


def test_a_band_is_not_filled_across_a_gap():
    y = np.array([1, 2, np.nan, 3, 4.0])
    axes = chart_figure(one(line("a", y, low=y - 1, high=y + 1))).matplotlib().axes[0]
    (band,) = axes.collections
    reach = [(path.vertices[:, 0].min(), path.vertices[:, 0].max()) for path in band.get_paths()]
    assert reach == [(0, 1), (3, 4)]


def test_points_have_bars_and_symbols():
    y = np.array([1.0, np.nan, 3.0])
    chart = one(line("p", y, low=y - 0.5, high=y + 1, points=True, dash=1))
    axes = chart_figure(chart).matplotlib().axes[0]
    (bars,) = axes.containers
    ends = [segment[:, 1].tolist() for segment in bars.lines[2][0].get_segments()]
    assert ends == [[0.5, 2.0], [2.5, 4.0]]
    assert {line.get_marker() for line in axes.lines} == {"s"}
    ((said,),) = chart_figure(chart).hover()["panels"]
    assert said["texts"] == ["x 0\ny 1.0 [0.5, 2.0]", "x 2\ny 3.0 [2.5, 4.0]"]


def test_the_table_has_every_number_and_mark():
    y = np.array([1.0, np.nan])
    chart = one(line("a", y, low=y - 1, high=y + 1), marks=[Mark(2.0, "two", "y")], title="T")
    about = {"panel": 1, "title": "T", "x_axis": "x (units)", "y_axis": "y (nats)"}
    rows = chart_figure(chart).rows
    assert rows[0] == {**about, "kind": "series", "label": "a", "x": 0, "y": 1, "low": 0, "high": 2}
    assert np.isnan(rows[1]["y"])
    assert rows[2] == {**about, "kind": "mark", "label": "two", "x": None, "y": 2.0}


def test_labels_of_marks_cover_no_curve():
    size = inside_of(6.8, 2)
    x = np.linspace(0, 1, 50)
    chart = one(Series(label="c", x=x, y=x), marks=[Mark(0.95, "near the top", "y")])
    (frame,) = frames(chart)
    (label,) = inside(frame, size)
    wide = 0.054 * len(label.text) / size[0]
    shares = np.stack([frame.x.share(x), frame.y.share(x)], 1)
    hit = (shares[:, 0] > label.x) & (shares[:, 0] < label.x + wide)
    assert (np.abs(shares[hit, 1] - label.y) > 0.03).all()


def test_labels_of_upright_marks_stand_apart():
    marks = [Mark(0.5, "one label"), Mark(0.52, "another label"), Mark(0.0, "first"), Mark(-1, "")]
    (frame,) = frames(one(line("c", [1, 2]), marks=marks))
    found = above(frame, 2.7)
    assert [a.text for a in found] == ["first", "one label", "another label"]
    assert [a.level for a in found] == [0, 0, 1]


def test_few_positions_are_named():
    chart = one(Series(label="c", x=[16, 64, 256], y=[1, 2, 3]), log_x=True)
    axes = chart_figure(chart).matplotlib().axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["16", "64", "256"]


def test_four_panels_stand_in_two_rows():
    figure = chart_figure(samples.ordered())
    places = [ax.get_subplotspec() for ax in figure.matplotlib().axes]
    assert [(p.rowspan.start, p.colspan.start) for p in places if p] == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]
    boxes = figure.hover()["boxes"]
    assert len({box[0] for box in boxes["wide"]}) == 2 == len({box[1] for box in boxes["wide"]})


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7])
def test_panels_do_not_overlap(count):
    figure = chart_figure(samples.ordered(count))
    for boxes in figure.hover()["boxes"].values():
        for i, (a, b, c, d) in enumerate(boxes):
            assert a < c and b < d
            for e, f, g, h in boxes[:i]:
                assert c < e or g < a or d < f or h < b


@given(st.floats(1e-6, 1e5), st.floats(1.001, 1e6), st.floats(0, 1), st.booleans())
def test_shares_and_values_are_inverse(low, ratio, share, log):
    scale = Scale(low, low * ratio, log)
    assert float(scale.share(scale.value(share))) == pytest.approx(share, abs=1e-6)


def test_a_grid_writes_values_and_counts_and_leaves_holes():
    grid = samples.grid()
    figure = chart_figure(grid)
    axes = figure.matplotlib().axes[0]
    texts = [t.get_text() for t in axes.texts]
    assert sum(t.startswith("n = ") for t in texts) == 28 and len(texts) == 56
    (cells,) = (a for a in axes.collections if isinstance(a, QuadMesh))
    assert np.ma.count_masked(cells.get_array()) == 2
    assert "Blank" in figure.caption
    ((cell,),) = figure.hover()["panels"]
    assert len(cell["texts"]) == 28
    row, column, value = cell["texts"][0].split("\n")
    assert (row, column) == ("learning rate 0.001", "width (units) 16")
    assert value == f"barrier (nats) {grid.values[0, 0]:.4g}, n = 3"
    assert figure.rows[0] == {
        "learning rate": "0.001",
        "width (units)": "16",
        "unit": "barrier (nats)",
        "value": grid.values[0, 0],
        "n": 3,
    }
    assert len(figure.rows) == 30


def test_a_grid_of_one_value_of_nothing_and_below_zero():
    grid = samples.grid(log=True)
    for values in (np.full((5, 6), 2.0), np.full((5, 6), np.nan), -np.abs(grid.values)):
        figure = chart_figure(replace(grid, values=values))
        assert figure.svg() and json.dumps(figure.hover(), allow_nan=False)
    assert "lowest colour" in figure.caption


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_a_bar_has_some_round_numbers(low, span):
    ticks = rounds(low, low + span)
    assert 2 <= len(ticks) <= 7
    assert all(low - 1e-6 * span <= t <= low + span * (1 + 1e-6) for t in ticks)


@given(st.floats(1e-6, 1e3), st.floats(1.01, 1e9))
def test_a_logarithmic_bar_has_some_too(low, ratio):
    ticks = powers(low, low * ratio)
    assert 2 <= len(ticks) <= 8 and ticks == sorted(ticks)


@given(st.floats(0, 1))
def test_numbers_on_cells_can_be_read(share):
    from ridgeline.report.heatmaps import COLOURS

    def light(code):  # WCAG 2.2, in full
        parts = [c / 255 for c in channels(code)]
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    shade = on_ramp(share, COLOURS)
    low, high = sorted((light(shade), light(_contrast(shade))))
    assert (high + 0.05) / (low + 0.05) > 4.2


def test_a_landscape_has_its_own_caption_points_and_trails(plain_surface):
    chart = samples.landscape(plain_surface)
    figure = chart_figure(chart)
    assert figure.caption == chart.caption
    texts = [t.get_text() for t in figure.matplotlib().axes[0].texts if t.get_text()]
    assert texts == ["branch point", "child 1", "child 2"]
    bare = chart_figure(replace(chart, points={}, trajectories={}))
    assert {row["kind"] for row in bare.rows} == {"surface"}
    plain_surface.values["train"]["loss"][0, 0] = np.nan
    assert "not finite" in chart_figure(chart).caption


def test_lines_are_drawn_in_their_colours():
    lines = chart_figure(one(line("a", [1, 2]), line("b", [2, 1]))).matplotlib().axes[0].lines
    assert all(same_color(a.get_color(), c) for a, c in zip(lines, PALETTE, strict=False))


def test_a_table_of_a_study_is_one_of_a_page():
    table = samples.tabular()
    assert table.title == "Kinds" and table.records()[0]["n"] == 5 and table.note == "Why"


NAMES = ["$a_b$ and $c", "two\nlines", "_hidden", "中文", "<b>&", "very long " * 20]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_shown_as_it_is(name):
    figure = chart_figure(one(line(name, [1, 2]), title=name[:20], log_y=True))
    assert figure.svg() and figure.hover()["panels"][0][0]["name"] == name
    canvas = figure.matplotlib()
    (legend,) = canvas.legends
    (text,) = legend.get_texts()
    assert not text.get_parse_math()
    shown = text.get_text()
    assert shown == name or (shown[:5] == name[:5] and "…" in shown and len(shown) < len(name))
    with drawing():
        canvas.draw_without_rendering()
        box = canvas.get_tightbbox()
    assert box.x0 > -0.05 and box.x1 < canvas.get_size_inches()[0] + 0.05


def test_powers_of_ten_have_raised_exponents():
    axes = chart_figure(one(line("a", [1e-3, 1e3]), log_y=True)).matplotlib().axes[0]
    axes.figure.draw_without_rendering()
    shown = {t.get_text() for t in axes.get_yticklabels()}
    assert {"10⁻³", "10³"} <= shown


@pytest.mark.parametrize(
    "y", [[1e300, 0], [1e-300, 0], [np.inf, -np.inf], [], [-1.0, -2.0], [5.0, 5.0]]
)
@pytest.mark.parametrize("log", [False, True])
def test_values_of_every_size_are_drawn_or_told(y, log):
    figure = chart_figure(one(line("a", y), log_y=log))
    assert figure.svg() and json.dumps(figure.hover(), allow_nan=False)
    shown = [v for v in y if np.isfinite(v) and (v > 0 or not log)]
    assert ("Nothing to draw for a." in figure.caption) == (not shown)


def test_a_height_of_no_series_is_grey():
    rise = Rise(x=0.5, low=0, high=2, text="2", label="nobody")
    figure = chart_figure(one(line("a", [0, 1]), rises=[rise]))
    assert figure.svg()
    assert figure.hover()["panels"][0][1]["colour"].startswith("var(--soft")


def test_rows_without_a_finite_value_keep_their_names():
    bar = Series(label="a", x=[np.nan], y=[0])
    rows = Rows(x="barrier", names=["fc1"], series=[bar], bars=True, texts=["not finite"])
    chart = Panels(name="rows", title="", caption="", panels=[rows])
    axes = chart_figure(chart).matplotlib().axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["fc1"]
    assert [t.get_text() for t in axes.texts] == ["not finite"]


@pytest.mark.parametrize(("names", "row"), [([], 0), (["a"], 1), (["a", "b"], -1)])
def test_a_value_without_a_row_is_refused(names, row):
    with pytest.raises(UsageError, match="row that has a name"):
        Rows(x="x", names=names, series=[Series(label="s", x=[1], y=[row])])


def test_a_state_outside_of_the_plane_is_named(plain_surface):
    chart = replace(samples.landscape(plain_surface), points={"far": (99.0, 0.0), "a": (0.0, 0.0)})
    assert chart_figure(chart).caption.endswith("Outside of what is shown: far.")


def test_a_long_label_of_an_axis_is_as_long_as_the_axis_and_covers_no_legend():
    panel = Panel(
        x="the position of the layer in the network, counted from the input and from one",
        y="share of the second moment of the preactivations that is constant",
        series=[line("a series with a name", [1, 2]), line("another one", [2, 1])],
    )
    canvas = chart_figure(Panels(name="p", title="", caption="", panels=[panel] * 3)).matplotlib()
    with drawing():
        canvas.draw_without_rendering()
        legend = canvas.legends[0].get_window_extent()
        for ax in canvas.axes:
            box = ax.get_window_extent()
            up, along = (a.label.get_window_extent() for a in (ax.yaxis, ax.xaxis))
            assert not up.overlaps(legend) and up.height < 1.12 * box.height
            assert along.width < 1.12 * box.width
