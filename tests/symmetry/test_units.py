"""Units while they are being found: joined, fixed, held inside of others."""

import numpy as np
import pytest

from ridgeline.symmetry.labelling import FIXED, NOTHING, coordinates
from ridgeline.symmetry.units import Units


@pytest.fixture
def units():
    return Units()


def test_new_units_are_numbered_from_one_and_joined_to_nothing(units):
    one, two = units.fresh(3), units.fresh(2)
    assert one.tolist() == [1, 2, 3] and two.tolist() == [4, 5] and units.size == 6
    assert units.find(one).tolist() == [1, 2, 3]


def test_joined_units_have_the_least_representative(units):
    a, b, c = units.fresh(3), units.fresh(3), units.fresh(3)
    units.join(b, c)
    units.join(a, c)
    assert units.find(c).tolist() == units.find(b).tolist() == a.tolist()
    assert units.everything.tolist() == [0, 1, 2, 3, 1, 2, 3, 1, 2, 3]


def test_labels_that_are_no_units_are_passed_on(units):
    a = units.fresh(1)
    labels = np.array([NOTHING, -5, a[0]])
    assert units.represent(labels).tolist() == [NOTHING, -5, 1]


def test_fixed_units_are_coordinates_with_their_reason(units):
    a = units.fresh(3)
    units.fix(a[:2], "why")
    assert units.find(a).tolist() == [FIXED - 1, FIXED - 2, 3]
    assert units.why == {1: "why", 2: "why"}


def test_joined_to_fixed_is_fixed(units):
    a, b = units.fresh(1), units.fresh(1)
    units.fix(a, "why")
    units.join(a, b)
    assert units.find(b).tolist() == [FIXED - 1]


def test_units_on_an_axis_are_found_by_tensor_axis_and_position(units):
    rows, columns = units.of_axis("w", 0, 4), units.of_axis("w", 1, 3)
    units.of_axis("v", 0, 4)
    assert units.at("w", 0, [1, 3]).tolist() == rows[[1, 3]].tolist()
    assert units.at("w", 1, [0]).tolist() == columns[:1].tolist()
    assert units.at("u", 0, [0]).tolist() == []
    units.forget("w", [0])
    assert units.at("w", 0, [1]).tolist() == [] and units.at("w", 1, [0]).tolist() == [columns[0]]


def test_blocks_of_another_axis_have_units_of_their_own(units):
    where = [np.array([0, 1]), np.array([2, 3])]
    made = units.of_blocks("w", 1, 3, where)
    assert made.shape == (2, 3) and len(np.unique(made)) == 6
    assert sorted(units.at("w", 1, [0])) == sorted(made[:, 0])
    assert sorted(units.at("w", 0, [0, 1, 2])) == sorted(made[0])


def test_two_rows_that_meet_one_to_one_are_joined(units):
    a, b = units.fresh(3), units.fresh(3)
    assert units.relate(a, b, "why") == 1
    assert units.find(b).tolist() == a.tolist()


def test_a_row_that_tells_more_stands_inside_of_the_other(units):
    inner, outer = units.fresh(6), units.fresh(2)
    assert units.relate(inner, np.repeat(outer, 3), "why") == 1
    held = np.concatenate([np.stack(pair) for pair in units.held], 1)
    assert {(int(i), int(o)) for i, o in held.T} >= {(1, 7), (4, 8), (6, 8)}
    assert units.relate(np.repeat(outer, 3), inner, "why") == -1


def test_rows_and_columns_of_a_grid_have_nothing_to_do_with_each_other(units):
    a, b = units.fresh(2), units.fresh(3)
    assert units.relate(a[:, None], b[None], "why") == 0
    assert len(np.unique(units.find(np.concatenate([a, b])))) == 5 and not units.why


def test_grids_side_by_side_are_blocks(units):
    a, b = units.fresh(4), units.fresh(4)
    x = np.concatenate([np.repeat(a[:2], 2), np.repeat(a[2:], 2)])
    y = np.concatenate([np.tile(b[:2], 2), np.tile(b[2:], 2)])
    before = units.size
    units.relate(x, y, "why")
    assert units.size == before + 2 and not units.why


def test_what_meets_crookedly_is_fixed_with_the_reason(units):
    a, b = units.fresh(2), units.fresh(2)
    units.relate(np.array([a[0], a[0], a[1]]), np.array([b[0], b[1], b[0]]), "crooked")
    assert set(units.why.values()) == {"crooked"} and (units.find(a) < 0).all()


@pytest.mark.parametrize(
    ("met", "why"),
    [
        (coordinates([3]), "meets coordinates that never move"),
        (coordinates([3], inputs=True), "inputs of the network"),
    ],
)
def test_units_that_meet_coordinates_one_by_one_are_fixed(units, met, why):
    a = units.fresh(3)
    assert units.relate(a, met, "not said") == -1
    assert units.find(a).tolist() == [FIXED - 1, FIXED - 2, FIXED - 3]
    assert set(units.why.values()) == {why}


def test_units_that_meet_several_coordinates_each_are_fixed_too(units):
    outer = units.fresh(2)
    assert units.relate(coordinates([4], inputs=True), np.repeat(outer, 2), "not said") == 1
    assert set(units.why.values()) == {"inputs of the network"} and len(units.why) == 2
