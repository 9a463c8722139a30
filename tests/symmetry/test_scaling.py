"""Scalings: each unit larger where it is made and smaller where it is used."""

import numpy as np
import pytest
import torch

from ridgeline.errors import UsageError
from ridgeline.symmetry import Group, Place
from ridgeline.symmetry.scaling import Rescalable, Scaling, multiplied


def group(fibres=1, size=2):
    index = np.arange(fibres * size).reshape(fibres, size, 1)
    return Group("g", (Place("made", 0, index), Place("used", 1, index)))


MEMBER = Rescalable("m", "g", (1, -1))


def test_units_are_multiplied_by_powers_and_the_product_stays():
    state = {"made": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "used": torch.ones(3, 2)}
    found = Scaling(group(), MEMBER, np.array([[2.0, 4.0]])).changed(state)
    assert found["made"].tolist() == [[2, 4], [12, 16]]
    assert found["used"].tolist() == [[0.5, 0.25]] * 3
    assert torch.equal(found["used"] @ found["made"], state["used"] @ state["made"])
    assert state["made"][0, 0] == 1


def test_the_inverse_undoes_and_a_power_of_zero_leaves_alone():
    state = {"made": torch.rand(2, 2), "used": torch.rand(3, 2)}
    one = Scaling(group(), MEMBER, np.array([[2.0, 4.0]]))
    back = one.inverse().changed(one.changed(state))
    assert all(torch.equal(back[n], state[n]) for n in state)
    half = Scaling(group(), Rescalable("m", "g", (2, 0)), np.array([[2.0, 1.0]]))
    assert list(half.changed(state)) == ["made"]
    assert torch.equal(half.changed(state)["made"][0], 4 * state["made"][0])


def test_a_place_on_two_axes_is_multiplied_twice():
    index = np.arange(2).reshape(1, 2, 1)
    both = Group("g", (Place("w", 0, index), Place("w", 1, index)))
    found = Scaling(both, MEMBER, np.array([[2.0, 1.0]])).changed({"w": torch.ones(2, 2)})
    assert found["w"].tolist() == [[1, 2], [0.5, 1]]


def test_fibres_in_rows_of_their_own():
    rows = np.array([[0], [1]])
    place = Place("w", 1, np.array([[[0], [1]], [[0], [1]]]), within=(0, rows))
    found = multiplied(torch.ones(2, 3), place, np.array([[2.0, 3.0], [5.0, 7.0]]))
    assert found.tolist() == [[2, 3, 1], [5, 7, 1]]


@pytest.mark.parametrize(
    ("member", "factors", "said"),
    [
        (MEMBER, [2.0, 3.0], r"a factor for each of 1 x 2 units\. Got shape \(2,\)"),
        (MEMBER, [[2.0, 0.0]], r"finite and not zero\. Got m"),
        (MEMBER, [[2.0, np.inf]], r"finite and not zero\. Got m"),
        (Rescalable("m", "g", (1,)), [[2.0, 3.0]], r"a power for each place.* 1 powers, 2 places"),
    ],
)
def test_factors_that_do_not_fit_are_refused(member, factors, said):
    with pytest.raises(UsageError, match=said):
        Scaling(group(), member, np.array(factors))


def test_a_scaling_changes_something():
    with pytest.raises(UsageError, match=r"at least one place\. Got 'm', none"):
        Rescalable("m", "g", (0, 0))


def test_random_factors_lie_between_a_half_and_two_and_are_their_seeds():
    of = group(1, 200)
    found = MEMBER.random(of, 1).factors
    assert (found > 0.5).all() and (found < 2).all() and found.min() < 0.6 and found.max() > 1.8
    assert np.array_equal(found, MEMBER.random(of, 1).factors)
    assert not np.array_equal(found, MEMBER.random(of, 2).factors)
    assert np.log2(MEMBER.random(of, 1, 3.0).factors).max() > 2


def test_random_signs():
    found = Rescalable("m", "g", (1, 1), signs=True).random(group(1, 200), 1).factors
    assert set(found.ravel()) == {-1.0, 1.0} and abs(found.mean()) < 0.3


def test_a_proof_tries_factors_away_from_one():
    found = MEMBER.moving(group(1, 200), 1).factors
    size = np.abs(np.log2(found))
    assert (
        (size >= 0.25).all() and (size <= 1).all() and {*np.sign(np.log2(found)).ravel()} == {-1, 1}
    )


@pytest.mark.parametrize("size", [1, 2, 5, 6])
def test_a_proof_flips_an_odd_number_of_signs_in_each_fibre(size):
    member = Rescalable("m", "g", (1, 1), signs=True)
    for seed in range(8):
        found = member.moving(group(3, size), seed).factors
        assert ((found < 0).sum(1) % 2 == 1).all()


def test_a_proof_may_move_some_fibres_alone():
    found = MEMBER.moving(group(3, 2), 1, fibres=np.array([True, False, True])).factors
    assert (found[1] == 1).all() and (found[[0, 2]] != 1).all()
