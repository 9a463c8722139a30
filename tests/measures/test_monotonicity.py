"""Rises: over any earlier and later point, the last step included."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from ridgeline.measures import Bump, Curve, bumps, monotonicity
from ridgeline.testing import Tabulated

law = settings(deadline=None, max_examples=150, derandomize=True)
losses = st.lists(st.integers(-6, 6).map(float), min_size=2, max_size=14)


def on(values, **more):
    return Curve.exact(np.linspace(0, 1, len(values)), values, **more)


@law
@given(y=losses)
def test_the_largest_rise_is_that_of_all_pairs(y):
    found = monotonicity(on(y))
    pairs = [y[j] - y[i] for j in range(len(y)) for i in range(j)]
    assert found.largest_rise == max(0, *pairs)
    assert found.strict == (max(pairs) <= 0)
    assert found.holds == found.strict
    if found.between:
        t = np.linspace(0, 1, len(y)).tolist()
        start, end = (t.index(x) for x in found.between)
        assert start < end and y[end] - y[start] == found.largest_rise
    else:
        assert found.largest_rise == 0


def slow_bumps(t, y):
    """Open at the last point before a rise; close strictly below it, or at the end."""
    found, start = [], None
    for i in range(len(y)):
        if start is not None and y[i] < y[start]:
            found.append((t[start], t[i], max(y[start : i + 1]) - y[start]))
            start = None
        if start is None and i + 1 < len(y) and y[i + 1] > y[i]:
            start = i
    if start is not None:
        found.append((t[start], t[-1], max(y[start:]) - y[start]))
    return found


@law
@given(y=losses)
def test_bumps_are_those_of_the_definition(y):
    curve = on(y)
    assert [(b.start, b.end, b.height) for b in bumps(curve)] == slow_bumps(curve.t, y)


@law
@given(y=losses)
def test_the_highest_bump_is_the_largest_rise(y):
    assert max([b.height for b in bumps(on(y))], default=0) == monotonicity(on(y)).largest_rise


def test_a_rise_at_the_very_last_point_counts():
    curve = on([1, 0.5, 0.6])
    found = monotonicity(curve)
    assert found.largest_rise == pytest.approx(0.1)
    assert found.between == (0.5, 1.0) and not found.holds
    assert bumps(curve) == [Bump(0.5, 1.0, pytest.approx(0.1))]
    assert bumps(curve)[0].width == 0.5


def test_a_slow_rise_adds_up_though_no_step_is_large():
    y = [1, *np.linspace(0.5, 0.504, 9)]
    found = monotonicity(on(y))
    assert found.largest_rise == pytest.approx(0.004) and not found.holds
    assert np.diff(y)[1:].max() < 1e-3


def test_tolerance_and_strictness():
    slight = on([1, 0.5, 0.5005, 0])
    assert monotonicity(slight).holds and not monotonicity(slight).strict
    assert not monotonicity(slight, tolerance=1e-4).holds
    assert not monotonicity(slight, tolerance=0).holds
    flat = monotonicity(on([1, 1, 1]))
    assert flat.holds and flat.strict and flat.between is None
    assert flat.interval() == (0, 0)
    edge = monotonicity(on([0.0, 0.25]), tolerance=0.25)
    assert edge.holds and not edge.strict


def test_a_planted_bump_is_found_where_it_was_planted():
    net, t = Tabulated.with_bump(0.3, 0.45, 0.2), np.linspace(0, 1, 101)
    curve = Curve.exact(t, np.interp(t, net.knots.numpy(), net.values.numpy()))
    found = monotonicity(curve)
    assert found.largest_rise == pytest.approx(0.2) and found.between == pytest.approx((0.3, 0.45))
    (bump,) = bumps(curve)
    assert (bump.start, bump.height) == pytest.approx((0.3, 0.2))
    back = 0.45 + 0.55 * 0.2 / 0.9  # where the last slope is at the start's level again
    assert back < bump.end <= back + 0.011


def test_for_an_accuracy_a_rise_is_a_fall():
    found = monotonicity(on([0.1, 0.6, 0.5, 0.9], higher_is_better=True))
    assert found.largest_rise == pytest.approx(0.1)
    assert found.between == pytest.approx((1 / 3, 2 / 3))
    assert len(bumps(on([0.1, 0.6, 0.5, 0.9], higher_is_better=True))) == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_nan_and_infinity_are_a_rise(bad, at):
    y = [1.0, 0.8, 0.5, 0.2]
    y[at] = bad
    found = monotonicity(on(y))
    assert not found.holds and not found.strict
    assert not np.isfinite(found.largest_rise)
    assert found.between[1] == pytest.approx(at / 3)


def test_a_start_that_is_nan_does_not_pass():
    assert not monotonicity(on([np.nan, 0.5, 0.2])).holds


def test_the_standard_error_is_paired():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(300, 1)) * 4 + rng.normal(size=(300, 4)) * 0.1 + [3, 1, 2, 0]
    cov = np.cov(values, rowvar=False)
    zero = np.zeros(4, np.int64)
    curve = Curve(np.linspace(0, 1, 4), values.mean(0), cov, 300, 300, zero)
    found = monotonicity(curve)
    want = (values[:, 2] - values[:, 1]).std(ddof=1) / np.sqrt(300)
    assert found.stderr == pytest.approx(want, rel=1e-9) and found.stderr < 0.02
    low, high = found.interval()
    assert low < found.largest_rise < high
