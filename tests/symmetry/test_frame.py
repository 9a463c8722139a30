"""Orders with outer groups first and transforms with inner groups first are the same elements."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgeline.errors import UnknownName, UsageError
from ridgeline.symmetry import Transform
from ridgeline.symmetry.frame import act, children, compose, framed, identities, orders_of
from wreaths import CASES, drawn, heads


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(list(CASES)), st.lists(st.integers(0, 999), min_size=1, max_size=4))
def test_law_any_composition_is_one_element(case, seeds):
    symmetry, shapes = CASES[case]()
    b = drawn(shapes, 0)
    g = symmetry.identity()
    for i, seed in enumerate(seeds):
        h = symmetry.random(seed)
        g = (h.inverse() if i % 2 else h) @ g
    wanted = g(b)
    for same in (
        compose(framed(g, symmetry), symmetry),
        symmetry.transform(orders_of(g, symmetry)),
    ):
        found = same(b)
        assert all(torch.equal(found[n], wanted[n]) for n in b)


@pytest.mark.parametrize("case", list(CASES))
def test_in_the_frame_outer_groups_act_first(case):
    symmetry, shapes = CASES[case]()
    b = drawn(shapes, 0)
    orders = framed(symmetry.random(3), symmetry)
    x = dict(b)
    for g in reversed(symmetry.groups):
        x.update(g.permute(x, orders[g.name]))
    found = compose(orders, symmetry)(b)
    assert all(torch.equal(found[n], x[n]) for n in b)


@pytest.mark.parametrize("case", list(CASES))
def test_an_action_last_of_all_is_that_of_the_group(case):
    symmetry, shapes = CASES[case]()
    b = drawn(shapes, 0)
    orders = framed(symmetry.random(3), symmetry)
    for action in symmetry.random(4).actions:
        after = act(orders, action.group.name, action.order, children(symmetry.groups))
        wanted = compose(orders, symmetry)(b)
        wanted.update(action.changed(wanted))
        found = compose(after, symmetry)(b)
        assert all(torch.equal(found[n], wanted[n]) for n in b)


def test_what_is_no_permutation_of_the_groups_is_refused():
    symmetry, _ = heads()

    class Flip:
        group = symmetry.groups[0]

    with pytest.raises(UsageError, match="starts from permutations"):
        framed(Transform((Flip(),), {}), symmetry)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(UnknownName, match="group"):
        framed(symmetry.random(0), symmetry.only("heads"))
    assert set(identities(symmetry)) == {"qk", "vo", "heads"}


@pytest.mark.parametrize("case", list(CASES))
def test_the_orders_of_a_composition_do_what_it_does(case):
    symmetry, shapes = CASES[case]()
    b = drawn(shapes, 0)
    g = symmetry.random(1) @ symmetry.random(2)
    found = symmetry.transform(orders_of(g, symmetry))(b)
    assert all(torch.equal(found[n], x) for n, x in g(b).items())
    one = symmetry.random(3)
    assert all((one.orders()[n] == o).all() for n, o in orders_of(one, symmetry).items())


def test_orders_of_units_inside_of_units_are_asked_with_the_symmetry():
    symmetry, _ = heads()
    g = symmetry.random(1) @ symmetry.random(2)
    for ask in (g.orders, lambda: g.moved):
        with pytest.raises(UsageError, match="orders_of"):
            ask()
    back = g @ g.inverse()
    assert all((o == symmetry.group(n).identity()).all()
               for n, o in orders_of(back, symmetry).items())  # fmt: skip
