"""Lengths against curves whose lengths are in every textbook."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from ridgeline.errors import UsageError
from ridgeline.measures import Curve, arc_length, length, turning

law = settings(deadline=None, max_examples=40, derandomize=True)


def circle(angles, radius=1.0):
    return radius * np.stack([np.sin(angles), np.cos(angles)], -1)


def test_a_half_circle_turns_by_pi():
    assert turning(circle(np.linspace(0, np.pi, 2001))) == pytest.approx(np.pi, abs=2e-3)
    errors = [np.pi - turning(circle(np.linspace(0, np.pi, n))) for n in (50, 200, 4000)]
    assert errors[0] > errors[1] > errors[2] > 0 and errors[2] < 1e-3


def test_a_closed_polygon_turns_by_its_outer_angles():
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0], [1, 0]], float)
    assert turning(square) == pytest.approx(2 * np.pi)
    back = np.array([[0, 0], [1, 0], [0, 0]], float)
    assert turning(back) == pytest.approx(np.pi)


@law
@given(
    slope=st.lists(st.floats(-5, 5), min_size=2, max_size=5).filter(lambda s: np.linalg.norm(s) > 1)
)
def test_a_straight_line_does_not_turn(slope):
    t = np.linspace(0, 1, 40)
    assert turning(t[:, None] * slope) < 1e-6
    assert arc_length(t[:, None] * slope) == pytest.approx(np.linalg.norm(slope))


def test_turning_does_not_depend_on_the_pace():
    a = np.linspace(0, 1, 4001)
    curves = [circle(2.5 * s) for s in (a, a**2, np.sin(a * np.pi / 2))]
    np.testing.assert_allclose([turning(c) for c in curves], 2.5, atol=5e-3)
    np.testing.assert_allclose([arc_length(c) for c in curves], 2.5, atol=1e-5)


@law
@given(scale=st.floats(1e-6, 1e6), seed=st.integers(0, 99))
def test_turning_does_not_depend_on_scale_or_place(scale, seed):
    points = np.random.default_rng(seed).normal(size=(12, 3))
    want = turning(points)
    assert turning(points * scale) == pytest.approx(want, rel=1e-9)
    assert turning(points + 3.0) == pytest.approx(want, rel=1e-6)
    assert arc_length(points * scale) == pytest.approx(arc_length(points) * scale, rel=1e-9)


@law
@given(seed=st.integers(0, 999), repeats=st.integers(1, 4))
def test_repeated_points_have_no_direction_and_change_nothing(seed, repeats):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(9, 3))
    often = np.repeat(points, rng.integers(1, repeats + 1, size=9), axis=0)
    assert turning(often) == pytest.approx(turning(points), rel=1e-12)
    assert arc_length(often) == pytest.approx(arc_length(points), rel=1e-12)


def test_a_curve_that_stands_still_does_not_turn():
    assert turning(np.ones((5, 2))) == 0
    assert turning(np.array([[0, 0], [0, 0], [1, 1.0]])) == 0
    assert turning(np.array([[0.0], [1.0]])) == 0


@law
@given(seed=st.integers(0, 99))
def test_many_curves_at_once_are_each_alone(seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(7, 4, 2, 3))
    points[3, 1] = points[2, 1]  # one of them pauses
    many = turning(points)
    assert many.shape == (4, 2)
    for i in range(4):
        for j in range(2):
            assert many[i, j] == pytest.approx(turning(points[:, i, j]), rel=1e-12)
            assert arc_length(points)[i, j] == pytest.approx(arc_length(points[:, i, j]))


def test_the_circumference():
    assert arc_length(circle(np.linspace(0, 2 * np.pi, 1001), 3)) == pytest.approx(
        6 * np.pi, rel=1e-5
    )


@pytest.mark.parametrize("wrong", [np.zeros((1, 2)), np.zeros(5), np.zeros((0, 3))])
def test_one_point_is_no_chain(wrong):
    with pytest.raises(UsageError, match="two points or more"):
        turning(wrong)


def test_the_graph_of_a_profile():
    t = np.linspace(0, 1, 11)
    straight = length(Curve.exact(t, 3 - 3 * t))
    assert straight.arc == pytest.approx(10**0.5)
    assert straight.gauss == pytest.approx(0, abs=1e-6)
    assert straight.variation == pytest.approx(3)
    tent = length(Curve.exact([0, 0.5, 1], [0, 0.5, 0]))
    assert (tent.arc, tent.gauss, tent.variation) == pytest.approx((2**0.5, np.pi / 2, 1))
    wide = length(Curve.exact([-1, 0, 0.5, 1, 2], [9, 0, 0.5, 0, 9]))
    assert wide == tent


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_carried(bad):
    found = length(Curve.exact([0, 0.5, 1], [1, bad, 0]))
    assert not np.isfinite(found.arc) and np.isnan(found.gauss)
    assert not np.isfinite(found.variation)
