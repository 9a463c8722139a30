"""What a transform did to the units of each group, in words."""

import numpy as np
import pytest
import torch

from ridgeline.matching.moved import Moved, moved_by
from ridgeline.symmetry import Group, Mixing, Permutation, Place, Scaling, Symmetry, Transform
from ridgeline.symmetry.scaling import Rescalable

INDEX = np.arange(4).reshape(1, 4, 1)
GROUP = Group("g", (Place("w", 0, INDEX), Place("v", 1, INDEX)))
SYMMETRY = Symmetry((GROUP,), {"w": (4, 2), "v": (2, 4)})
MEMBER = Rescalable("m", "g", (1, -1))


def told(*actions):
    return moved_by(Transform(actions, {}), SYMMETRY)


def permutation(*units):
    return Permutation(GROUP, np.array([units]))


def scaling(*factors):
    return Scaling(GROUP, MEMBER, np.array([factors]))


def test_the_share_of_units_that_are_put_elsewhere():
    assert told(permutation(1, 0, 2, 3))["g"] == Moved(0.5, ())
    assert told(permutation(0, 1, 2, 3))["g"] == Moved(0.0, ())
    assert not told()["g"] and moved_by(None, SYMMETRY) == {}


def test_two_permutations_that_undo_each_other_moved_nothing():
    there = permutation(1, 2, 3, 0)
    assert told(there, there.inverse())["g"].share == 0


@pytest.mark.parametrize(
    ("factors", "how"),
    [((2, 1, 1, 1), ("scaled",)), ((-1, 1, 1, 1), ("sign-flipped",)), ((1, 1, 1, 1), ()),
     ((-2, 1, 1, 1), ("scaled", "sign-flipped"))],
)  # fmt: skip
def test_scalings_and_signs_are_told_apart(factors, how):
    found = told(scaling(*factors))["g"]
    assert found.how == how and found.share == 0


def mixing(matrix):
    return Mixing(GROUP, (1, -1), torch.tensor(matrix, dtype=torch.float64)[None])


def test_rotations_and_other_mixings_are_told_apart():
    turn = np.eye(4)
    turn[:2, :2] = [[0, -1], [1, 0]]
    shear = np.eye(4)
    shear[0, 1] = 1
    assert told(mixing(turn))["g"].how == ("rotated",)
    assert told(mixing(shear))["g"].how == ("mixed",)
    assert told(mixing(turn), mixing(shear))["g"].how == ("mixed",)
    assert told(mixing(np.eye(4)))["g"].how == ()


def test_what_was_done_in_words():
    assert str(Moved(0.5)) == "50% of its units moved" and str(Moved()) == "0% of its units moved"
    assert str(Moved(0.25, ("scaled",))) == "25% of its units moved, scaled"
    assert str(Moved(0.0, ("scaled", "mixed"))) == "scaled, mixed"
    assert not Moved() and Moved(0.1) and Moved(how=("scaled",))
    assert Moved(0.5, ("scaled",)).summary() == {"share": 0.5, "how": ["scaled"]}
