"""Elements of a symmetry: acting, undoing, composing."""

import numpy as np
import pytest
import torch

from ridgeline.errors import StateMismatch, UsageError
from ridgeline.symmetry import Group, Permutation, Place, Scaling, Transform
from ridgeline.symmetry.scaling import Rescalable

INDEX = np.arange(3).reshape(1, 3, 1)
ONE = Group("one", (Place("w", 0, INDEX), Place("v", 1, INDEX)))
TWO = Group("two", (Place("w", 1, INDEX),))
STATE = {
    "w": torch.arange(9.0).reshape(3, 3),
    "v": torch.arange(6.0).reshape(2, 3),
    "x": torch.ones(1),
}


def order(*units):
    return np.array([units])


def element(*actions, ties=None):
    return Transform(actions, ties or {})


def test_units_are_put_into_another_order_wherever_they_stand():
    found = element(Permutation(ONE, order(2, 0, 1)))(STATE)
    assert torch.equal(found["w"], STATE["w"][[2, 0, 1]])
    assert torch.equal(found["v"], STATE["v"][:, [2, 0, 1]]) and found["x"] is STATE["x"]
    assert torch.equal(STATE["w"], torch.arange(9.0).reshape(3, 3))


def test_two_groups_of_one_tensor_and_the_way_back():
    both = element(Permutation(ONE, order(2, 0, 1)), Permutation(TWO, order(1, 0, 2)))
    found = both(STATE)
    assert torch.equal(found["w"], STATE["w"][[2, 0, 1]][:, [1, 0, 2]])
    back = both.inverse()(found)
    assert all(torch.equal(back[n], STATE[n]) for n in STATE)


def test_one_after_the_other_is_the_product():
    g, h = (element(Permutation(ONE, order(*o))) for o in ((1, 2, 0), (0, 2, 1)))
    assert torch.equal((g @ h)(STATE)["w"], g(h(STATE))["w"])
    assert (g @ h).orders()["one"].tolist() == [np.array([0, 2, 1])[[1, 2, 0]].tolist()]


def test_other_actions_stand_in_their_turn():
    member = Rescalable("m", "one", (1, -1))
    scaled = Scaling(ONE, member, np.array([[2.0, 1.0, 1.0]]))
    first = element(scaled, Permutation(ONE, order(1, 0, 2)))(STATE)
    last = element(Permutation(ONE, order(1, 0, 2)), scaled)(STATE)
    assert torch.equal(first["w"][1], 2 * STATE["w"][0]) and torch.equal(
        first["w"][0], STATE["w"][1]
    )
    assert torch.equal(last["w"][0], 2 * STATE["w"][1]) and torch.equal(last["w"][1], STATE["w"][0])


def test_in_place_is_the_same_and_for_permutations_alone():
    both = element(Permutation(ONE, order(2, 0, 1)), Permutation(TWO, order(1, 0, 2)))
    own = {n: x.clone() for n, x in STATE.items()}
    both.in_place(own)
    assert all(torch.equal(own[n], both(STATE)[n]) for n in own) and both.permutes
    scaled = element(Scaling(ONE, Rescalable("m", "one", (1, -1)), np.ones((1, 3)) * 2))
    assert not scaled.permutes
    with pytest.raises(UsageError, match=r"Permutations alone are done in place\. Got another"):
        scaled.in_place(own)


def test_tied_names_stay_one_tensor():
    w = STATE["w"]
    found = element(Permutation(ONE, order(2, 0, 1)), ties={"w2": "w"})(STATE | {"w2": w})
    assert found["w2"] is found["w"]


def test_a_state_without_its_tensors_is_refused():
    with pytest.raises(StateMismatch, match="the symmetry and the state must") as caught:
        element(Permutation(ONE, order(2, 0, 1)))({"w": STATE["w"]})
    assert caught.value.missing == {"v": "of the symmetry"}


def test_units_that_moved_are_counted():
    one = Permutation(ONE, order(1, 0, 2))
    assert one.moved == 2 and element(one).moved == {"one": 2}
    assert element(one, one).moved == {"one": 0} and element().orders() == {}
    assert Permutation(ONE, order(0, 1, 2)).moved == 0


def test_an_order_of_another_size_is_refused():
    with pytest.raises(UsageError):
        Permutation(ONE, order(0, 1))
    with pytest.raises(UsageError):
        Permutation(ONE, order(0, 0, 1))


def test_compositions_inside_of_others_need_the_symmetry():
    inner = Group("inner", (Place("u", 0, np.arange(6).reshape(3, 2, 1)),), "one")
    first = Permutation(inner, np.tile([1, 0], (3, 1)))
    outer = Permutation(ONE, order(2, 0, 1))
    assert list(element(first, outer).orders()) == ["inner", "one"]
    with pytest.raises(UsageError, match="Orders of a composition need the symmetry") as caught:
        element(outer, first).orders()
    assert caught.value.got == "2 permutations, of 'inner' among others"
    assert "orders_of(transform, symmetry)" in caught.value.remedy
    with pytest.raises(UsageError):
        element(first, first).orders()
