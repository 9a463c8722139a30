"""A symmetry as a whole: its groups, what is refused of them, and its elements."""

import math

import numpy as np
import pytest
import torch

from ridgeline.errors import StateMismatch, UnknownName, UsageError
from ridgeline.symmetry import Group, Place, Symmetry
from ridgeline.symmetry.scaling import Rescalable
from ridgeline.symmetry.symmetry import Fixed

INDEX = np.arange(3).reshape(1, 3, 1)
ONE = Group("one", (Place("w", 0, INDEX), Place("v", 1, INDEX)))
TWO = Group("two", (Place("w", 1, INDEX),))
SHAPES = {"w": (3, 3), "v": (2, 3), "x": (5,), "w2": (3, 3)}
MEMBER = Rescalable("two", "two", (1,))


def made(**more):
    options = {"scalings": (MEMBER,), "ties": {"w2": "w"}} | more
    return Symmetry((ONE, TWO), SHAPES, **options)


def state():
    torch.manual_seed(0)
    held = {"w": torch.rand(3, 3), "v": torch.rand(2, 3), "x": torch.rand(5)}
    return held | {"w2": held["w"]}


def test_groups_by_name():
    assert made().group("two") is TWO and made().named("one") is ONE
    for ask in (made().group, made().named):
        with pytest.raises(UnknownName, match=r"group.*'three'.*one, two"):
            ask("three")


def test_names_are_different():
    with pytest.raises(UsageError, match=r"bear different names\. Got one"):
        Symmetry((ONE, ONE), SHAPES)


@pytest.mark.parametrize(
    ("place", "error", "said"),
    [
        (Place("u", 0, INDEX), UnknownName, "'u'"),
        (Place("v", 2, INDEX), UsageError, r"axis 2 of 'v', shape \(2, 3\), position 2"),
        (Place("v", 0, INDEX), UsageError, r"'g': axis 0 of 'v', shape \(2, 3\), position 2"),
        (Place("v", -3, INDEX), UsageError, "axis -3"),
    ],
)
def test_places_lie_inside_their_tensors(place, error, said):
    with pytest.raises(error, match=said):
        Symmetry((Group("g", (place,)),), SHAPES)
    Symmetry((Group("g", (Place("v", -1, INDEX),)),), SHAPES)


def test_groups_are_left_out_or_kept_by_name():
    assert [g.name for g in made().without("two").groups] == ["one"]
    assert made().without("two").scalings == () and made().without("one").scalings == (MEMBER,)
    assert [g.name for g in made().only("two").groups] == ["two"]
    for ask in (made().without, made().only):
        with pytest.raises(UnknownName):
            ask("three")


def test_what_stands_inside_of_one_left_out_stands_by_itself():
    inner = Group("inner", (Place("x", 0, np.arange(3).reshape(3, 1, 1)),), "one")
    whole = Symmetry((ONE, inner), SHAPES)
    assert whole.without("one").groups[0].inside is None
    assert whole.without("inner").groups == (ONE,)


def test_elements_are_counted_in_logarithms():
    assert made(scalings=()).elements == pytest.approx(2 * math.log(6))
    assert made(scalings=()).only("one").elements == pytest.approx(math.log(6))


def test_the_share_that_groups_touch():
    assert made().covered() == pytest.approx(15 / 20)
    assert made().only("two").covered() == pytest.approx(9 / 20)


def test_the_identity_changes_nothing_and_elements_have_given_orders():
    held = state()
    assert all(x is held[n] for n, x in made().identity()(held).items())
    order = np.array([[2, 0, 1]])
    found = made().transform({"one": order})(held)
    assert torch.equal(found["w"], held["w"][[2, 0, 1]]) and found["w2"] is found["w"]
    with pytest.raises(UnknownName):
        made().transform({"three": order})


def test_random_elements_are_their_seeds_and_of_the_groups_asked_for():
    one = made()
    assert [a.group.name for a in one.random(0).actions] == ["one", "two"]
    assert [a.group.name for a in one.random(0, groups=["two"]).actions] == ["two"]
    assert [type(a).__name__ for a in one.random(0, groups=["two"], scalings=True).actions] == [
        "Permutation",
        "Scaling",
    ]
    drawn = [one.random(seed).orders()["one"].tolist() for seed in range(20)]
    assert drawn[0] == one.random(0).orders()["one"].tolist() and len({str(d) for d in drawn}) > 3
    with pytest.raises(UnknownName):
        one.random(0, groups=["three"])


def test_a_random_scaling_is_of_its_member():
    found = made().scaling(MEMBER, seed=1)
    assert [a.group.name for a in found.actions] == ["two"] and not found.permutes


def test_a_state_of_another_network_is_refused():
    one = made()
    one.check(state())
    with pytest.raises(StateMismatch, match="the symmetry and the state") as caught:
        one.check({"w": torch.rand(3, 3), "v": torch.rand(3, 3)})
    assert list(caught.value.missing) == ["x"] and caught.value.changed == {"v": ((2, 3), (3, 3))}
    assert "ridgeline.symmetries(model, example)" in caught.value.remedy


def test_tied_names_have_one_value():
    held = state()
    made().check({n: x for n, x in held.items() if n != "w2"})
    with pytest.raises(StateMismatch, match="tied to w -> another value"):
        made().check(held | {"w2": held["w"] + 1})


def test_words():
    assert (
        repr(made()) == "Symmetry(of one, two)" and repr(Symmetry((), {})) == "Symmetry(of nothing)"
    )
    text = str(made(fixed=(Fixed("x", 0, 5, "because"),)))
    assert text.startswith(
        "2 groups of 6 units, of order 10^1.6; the tensors that they touch hold 75%"
    )
    assert "  one: 3  w[0], v[1]" in text and "  two, positive factor: w[1]^1" in text
    assert text.endswith("left fixed:\n  because: x[0]")
