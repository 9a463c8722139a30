"""Convexity: shapes whose convexity is known, and the released code written out."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from ridgeline.errors import UnknownName, UsageError
from ridgeline.measures import Curve, convexity

law = settings(deadline=None, max_examples=100, derandomize=True)
losses = st.lists(st.integers(-6, 6).map(float), min_size=3, max_size=14)


def on(values, **more):
    return Curve.exact(np.linspace(0, 1, len(values)), values, **more)


def shape(function, points=25):
    return on(function(np.linspace(0, 1, points)))


def test_a_quadratic_is_convex_everywhere():
    found = convexity(shape(lambda t: (1 - t) ** 2))
    assert (found.local, found.overall) == (1, 1)
    assert found.least_second_difference == pytest.approx(2, rel=1e-9)
    assert found.largest_step == pytest.approx(-((1 / 24) ** 2), rel=1e-9)


def test_a_square_root_is_convex_nowhere():
    found = convexity(shape(np.sqrt))
    assert (found.local, found.overall) == (0, 0)
    assert found.least_second_difference < 0
    assert found.largest_step == pytest.approx((1 / 24) ** 0.5)


@law
@given(ends=st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), points=st.integers(3, 60))
def test_a_straight_line_is_convex_though_it_is_rounded(ends, points):
    found = convexity(on(np.linspace(*ends, points)))
    assert (found.local, found.overall) == (1, 1)


def released(results):
    """The formulas of the released code's `mli_stats`, point by point."""
    y, n = results, len(results) - 1
    steps = [y[i + 1] - y[i] for i in range(n)]
    second = [(y[i + 1] - 2 * y[i] + y[i - 1]) * n**2 for i in range(1, n)]
    line = [y[0] + (y[1] - y[0]) * x for x in np.linspace(0, 1, n + 1)]
    below = [y[i] <= line[i] for i in range(1, n)]
    share = lambda flags: sum(flags) / len(flags)  # noqa: E731 (a name for a short function that is read in place)
    return max(steps), min(second), share([s >= 0 for s in second]), share(below)


@law
@given(y=losses)
def test_compat_is_the_released_formula(y):
    found = convexity(on(y), compat="lim2024")
    got = found.largest_step, found.least_second_difference, found.local, found.overall
    assert got == pytest.approx(released(y), rel=1e-12)


@law
@given(y=losses)
def test_without_compat_the_line_is_the_chord(y):
    found, other = convexity(on(y)), convexity(on(y), compat="lim2024")
    n = len(y) - 1  # the values are integers: an integer comparison is exact
    below = [n * y[i] <= (n - i) * y[0] + i * y[-1] for i in range(1, n)]
    assert found.overall == sum(below) / len(below)
    assert found.local == other.local and found.largest_step == other.largest_step


def test_the_released_line_is_not_the_chord():
    concave = on([1.0, 0.99, 0.9, 0.6, 0.0])  # released: 1 - 0.01 t, above every point
    assert convexity(concave).overall == 0
    assert convexity(concave, compat="lim2024").overall == 1
    dip = on([1.0, -1.0, 0.0, 0.0, 0.0])  # released: 1 - 2 t, below the fourth point
    assert convexity(dip).overall == 1
    assert convexity(dip, compat="lim2024").overall == 2 / 3


def test_the_largest_step_is_not_the_largest_rise():
    slow_rise = [0.0, 0.1, 0.2, 0.3, 0.4]
    assert convexity(on(slow_rise)).largest_step == pytest.approx(0.1)


def test_for_an_accuracy_its_negative_is_judged():
    t = np.linspace(0, 1, 9)
    found = convexity(on(t * (2 - t), higher_is_better=True))
    assert (found.local, found.overall) == (1, 1) and found.largest_step < 0


def test_extrapolated_positions_are_left_out():
    t = np.linspace(-0.5, 1.5, 9)
    found = convexity(Curve.exact(t, np.where((t < 0) | (t > 1), 50.0, (1 - t) ** 2)))
    assert found.largest_step < 0 and found.least_second_difference == pytest.approx(2)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_not_convex(bad):
    found = convexity(on([1.0, 0.5, bad, 0.1, 0.0]))
    assert found.local < 1 and found.overall < 1
    assert not np.isfinite(found.least_second_difference)


def test_uneven_and_short_grids_and_unknown_compat_are_refused():
    with pytest.raises(UsageError, match=r"equally spaced grid.*steps from 0\.1 to 0\.5"):
        convexity(Curve.exact([0, 0.1, 0.5, 1], [3.0, 2, 1, 0]))
    with pytest.raises(UsageError, match="a point between the ends"):
        convexity(on([1.0, 0.0]))
    with pytest.raises(UsageError, match="0 and 1"):
        convexity(Curve.exact([0.1, 0.5, 0.9], [3.0, 2, 1]))
    with pytest.raises(UnknownName, match="lim2024"):
        convexity(on([1.0, 0.5, 0.0]), compat="lim2023")
