"""Permutations composed before they move anything, against one after another."""

import numpy as np
import pytest
import torch

from ridgeline.errors import UsageError
from ridgeline.symmetry import permuting
from ridgeline.symmetry.mixing import Mixing
from ridgeline.symmetry.transform import Transform
from wreaths import CASES, drawn

KINDS = list(CASES)


def one_by_one(element, state):
    """Each place of each action on its own."""
    found = dict(state)
    for action in element.actions:
        for place in action.group.places:
            found[place.tensor] = place.permute(found[place.tensor], action.order)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunk", [4, 1 << 18])
def test_a_transform_gives_what_its_permutations_give_one_by_one(kind, chunk, monkeypatch):
    monkeypatch.setattr(permuting, "CHUNK", chunk)
    symmetry, shapes = CASES[kind]()
    state = drawn(shapes, 0)
    element = symmetry.random(1) @ symmetry.random(2).inverse() @ symmetry.random(3)
    wanted = one_by_one(element, state)
    found = element(state)
    own = {n: x.clone() for n, x in state.items()}
    element.in_place(own)
    for n, x in wanted.items():
        assert torch.equal(found[n], x)
        assert torch.equal(own[n], x)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_in_place_means_in_the_same_memory(axis, monkeypatch):
    monkeypatch.setattr(permuting, "CHUNK", 8)
    x = torch.randn(6, 5, 4)
    place = permuting.Place("x", axis, np.arange(x.shape[axis]).reshape(1, -1, 1))
    order = np.arange(x.shape[axis])[None, ::-1].copy()
    wanted = x.flip(axis)
    assert permuting.moved_in_place(x, [(place, order)]).data_ptr() == x.data_ptr()
    assert torch.equal(x, wanted)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_few_positions_that_move_are_moved_in_place(axis, monkeypatch):
    monkeypatch.setattr(permuting, "CHUNK", 8)
    x = torch.randn(18, 17, 16)
    place = permuting.Place("x", axis, np.arange(x.shape[axis]).reshape(1, -1, 1))
    order = np.arange(x.shape[axis])
    order[[3, 7]] = 7, 3
    wanted, memory = x.index_select(axis, torch.from_numpy(order)), x.data_ptr()
    assert torch.equal(permuting.moved_in_place(x, [(place, order[None])]), wanted)
    assert x.data_ptr() == memory


def test_what_was_carried_is_left_as_it_was():
    symmetry, shapes = CASES[KINDS[0]]()
    state = drawn(shapes, 0)
    before = {n: x.clone() for n, x in state.items()}
    symmetry.random(1)(state)
    assert all(torch.equal(state[n], x) for n, x in before.items())


def test_what_does_more_than_permute_is_not_done_in_place():
    symmetry, shapes = CASES[KINDS[0]]()
    group = symmetry.groups[0]
    turned = Mixing(group, (1,) * len(group.places), torch.eye(group.size).double()[None])
    with pytest.raises(UsageError, match="Permutations alone"):
        Transform((turned,), {}).in_place(drawn(shapes, 0))
