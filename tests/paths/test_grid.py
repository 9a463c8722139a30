"""Positions: n points means n values, with both ends."""

import numpy as np
import pytest

from ridgeline.errors import GridError
from ridgeline.paths import grid


@pytest.mark.parametrize("n", [2, 3, 25, 51, 99, 101, np.int64(7)])
def test_n_points_are_n_values_with_both_ends_and_symmetric(n):
    t = grid(n)
    assert len(t) == n and t[0] == 0 and t[-1] == 1
    np.testing.assert_allclose(t, 1 - t[::-1], atol=1e-16)
    assert n % 2 == 0 or 0.5 in t


def test_positions_are_kept_as_given():
    assert grid([0, 0.25, 1]).tolist() == [0, 0.25, 1]
    assert grid(np.array([0.2, 0.4], dtype=np.float32)).dtype == np.float64


def test_extrapolation_is_by_leave_only():
    assert grid([-0.5, 2], extrapolate=True).tolist() == [-0.5, 2]
    for wrong in ([-0.1, 1], [0, 1.1]):
        with pytest.raises(GridError, match=r"lie in \[0, 1\].*extrapolate=True"):
            grid(wrong)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (1, r"two points at least\. Got points=1\. 51 is the usual"),
        (0, r"Got points=0"),
        (-3, r"Got points=-3"),
        (True, r"two points at least"),
        ([0.5], r"two positions or more\. Got shape \(1,\)"),
        ([[0, 1]], r"Got shape \(1, 2\)"),
        (5.0, r"Got shape \(\)"),
        ([0, float("nan"), 1], r"must be finite\. Got \[nan\]"),
        ([0, float("inf")], r"must be finite\. Got \[inf\]"),
        ([0, 0.5, 0.5, 1], r"increase.*t\[1\]=0\.5 then t\[2\]=0\.5\. Sort them"),
        ([1, 0], r"t\[0\]=1 then t\[1\]=0"),
    ],
)
def test_every_refusal_says_what_was_received(points, message):
    with pytest.raises(GridError, match=message):
        grid(points)
