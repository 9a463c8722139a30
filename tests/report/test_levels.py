"""Round levels for contours, and round numbers for scales."""

import numpy as np
import pytest

from ridgeline.errors import UsageError
from ridgeline.report.levels import levels, named_levels, powers, rounds


@pytest.mark.parametrize(
    ("low", "high", "count", "want"),
    [
        (-5.0, 5.0, 10, range(-5, 6)),
        (0.1, 0.9, 8, np.arange(1, 10) / 10),
        (-3.0, 3.0, 6, range(-3, 4)),
        (100.0, 112.0, 5, [100, 102.5, 105, 107.5, 110, 112.5]),
    ],
)
def test_even_levels_enclose_in_round_steps(low, high, count, want):
    assert levels(np.array([low, high]), count) == pytest.approx(np.array(want))


def test_values_that_span_decades_stand_on_a_ladder():
    found = levels(np.array([0.02, 5.0]), 13)
    lead = found / 10.0 ** np.floor(np.log10(found) + 1e-9)
    assert set(np.round(lead, 6)) <= {1, 1.5, 2, 3, 5, 7} and len(found) <= 27
    assert found[0] <= 0.02 and found[-1] >= 5.0


def test_the_ladder_is_wide_enough_from_a_bit_over_a_decade():
    assert len(np.unique(np.round(np.diff(levels(np.array([1.0, 15.0]))), 6))) == 1
    assert len(np.unique(np.round(np.diff(levels(np.array([1.0, 20.0]))), 6))) > 1
    assert len(np.unique(np.round(np.diff(levels(np.array([-1.0, 2000.0]))), 6))) == 1


def test_tiny_values_do_not_stretch_the_ladder():
    found = levels(np.array([1e-12, 1.0]))
    assert found[0] == pytest.approx(1e-4)


def test_a_flat_surface_has_two_levels_about_it():
    assert levels(np.array([2.0, 2.0])) == pytest.approx([1.998, 2.002])
    assert levels(np.zeros(3)) == pytest.approx([-0.001, 0.001])


def test_values_that_are_not_finite_do_not_count():
    assert levels(np.array([-5.0, 5.0, np.nan, np.inf]), 10)[-1] == 5
    with pytest.raises(UsageError, match=r"drawn from finite values\. Got none"):
        levels(np.array([np.nan]))


def test_crowded_values_have_levels_by_their_share():
    values = np.concatenate([np.linspace(1, 1.1, 97), [50.0, 75.0, 100.0]])
    found = levels(values, 10)
    counts = np.histogram(values, found)[0]
    assert counts.max() < 25 and found[0] <= 1 and found[-1] >= 100
    assert (np.diff(found) > 0).all()


def test_few_levels_are_all_named_and_of_many_the_last():
    at = np.arange(9.0)
    assert named_levels(at) is at
    some = named_levels(np.arange(20.0))
    assert some[-1] == 19 and len(some) <= 9 and len(np.unique(np.diff(some))) == 1


def test_of_a_ladder_the_round_ones_are_named():
    ladder = np.array([s * 10.0**p for p in (-1, 0, 1) for s in (1, 1.5, 2, 3, 5, 7)])
    assert named_levels(ladder) == pytest.approx([0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50])
    longer = np.array([s * 10.0**p for p in range(-3, 2) for s in (1, 2, 5)])
    assert named_levels(longer) == pytest.approx([1e-3, 1e-2, 0.1, 1, 10])


@pytest.mark.parametrize(
    ("low", "high", "want"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0.13, 9.4, [2, 4, 6, 8]), (-1, 1, [-1, -0.5, 0, 0.5, 1]),
     (3, 53, [10, 20, 30, 40, 50])],
)  # fmt: skip
def test_round_numbers_between_two(low, high, want):
    assert rounds(low, high) == pytest.approx(want)


@pytest.mark.parametrize(
    ("low", "high", "want"),
    [(1, 1000, [1, 10, 100, 1000]), (1, 100, [1, 10, 100]), (2, 60, [3, 10, 30]),
     (1, 12, [1, 3, 10]), (2.1, 2.2, [2.1, 2.2]), (2, 8, [2, 3, 5, 7])],
)  # fmt: skip
def test_round_numbers_on_a_logarithms_scale(low, high, want):
    assert powers(low, high) == pytest.approx(want)


def test_of_many_decades_some_are_taken():
    assert len(powers(1e-10, 1e10)) <= 7
