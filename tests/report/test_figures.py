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
from ridgeline.errors import UnknownName, UsageError
from ridgeline.measures import Curve
from ridgeline.profiles import Profile
from ridgeline.report import Figure, layers_figure, profile_figure, surface_figure
from ridgeline.report.levels import levels, named_levels
from ridgeline.report.lines import labels, lines
from ridgeline.report.style import ramp, translucent


@pytest.fixture
def figures(hill, slope, layers, broken, plain_surface):
    trail = np.stack([np.linspace(0, 10, 9), np.sin(np.linspace(0, 3, 9))], 1)
    return [
        profile_figure({"hill": hill, "slope": slope}, name="both"),
        profile_figure({"broken": broken}, name="broken"),
        layers_figure(layers, whole=hill),
        surface_figure(plain_surface, trajectories={"a": trail}, points={"start": (0, 0)}),
    ]


def test_every_figure_has_a_table_a_picture_and_a_plot(figures, tmp_path):
    for figure in figures:
        paths = figure.save(tmp_path)
        assert [p.name for p in paths] == [
            f"{figure.name}.{suffix}" for suffix in ("png", "pdf", "svg", "csv")
        ]
        assert all(p.stat().st_size > 500 for p in paths)
        spec = json.loads(json.dumps(figure.plotly(), allow_nan=False))
        assert set(spec) == {"data", "layout"}
        assert figure.rows and "n = " in figure.caption


def test_plots_are_what_plotly_knows(figures):
    graphs = pytest.importorskip("plotly.graph_objects")
    for figure in figures:
        graphs.Figure(figure.plotly())  # refuses unknown names and values


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
    named = [t["name"] for t in figure.plotly()["data"] if t.get("showlegend")]
    assert named == ["hill, train", "hill, test", "slope, train"]
    assert "n = 1000 (hill, train), 400 (hill, test), 400 (slope, train)" in figure.caption
    one = profile_figure({"hill": hill}, splits=["test"], metrics=["loss"], units={"loss": "nats"})
    assert one.matplotlib().axes[0].get_ylabel() == "loss (nats)"
    assert {r["split"] for r in one.rows} == {"test"}


def test_the_barrier_is_labelled_above_every_curve(hill):
    panel = lines({"p": hill.curves}, "loss")
    written, (low, high) = labels(panel)
    assert [label.text for label in written] == ["2.00 ± 0.02", "2.40 ± 0.04"]
    top = max(line.curve.mean.max() for line in panel)
    assert all(top < label.y < high for label in written)
    assert abs(written[0].y - written[1].y) > 0.05 * (high - low)


def test_a_low_curve_under_a_high_one_is_labelled_beside_it_not_above_both(hill):
    low = Profile(T, {"train": {"loss": curve(bump(0.1))}})
    panel = lines({"hill": {"train": hill.curves["train"]}, "low": low.curves}, "loss")
    written, (least, most) = labels(panel)
    small, large = sorted(written, key=lambda label: label.y)
    assert small.colour == panel[1].colour and abs(small.x - 0.5) > 0.2
    assert small.y < least + 0.5 * (most - least) and large.x == pytest.approx(panel[0].peak[0])


@pytest.mark.parametrize("value", [1.0, 1e160])
def test_a_barrier_that_is_rounding_or_of_no_finite_error_has_its_label(value):
    mean = np.full(51, value)
    mean[20] = np.nextafter(value, np.inf)
    one = Curve(T, mean, np.full((51, 51), 0.0 if value == 1 else np.inf), 4, 4, np.zeros(51, int))
    panel = lines({"flat": {"data": {"loss": one}}}, "loss")
    written, (low, high) = labels(panel)
    assert len(written) == 1 and low < value < written[0].y < high
    assert np.isfinite([low, high]).all()


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
        Figure("../up", "", "", [], lambda: None, dict)  # type: ignore[arg-type]  # wrong on purpose


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
    spec = figure.plotly()
    assert spec["layout"]["yaxis"]["scaleanchor"] == "x"
    assert spec["data"][0]["z"][0][0] is None
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


def test_the_page_and_the_paper_draw_the_same_numbers_and_neither_smooths(plain_surface):
    figure = surface_figure(plain_surface)
    contour = figure.plot()["data"][0]
    assert contour["line"]["smoothing"] == 0
    (drawn, *_) = figure.draw().axes
    filled = drawn.collections[0]
    at = np.arange(contour["zmax"] + 1)
    assert filled.levels.tolist() == at.tolist()
    values = plain_surface.value("loss")
    back = np.interp(np.array(contour["z"], float), at, levels(values))
    np.testing.assert_allclose(back, values, atol=1e-12)


def test_axes_are_named_by_the_plane(plain_surface):
    plain_surface.provenance["plane"] = {"unit": "along a random direction, in filter norms"}
    figure = surface_figure(plain_surface)
    assert figure.draw().axes[0].get_xlabel() == "along a random direction, in filter norms"
    assert "axes are along a random direction, in filter norms" in figure.caption
    title = figure.plot()["layout"]["xaxis"]["title"]["text"]
    assert title == "along a random direction, in filter norms"


def test_no_points_are_no_points_and_not_the_corners(plain_surface):
    assert {r["kind"] for r in surface_figure(plain_surface, points={}).rows} == {"surface"}
    named = [r for r in surface_figure(plain_surface).rows if r["kind"] == "point"]
    assert len(named) == 3


def test_levels_need_something_finite():
    with pytest.raises(UsageError, match="finite"):
        levels(np.full((2, 2), np.nan))


def test_colours():
    assert ramp(1) == ["#1f6fb4"] and ramp(3) == ["#1f6fb4", "#3fa3a0", "#e3a43c"]
    assert translucent("#0072b2", 0.18) == "rgba(0,114,178,0.18)"


def test_bumps_at_the_edges_have_labels_inside():
    edge = Profile(T, {"data": {"loss": curve(bump(1.0, at=0.06, width=0.03))}})
    written, _ = labels(lines({"p": edge.curves}, "loss"))
    assert 0.14 < written[0].x < 0.86
