import csv
import hashlib
import json
import os
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest

from report.shapes import T, bump, curve
from ridgeline.charts import Landscape, Panels
from ridgeline.errors import UnknownName, UsageError
from ridgeline.measures import Curve
from ridgeline.profiles import Profile
from ridgeline.report import layers_figure, profile_figure, surface_figure
from ridgeline.report.contours import places
from ridgeline.report.frames import frames
from ridgeline.report.labels import heights
from ridgeline.report.levels import levels, named_levels
from ridgeline.report.style import DARK, LIGHT, ramp, themed

SIZE = 2.7, 1.55
"""Inches of the inside of a panel."""


def written(figure):
    """Labels of heights in the first panel, in values of its axes, the panel, and its axis."""
    (frame, *_) = frames(figure.chart)
    found, scale = heights(frame, SIZE)
    places = [(frame.x.value(a.x), scale.value(a.y), a.text, a.colour) for a in found]
    return places, frame, scale


def legend(figure):
    (found,) = figure.matplotlib().legends
    return [text.get_text() for text in found.get_texts()]


@pytest.fixture
def figures(hill, slope, layers, broken, plain_surface):
    trail = np.stack([np.linspace(0, 10, 9), np.sin(np.linspace(0, 3, 9))], 1)
    return [
        profile_figure({"hill": hill, "slope": slope}, name="both"),
        profile_figure({"broken": broken}, name="broken"),
        layers_figure(layers, whole=hill),
        surface_figure(plain_surface, trajectories={"a": trail}, points={"start": (0, 0)}),
    ]


def test_every_figure_has_a_table_and_pictures_and_says_its_values(figures, tmp_path):
    for figure in figures:
        paths = figure.save(tmp_path)
        assert [p.name for p in paths] == [
            f"{figure.name}.{suffix}" for suffix in ("png", "pdf", "svg", "csv")
        ]
        assert all(p.stat().st_size > 500 for p in paths)
        told = json.loads(json.dumps(figure.hover(), allow_nan=False))
        assert len(told["panels"]) == len(told["boxes"]["wide"]) > 0
        assert figure.rows and "n = " in figure.caption


@pytest.mark.slow
def test_the_same_figure_is_the_same_bytes(figures, tmp_path):
    for figure in figures:
        first = [p.read_bytes() for p in figure.save(tmp_path / "1")]
        assert first == [p.read_bytes() for p in figure.save(tmp_path / "2")]
        assert figure.svg() == figure.svg()


SCRIPT = """
import sys, numpy as np
from ridgeline.measures import Curve
from ridgeline.profiles import Profile
from ridgeline.report import profile_figure
t = np.linspace(0, 1, 11)
p = Profile(t, {"train": {"loss": Curve.exact(t, t * (1 - t))}})
profile_figure({"p": p}).save(sys.argv[1])
"""


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(tmp_path):
    found = set()
    for seed in "12":
        out = tmp_path / seed
        environment = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", SCRIPT, out], check=True, env=environment)
        every = b"".join(p.read_bytes() for p in sorted(out.iterdir()))
        found.add(hashlib.sha256(every).hexdigest())
    assert len(found) == 1


def test_drawing_leaves_no_trace_in_matplotlib(figures):
    before = dict(mpl.rcParams)
    figures[0].matplotlib()
    figures[0].svg()
    assert dict(mpl.rcParams) == before
    assert (
        "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
    )


def test_the_table_beside_it_carries_nan(broken, tmp_path):
    profile_figure({"broken": broken}).save(tmp_path, formats=["svg"])
    with (tmp_path / "profile.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [k for k, r in enumerate(found) if r["value"] == "nan"] == [20, 21]
    assert "not finite" in profile_figure({"b": broken}).caption


def test_a_picture_for_a_page_has_no_addresses_and_ids_of_its_own(figures):
    for figure in figures:
        text = figure.svg()
        assert text.startswith("<svg viewBox=")
        assert "http" not in text and "xmlns" not in text and "xlink" not in text
        assert 'id="' in text and text.count('id="') == text.count(f'id="{figure.name}-')
        assert "var(--ink, #1f2933)" in text


def test_panels_lines_and_colours(hill, slope):
    figure = profile_figure({"hill": hill, "slope": slope})
    axes = figure.matplotlib().axes
    assert [ax.get_ylabel() for ax in axes] == [
        "loss (mean per sample)",
        "error (share of samples)",
    ]
    assert legend(figure) == ["hill, train", "hill, test", "slope, train"]
    assert "n = 1000 (hill, train), 400 (hill, test), 400 (slope, train)" in figure.caption
    one = profile_figure({"hill": hill}, splits=["test"], metrics=["loss"], units={"loss": "nats"})
    assert one.matplotlib().axes[0].get_ylabel() == "loss (nats)"
    assert {r["split"] for r in one.rows} == {"test"}


def test_the_barrier_is_labelled_above_every_curve(hill):
    labels, _, scale = written(profile_figure({"p": hill}, metrics=["loss"]))
    assert [text for _, _, text, _ in labels] == ["2.00 ± 0.02", "2.40 ± 0.04"]
    top = max(curves["loss"].mean.max() for curves in hill.curves.values())
    assert all(top < y < scale.high for _, y, _, _ in labels)
    assert abs(labels[0][1] - labels[1][1]) > 0.05 * (scale.high - scale.low)


def test_a_low_curve_under_a_high_one_is_labelled_beside_it_not_above_both(hill):
    low = Profile(T, {"train": {"loss": curve(bump(0.1))}})
    high = Profile(T, {"train": hill.curves["train"]})
    labels, frame, scale = written(profile_figure({"hill": high, "low": low}, metrics=["loss"]))
    small, large = sorted(labels, key=lambda label: label[1])
    assert small[3] == frame.colours["low"] != frame.colours["hill"]
    assert abs(small[0] - 0.5) > 0.2
    assert small[1] < scale.low + 0.5 * (scale.high - scale.low)
    assert large[0] == pytest.approx(0.5)


@pytest.mark.parametrize("value", [1.0, 1e160])
def test_a_barrier_that_is_rounding_or_of_no_finite_error_has_its_label(value):
    mean = np.full(51, value)
    mean[20] = np.nextafter(value, np.inf)
    one = Curve(T, mean, np.full((51, 51), 0.0 if value == 1 else np.inf), 4, 4, np.zeros(51, int))
    labels, _, scale = written(profile_figure({"flat": Profile(T, {"data": {"loss": one}})}))
    assert len(labels) == 1 and scale.low < value < labels[0][1] < scale.high
    assert np.isfinite([scale.low, scale.high]).all()


def test_labels_of_heights_cover_neither_a_curve_nor_each_other():
    many = {
        f"path {i}": Profile(T, {"test": {"loss": curve(bump(1 + i / 4, at=0.3 + 0.04 * i))}})
        for i in range(10)
    }
    labels, frame, scale = written(profile_figure(many, metrics=["loss"]))
    assert len(labels) == 10
    boxes = []
    for x, y, text, _ in labels:
        half, up = 0.054 * len(text) / SIZE[0] / 2, 0.4 * 0.125 / SIZE[1]
        at, level = float(frame.x.share(x)), float(scale.share(y))
        boxes.append((at - half, at + half, level - up, level + up))
    for k, (a, b, c, d) in enumerate(boxes):
        assert all(b <= e or f <= a or d <= g or h <= c for e, f, g, h in boxes[:k])
        for stroke in frame.strokes:
            fine = np.linspace(0, 1, 2000)
            x, y = frame.x.share(fine), scale.share(np.interp(fine, stroke.x, stroke.y))
            inside = (x > a) & (x < b) & (y > c) & (y < d)
            assert not inside.any()


def test_the_first_split_alone_is_marked_in_a_crowd(hill):
    figure = profile_figure({"one": hill, "two": hill}, metrics=["loss"])
    assert "not drawn for test" in figure.caption
    texts = [t.get_text() for t in figure.matplotlib().axes[0].texts]
    assert texts == ["2.00 ± 0.02"] * 2


def test_a_flat_curve_and_a_grid_without_ends_are_drawn():
    t = np.linspace(0.2, 0.8, 5)
    flat = Profile(t, {"data": {"loss": curve(np.ones(5), t=t, spread=0)}})
    figure = profile_figure({"flat": flat})
    assert figure.svg() and "chord" not in figure.caption and "Bands" not in figure.caption
    nothing = Profile(T, {"data": {"loss": curve(np.full(51, np.nan))}})
    assert profile_figure({"nothing": nothing}).svg()


def test_what_cannot_be_drawn_is_refused(hill, plain_surface, tmp_path):
    with pytest.raises(UsageError, match="one profile at least"):
        profile_figure({})
    with pytest.raises(UnknownName, match="Did you mean 'error'"):
        profile_figure({"p": hill}, metrics=["eror"])
    with pytest.raises(UnknownName, match="Known: train, test"):
        profile_figure({"p": hill}, splits=["validation"])
    with pytest.raises(UsageError, match="png, pdf or svg"):
        profile_figure({"p": hill}).save(tmp_path, formats=["jpeg"])  # type: ignore[list-item]  # wrong on purpose
    with pytest.raises(UsageError, match="one at least"):
        layers_figure({}, None)
    with pytest.raises(UsageError, match="pairs"):
        surface_figure(plain_surface, trajectories={"a": [1, 2]})
    with pytest.raises(UsageError, match="becomes a file's"):
        profile_figure({"p": hill}, name="../up")


def test_layers_stay_in_the_networks_order(layers, hill):
    figure = layers_figure(layers, hill)
    left = figure.matplotlib().axes[0]
    assert [t.get_text() for t in left.get_yticklabels()] == [*layers, "all layers"]
    assert left.get_ylim()[0] > left.get_ylim()[1]
    assert [b.get_width() for b in left.patches] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4, 2], 1e-2)
    assert {r["layer"] for r in figure.rows} == {*layers, "all layers"}


def test_a_layer_without_a_finite_barrier_is_named(layers, broken):
    layers["broken"] = Profile(T, {"train": broken.curves["data"]})
    figure = layers_figure(layers)
    assert figure.svg()
    assert "not finite" in [t.get_text() for t in figure.matplotlib().axes[0].texts]


def test_a_surface_with_holes_and_equal_aspect(plain_surface):
    plain_surface.values["train"]["loss"][:2, :3] = np.nan
    figure = surface_figure(plain_surface, trajectories={"still": [(1, 1), (1, 1)]})
    axes = figure.matplotlib().axes[0]
    assert axes.get_aspect() == 1
    assert "not finite" in figure.caption
    (targets,) = figure.hover()["panels"]
    assert len(targets[0]["texts"]) == plain_surface.value("loss").size - 6
    assert {r["kind"] for r in figure.rows} == {"surface", "trajectory", "point"}


@pytest.mark.parametrize(
    ("low", "high"), [(0.002, 7.0), (0.5, 0.9), (0.0, 0.9), (-3.0, 4.0), (1e-9, 1e3), (2.0, 2.0)]
)
def test_levels_enclose_the_values(low, high):
    at = levels(np.array([[low, high], [np.nan, (low + high) / 2]]))
    assert (np.diff(at) > 0).all() and 2 <= len(at) <= 28
    assert at[0] <= max(low, high * 1e-4) and high <= at[-1]
    ticks = named_levels(at)
    assert 2 <= len(ticks) <= 9 and set(ticks) <= set(at)


def test_of_many_even_levels_some_are_named():
    assert named_levels(np.arange(20.0)).tolist() == [1, 4, 7, 10, 13, 16, 19]


def test_where_most_values_lie_between_two_levels_these_are_quantiles():
    values = np.concatenate([np.linspace(2.0, 2.1, 600), [9.0, 50.0]]).reshape(43, 14)
    at = levels(values)
    assert at[0] <= 2.0 and at[-1] >= 50.0 and np.all(np.diff(at) > 0)
    shares = np.histogram(values, at)[0] / values.size
    assert shares.max() < 0.15
    assert np.array_equal(at, np.round(at, 4))
    even = np.linspace(1, 2, 602).reshape(43, 14)
    assert np.allclose(np.diff(levels(even)), levels(even)[1] - levels(even)[0])


def test_colours_are_straight_between_what_was_measured(plain_surface):
    values = plain_surface.value("loss")
    at = levels(values)
    back = np.interp(places(values, at), np.arange(len(at)), at)
    np.testing.assert_allclose(back, values, atol=1e-12)
    (drawn, *_) = surface_figure(plain_surface).matplotlib().axes
    assert drawn.collections[0].levels.tolist() == list(range(len(at)))


def test_pointing_at_a_surface_says_what_was_measured_there(plain_surface):
    (targets,) = surface_figure(plain_surface, points={"start": (0, 0)}).hover()["panels"]
    grid, start = targets
    values, x, y = plain_surface.value("loss"), plain_surface.x, plain_surface.y
    assert len(grid["texts"]) == values.size
    k = 3 * len(x) + 5
    assert grid["texts"][k] == f"x {x[5]:g}, y {y[3]:g}\nloss {values[3, 5]:.4g}"
    assert grid["x"][k] == pytest.approx((x[5] - x[0]) / (x[-1] - x[0]), abs=1e-4)
    assert start["name"] == "start" and start["texts"] == ["x 0, y 0"]


def test_axes_are_named_by_the_plane(plain_surface):
    plain_surface.provenance["plane"] = {"unit": "along a random direction, in filter norms"}
    figure = surface_figure(plain_surface)
    assert figure.matplotlib().axes[0].get_xlabel() == "along a random direction, in filter norms"
    assert "axes are along a random direction, in filter norms" in figure.caption


def test_no_points_are_no_points_and_not_the_corners(plain_surface):
    assert {r["kind"] for r in surface_figure(plain_surface, points={}).rows} == {"surface"}
    named = [r for r in surface_figure(plain_surface).rows if r["kind"] == "point"]
    assert len(named) == 3


def test_levels_need_something_finite():
    with pytest.raises(UsageError, match="finite"):
        levels(np.full((2, 2), np.nan))


def test_colours():
    assert ramp(1) == ["#1f6fb4"] and ramp(3) == ["#1f6fb4", "#3fa3a0", "#e3a43c"]
    assert themed("#0072b2") == "var(--blue, #0072b2)" and themed("#123456") == "#123456"
    assert set(LIGHT) == set(DARK)


def test_bumps_at_the_edges_have_labels_inside():
    edge = Profile(T, {"data": {"loss": curve(bump(1.0, at=0.06, width=0.03))}})
    (label,), frame, _ = written(profile_figure({"p": edge}))
    half = 0.054 * len(label[2]) / SIZE[0] / 2
    assert half <= float(frame.x.share(label[0])) <= 1 - half


def test_pointing_at_a_curve_says_position_mean_and_interval(hill):
    figure = profile_figure({"p": hill}, metrics=["loss"], splits=["train"])
    (targets,) = figure.hover()["panels"]
    line, top = targets
    one = hill.curve("loss", "train")
    low, high = one.mean[25] - 1.959964 * one.stderr[25], one.mean[25] + 1.959964 * one.stderr[25]
    assert line["name"] == "train" and len(line["texts"]) == len(T)
    assert line["texts"][25] == f"t 0.5\nloss {one.mean[25]:.3f} [{low:.3f}, {high:.3f}]"
    assert top["texts"] == ["barrier 2.00 ± 0.02\nat t 0.5"]


def test_what_is_pointed_at_lies_where_it_is_drawn(hill):
    figure = profile_figure({"p": hill}, metrics=["loss"], splits=["train"])
    (ax,) = figure.matplotlib().axes
    (line, _), *_ = figure.hover()["panels"]
    (drawn,) = (x for x in ax.lines if len(x.get_xdata()) == len(T))
    shares = (ax.transData + ax.transAxes.inverted()).transform(drawn.get_xydata())
    np.testing.assert_allclose(np.stack([line["x"], line["y"]], 1), shares, atol=1e-4)


def test_boxes_of_panels_are_those_of_the_picture(hill):
    figure = profile_figure({"p": hill})
    text = figure.svg()
    wide, high = (float(v) for v in text.split('viewBox="0 0 ')[1].split('"')[0].split())
    boxes = figure.hover()["boxes"]
    assert list(boxes) == ["wide", "narrow"]
    for left, top, right, bottom in boxes["wide"]:
        assert 0 <= left < right <= wide and 0 <= top < bottom <= high
    (a, b), (c, d) = boxes["wide"], boxes["narrow"]
    assert a[1] == b[1] and a[2] < b[0]  # side by side
    assert c[0] == d[0] and c[3] < d[1]  # one above the other


def test_what_has_a_label_can_be_told_apart_in_the_picture(hill):
    text = profile_figure({"p": hill}, metrics=["loss"]).svg()
    assert text.count('class="s" data-key="0"') == text.count('class="s" data-key="1"') >= 1
    assert 'class="k" data-key="1"' in text and 'id="s0' not in text


def test_a_notebook_shows_the_picture_of_the_page(hill):
    figure = profile_figure({"p": hill})
    shown = figure._repr_html_()
    assert figure.svg() in shown and "<script>" in shown and figure.caption in shown
    assert figure._repr_svg_().startswith("<?xml")


def test_profiles_are_data_before_they_are_drawn(hill, plain_surface):
    chart = profile_figure({"p": hill}).chart
    assert isinstance(chart, Panels)
    loss, _ = chart.panels
    drawn = {s.label: s for s in loss.series if not s.guide}
    for split in ("train", "test"):
        np.testing.assert_array_equal(drawn[split].y, hill.curve("loss", split).mean)
    assert isinstance(surface_figure(plain_surface).chart, Landscape)
