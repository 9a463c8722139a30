"""Plateaus on planted curves."""

import numpy as np
import pytest

from ridgeline.errors import UsageError
from ridgeline.measures import Curve, plateau

T = np.linspace(0, 1, 101)


def planted(end, level=2.0):
    """At the level until `end`, then straight down to zero."""
    return np.where(end >= T, level, level * (1 - T) / (1 - end))


@pytest.mark.parametrize("end", [0.2, 0.5, 0.77])
def test_a_planted_plateau_has_its_length(end):
    found = plateau(Curve.exact(T, planted(end)))
    slack = 0.02 * (1 - end)  # the default threshold leaves 2 % to fall
    assert (found.start, found.reference, found.threshold) == (0, 2.0, 0.02)
    assert end <= found.end + 1e-12 <= end + slack + 0.01
    assert found.length == found.end
    assert found.half == pytest.approx((1 + end) / 2, abs=0.0100001)
    assert found.area == pytest.approx(2 * (end + (1 - end) / 2), abs=1e-3)
    assert found.relative_area == pytest.approx((1 + end) / 2, abs=1e-3)


def test_the_threshold_is_inclusive_and_every_point_counts():
    y = np.array([1, 0.95, 0.94, 1, 0])
    t = np.linspace(0, 1, 5)
    assert plateau(Curve.exact(t, y), threshold=0.05).end == 0.25
    assert plateau(Curve.exact(t, y), threshold=0.06).end == 0.75
    assert plateau(Curve.exact(t, y), threshold=0).end == 0
    assert plateau(Curve.exact(t, y), threshold=1).end == 1


def test_the_level_of_an_error_is_chance():
    y = np.where(T <= 0.6, 0.9, 0.1)
    y[0] = 0.5  # an initialisation that is better than chance
    found = plateau(Curve.exact(T, y, chance=0.9))
    assert (found.reference, found.threshold) == (0.9, 0.05)
    assert (found.start, found.end) == (0.01, 0.6) and found.length == pytest.approx(0.59)


def test_a_late_rise_to_the_level_is_no_plateau():
    y = np.where((T > 0.15) & (T < 0.5), 0.9, 0.3)
    found = plateau(Curve.exact(T, y, chance=0.9))
    assert (found.start, found.end, found.length) == (0, 0, 0)


def test_level_and_threshold_may_be_given():
    y = planted(0.4, level=np.log(10))
    found = plateau(Curve.exact(T, y), reference=np.log(10), threshold=0.5)
    assert found.reference == np.log(10) and found.end == pytest.approx(0.7, abs=0.0100001)
    below = plateau(Curve.exact(T, y), reference=100.0)
    assert below.end == 0 and below.half == 0


def test_the_half_point_may_be_missing():
    assert np.isnan(plateau(Curve.exact(T, np.ones(101))).half)
    always = plateau(Curve.exact(T, np.ones(101)))
    assert always.end == 1 and always.relative_area == pytest.approx(1)


def test_only_the_path_itself_counts():
    t = np.linspace(-1, 2, 31)
    y = np.where(t < 0, 50.0, np.where(t < 0.45, 1, 0))
    found = plateau(Curve.exact(np.round(t, 12), y))
    assert found.reference == 1 and found.end == pytest.approx(0.4)


def test_nan_ends_a_plateau_and_a_level_of_zero_has_no_share():
    y = np.ones(101)
    y[30] = np.nan
    found = plateau(Curve.exact(T, y))
    assert found.end == pytest.approx(0.29) and np.isnan(found.area)
    assert np.isnan(plateau(Curve.exact(T, np.zeros(101))).relative_area)


def test_an_accuracy_has_no_plateau():
    with pytest.raises(UsageError, match="Measure the error"):
        plateau(Curve.exact(T, T, higher_is_better=True))
