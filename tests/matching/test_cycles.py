"""Maps found pair by pair, and how far they are from agreeing around cycles."""

import numpy as np
import pytest

from planted import planted
from ridgeline.errors import UsageError
from ridgeline.matching.cycles import cycle_error, pairwise
from ridgeline.symmetry import Group, Permutation, Place, Symmetry, Transform

GROUP = Group("g", (Place("w", 0, np.arange(3).reshape(1, 3, 1)),))
SYMMETRY = Symmetry((GROUP,), {"w": (3, 2)})


def order(*units):
    return Transform((Permutation(GROUP, np.array([units])),), {})


STILL, SWAP, TURN = order(0, 1, 2), order(1, 0, 2), order(1, 2, 0)


def maps(ab, bc, ca):
    return {(0, 1): ab, (1, 2): bc, (2, 0): ca}


def test_maps_that_compose_have_no_error():
    found = cycle_error(maps(TURN, TURN, TURN), SYMMETRY)
    assert (found.mean, found.largest, found.moved) == (0.0, 0.0, 0.0)
    assert found.cycles == {(0, 1, 2): 0.0}


def test_units_astray_are_counted():
    found = cycle_error(maps(SWAP, STILL, STILL), SYMMETRY)
    assert found.mean == found.largest == 2.0 and found.moved == pytest.approx(2 / 3)
    assert cycle_error(maps(TURN, STILL, STILL), SYMMETRY).mean == pytest.approx(6**0.5)


def test_each_cycle_is_taken_once_in_both_directions():
    both = maps(SWAP, STILL, STILL) | {(1, 0): STILL, (2, 1): STILL, (0, 2): STILL}
    found = cycle_error(both, SYMMETRY)
    assert found.cycles == {(0, 1, 2): 2.0, (0, 2, 1): 0.0}
    assert (found.mean, found.largest, found.moved) == (1.0, 2.0, pytest.approx(1 / 3))


def test_cycles_may_be_named_and_all_maps_must_be_there():
    found = cycle_error(maps(SWAP, STILL, STILL), SYMMETRY, cycles=[(1, 2, 0)])
    assert list(found.cycles) == [(1, 2, 0)]
    with pytest.raises(UsageError, match=r"Every map of a cycle is given\. Got no map \(0, 2\)"):
        cycle_error(maps(SWAP, STILL, STILL), SYMMETRY, cycles=[(0, 2, 1)])
    with pytest.raises(UsageError, match="A cycle is of three networks") as caught:
        cycle_error({(0, 1): SWAP}, SYMMETRY)
    assert caught.value.got == "1 maps without a cycle"


def test_pairs_are_matched_and_the_way_back_is_the_inverse():
    _, symmetry, _, moved, _ = planted(copies=3)
    found = pairwise(moved, symmetry)
    assert sorted(found) == [(a, b) for a in range(3) for b in range(3) if a != b]
    state = moved[0]
    there_and_back = found[0, 1](found[1, 0](state))
    assert all((there_and_back[n] == x).all() for n, x in state.items())
    assert cycle_error(found, symmetry).mean == 0
