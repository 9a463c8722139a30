"""Barriers against closed forms and against loops that are too slow to be wrong."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from ridgeline.errors import UnknownName, UsageError
from ridgeline.measures import (
    BARRIER_KINDS,
    Barrier,
    Curve,
    WholeEnds,
    barrier,
    connectivity,
    instability,
)
from ridgeline.testing import Product

law = settings(deadline=None, max_examples=60, derandomize=True)
heights = st.lists(st.floats(-5, 5, width=32), min_size=3, max_size=13).filter(lambda x: len(x) % 2)


def on(values, **more):
    return Curve.exact(np.linspace(0, 1, len(values)), values, **more)


def slow(t, y, kind):
    """Each definition, point by point."""
    chord = lambda x, s, u: y[s] + (y[u] - y[s]) * (x - t[s]) / (t[u] - t[s])  # noqa: E731 (a name for a short function that is read in place)
    k, last = range(len(t)), len(t) - 1
    if kind == "chord":
        return max(y[i] - chord(t[i], 0, last) for i in k)
    if kind == "mean":
        return max(y) - (y[0] + y[-1]) / 2
    if kind == "half":
        return y[last // 2] - (y[0] + y[-1]) / 2
    if kind == "max":
        return max(y) - max(y[0], y[-1])
    if kind == "abs":
        return max(y)
    return max(y[m] - chord(t[m], s, u) for s in k for u in k[s + 1 :] for m in range(s, u + 1))


@law
@given(y=heights)
@pytest.mark.parametrize("kind", BARRIER_KINDS)
def test_every_kind_is_its_definition(kind, y):
    curve = on(y)
    found = barrier(curve, kind)
    assert found.height == pytest.approx(slow(curve.t, y, kind), abs=1e-9)
    assert found.kind == kind
    at = int(np.flatnonzero(curve.t == found.at)[0])
    low, high = (int(np.flatnonzero(curve.t == end)[0]) for end in found.between)
    assert low <= at <= high
    if kind == "convexity_gap":  # the location and the stretch give the height
        r = (curve.t[at] - curve.t[low]) / (curve.t[high] - curve.t[low])
        assert found.height == pytest.approx(y[at] - (1 - r) * y[low] - r * y[high], abs=1e-9)


@law
@given(y=heights, seed=st.integers(0, 99))
@pytest.mark.parametrize("kind", ["chord", "mean", "max", "abs", "convexity_gap"])
def test_uneven_grids_are_measured_where_their_points_are(kind, y, seed):
    t = np.sort(np.random.default_rng(seed).uniform(0.01, 0.99, len(y)))
    t[0], t[-1] = 0, 1
    assert barrier(Curve.exact(t, y), kind).height == pytest.approx(slow(t, y, kind), abs=1e-9)


@law
@given(y=heights)
@pytest.mark.parametrize("kind", BARRIER_KINDS)
def test_swapping_the_ends_changes_nothing(kind, y):
    assert barrier(on(y), kind).height == pytest.approx(barrier(on(y[::-1]), kind).height, abs=1e-9)


@law
@given(y=heights, shift=st.floats(-9, 9), slope=st.floats(-9, 9))
def test_order_of_the_kinds(y, shift, slope):
    curve = on(y)
    chord, mean, top, gap = (
        barrier(curve, kind).height for kind in ("chord", "mean", "max", "convexity_gap")
    )
    assert chord >= 0 and top >= 0 and gap >= chord - 1e-12
    assert mean >= top - 1e-12
    # a barrier against the chord does not see a straight line that is added
    tilted = on(np.array(y) + shift + slope * curve.t)
    assert barrier(tilted).height == pytest.approx(chord, abs=1e-6)
    assert barrier(tilted, "convexity_gap").height == pytest.approx(gap, abs=1e-6)


@pytest.mark.parametrize("kind", BARRIER_KINDS)
def test_the_toy_has_barrier_one_half_by_every_definition(kind):
    t = np.linspace(0, 1, 51)
    found = barrier(Curve.exact(t, [Product.along(s) for s in t]), kind)
    assert found.height == pytest.approx(0.5, abs=1e-15)
    assert (found.at, found.between, found.stderr) == (0.5, (0, 1), 0)


def test_a_convex_curve_has_no_barrier_and_a_parabola_its_own():
    t = np.linspace(0, 1, 101)
    for kind in ("chord", "convexity_gap", "max"):
        assert barrier(Curve.exact(t, (t - 0.4) ** 2), kind).height == 0
    assert barrier(Curve.exact(t, 3 * t * (1 - t) + 2 * t)).height == pytest.approx(0.75)
    # mean can be positive below the chord, as the papers' definitions have it
    assert barrier(Curve.exact(t, t**2), "mean").height == pytest.approx(0.5)


def test_a_local_hump_is_seen_by_the_convexity_gap_alone():
    t = np.linspace(0, 1, 41)
    deep = 4 * (t - 0.5) ** 2 + 0.3 * np.exp(-(((t - 0.5) / 0.08) ** 2)) - 1
    found = barrier(Curve.exact(t, deep), "convexity_gap")
    assert barrier(Curve.exact(t, deep)).height == pytest.approx(0, abs=1e-12)
    assert found.height > 0.2 and found.at == 0.5
    assert 0.2 < found.between[0] < 0.5 < found.between[1] < 0.8


@law
@given(y=heights)
@pytest.mark.parametrize("kind", BARRIER_KINDS)
def test_for_an_accuracy_a_barrier_is_the_drop(kind, y):
    drop = barrier(on([-v for v in y], higher_is_better=True), kind)
    assert drop.height == pytest.approx(barrier(on(y), kind).height, abs=1e-9)


def test_positions_beyond_the_ends_do_not_count():
    t = [-0.5, 0, 0.5, 1, 1.5]
    curve = Curve.exact(t, [100, 0, 1, 0, 100])
    for kind in BARRIER_KINDS:
        assert barrier(curve, kind).height == 1
        assert barrier(curve, kind).at == 0.5


@pytest.mark.parametrize("kind", BARRIER_KINDS)
def test_nan_and_infinity_are_carried(kind):
    assert np.isnan(barrier(on([0, 1, np.nan, 1, 0]), kind).height)
    assert barrier(on([0, 1, np.inf, 1, 0]), kind).height == np.inf
    assert barrier(on([0, 1, np.inf, 1, 0]), kind).at == 0.5


@pytest.mark.parametrize("kind", ["chord", "mean", "max", "abs"])
@pytest.mark.parametrize("at", [0, 4])
def test_an_end_that_is_nan_is_no_missing_barrier(kind, at):
    y = [0.0, 1, 2, 1, 0]
    y[at] = np.nan
    assert np.isnan(barrier(on(y), kind).height)


def test_refusals():
    with pytest.raises(UnknownName, match=r"Got 'cord'\. Did you mean 'chord'"):
        barrier(on([0, 1, 0]), "cord")
    with pytest.raises(UsageError, match=r"needs t = 0\.5 on the grid.*odd number"):
        barrier(on([0, 1, 1, 0]), "half")
    with pytest.raises(UsageError, match="must contain 0 and 1"):
        barrier(Curve.exact([0.5, 1], [0, 0]))


def paired(values, t, whole, n=200, higher=False):
    """The curve of a layer's line, (N, K) values, with the whole networks beside it, (N, 2)."""
    joint, k = np.hstack([values, whole]), values.shape[1]
    cov = np.cov(joint, rowvar=False)
    ends = WholeEnds(whole.mean(0), cov)
    nothing = np.zeros(k, np.int64)
    return Curve(t, values.mean(0), cov[:k, :k], n, n, nothing, higher_is_better=higher, whole=ends)


@pytest.mark.parametrize("higher", [False, True])
def test_the_barrier_of_a_layer_is_against_the_two_whole_networks_and_paired(higher):
    """Adilova et al.: the midpoint of the layer's line less the mean of the networks' losses."""
    rng = np.random.default_rng(0)
    part = rng.normal(size=(200, 3)) @ np.triu(np.ones((3, 3)))
    full = part[:, :1] + rng.normal(size=(200, 2))
    found = barrier(paired(part, np.array([0.0, 0.5, 1.0]), full, higher=higher))
    cost = part[:, 1] - full.mean(1)
    true = (-cost if higher else cost).mean()
    assert (found.kind, found.at) == ("layer", 0.5)
    assert found.height == pytest.approx(true, abs=1e-12)
    assert found.stderr == pytest.approx(cost.std(ddof=1) / 200**0.5, rel=1e-12)


def test_without_the_whole_networks_there_is_no_barrier_of_a_layer():
    with pytest.raises(UsageError, match=r"against the two whole networks\. Got a curve without"):
        barrier(on([0.0, 1.0, 2.0]), "layer")
    assert barrier(on([0.0, 1.0, 2.0])).kind == "chord"


def test_instability_is_the_barrier_of_kind_mean():
    curve = on([0.1, 0.4, 0.2])
    assert instability(curve) == barrier(curve, "mean")


@pytest.mark.parametrize(("top", "holds"), [(0.11, True), (0.119, True), (0.121, False)])
def test_the_two_point_criterion_is_strict(top, holds):
    found = connectivity(on([0.1, top, 0.1]))
    assert found.holds is holds and found.tolerance == 0.02
    assert found.height == pytest.approx(top - 0.1)
    assert connectivity(on([0, 0.5, 0])).holds is False
    assert connectivity(on([0, np.nan, 0])).holds is False
    assert connectivity(on([0.0, 0.05, 0.0]), tolerance=0.1).holds is True


@pytest.mark.parametrize(
    ("height", "stderr", "rounding", "verdict"),
    [
        (1.0, 0.1, 0.0, "barrier"),
        (1.0, 0.6, 0.0, "undecided"),
        (1.0, 1 / 1.97, 0.0, "barrier"),
        (1.0, 0.0, 0.0, "barrier"),
        (0.0, 0.1, 0.0, "no barrier"),
        (1e-7, 0.0, 1e-6, "no barrier"),
        (1e-6, 0.0, 1e-6, "no barrier"),
        (float("nan"), 0.1, 0.0, "undecided"),
        (float("nan"), float("nan"), 0.0, "undecided"),
        (float("inf"), float("nan"), 0.0, "barrier"),
    ],
)
def test_a_verdict_needs_an_interval_above_zero(height, stderr, rounding, verdict):
    assert Barrier(height, stderr, 0.5, "chord", rounding=rounding).verdict == verdict


def test_the_interval_of_a_height_is_the_normal_one():
    low, high = Barrier(1.0, 0.5, 0.5, "chord").interval()
    assert (low, high) == pytest.approx((1 - 0.979982, 1 + 0.979982), abs=1e-5)
    narrow = Barrier(1.0, 0.5, 0.5, "chord").interval(0.5)
    assert narrow[0] > low
