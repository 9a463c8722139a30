"""Finding the state inside what was saved."""

from collections import OrderedDict

import pytest
import torch

from ridgeline.errors import CheckpointError, UnknownName
from ridgeline.io.nesting import KEYS, ambiguous, find, same_state, same_tensor

STATE = {"w": torch.ones(2), "b": torch.zeros(1)}


@pytest.mark.parametrize("key", KEYS)
def test_every_usual_place_is_known(key):
    assert list(find({"epoch": 3, key: STATE}, where="f")) == [key]


def test_places_are_nested_and_stand_in_a_fixed_order():
    tree = {"ema": STATE, "model": {"state_dict": STATE, "other": 1}, "best": STATE}
    assert list(find(tree, where="f")) == ["model.state_dict", "ema"]


def test_a_bare_state_has_no_place_and_an_unusual_one_is_found_alone():
    assert list(find(STATE, where="f")) == [""]
    assert list(find({"best": STATE, "n": 1}, where="f")) == ["best"]


@pytest.mark.parametrize(
    ("tree", "key"),
    [
        ({"a": {"b": STATE}}, "a.b"),
        ({"a.b": STATE}, "a.b"),
        ({"model": {"net.w": STATE["w"], "net.b": STATE["b"], "head.w": STATE["w"]}}, "net"),
        ({"model": {"net.w": STATE["w"], "net.b": STATE["b"]}}, "model.net"),
        ({"net.w": STATE["w"], "net.b": STATE["b"], "x": STATE["b"]}, "net"),
    ],
)
def test_a_place_that_is_named(tree, key):
    found = find(tree, key=key, where="f")
    assert list(found) == [key] and list(found[key]) == ["w", "b"]


def test_a_place_that_is_not_there_lists_those_that_are():
    with pytest.raises(UnknownName, match=r"place in f.*'best'.*model, ema"):
        find({"model": STATE, "ema": STATE, "n": 1}, key="best", where="f")
    with pytest.raises(UnknownName, match="The checkpoint is not nested: leave key out"):
        find(STATE, key="model", where="f")


@pytest.mark.parametrize(
    ("tree", "got"),
    [
        ({"epoch": 3, "lr": 0.1}, "a dict with epoch (int), lr (float) in f"),
        ({}, "a dict with nothing in f"),
        (7, "int in f"),
    ],
)
def test_a_file_without_a_state_says_what_it_holds(tree, got):
    with pytest.raises(CheckpointError, match="must hold a state") as caught:
        find(tree, where="f")
    assert caught.value.got == got
    assert "under one of state_dict, model_state_dict, model, module" in caught.value.remedy


def test_packed_weights_are_told_by_their_name():
    with pytest.raises(CheckpointError, match="quantised and packed"):
        find({"fc._packed_params": (1, 2)}, where="f")


def test_a_place_that_holds_no_state_is_named():
    with pytest.raises(CheckpointError, match=r"Got int in 'epoch' in f"):
        find({"epoch": 3, "model": STATE}, key="epoch", where="f")


def test_gradients_versions_and_extra_state_are_taken_apart():
    given = OrderedDict(w=torch.nn.Parameter(torch.ones(1)), **{"l._extra_state": {"a": 1}})
    given._metadata = {"": {"version": 1}}
    found = find(given, where="f")[""]
    assert list(found) == ["w"] and not found["w"].requires_grad
    assert found.extras == {"l._extra_state": {"a": 1}} and found.versions == {"": {"version": 1}}


def test_names_that_share_memory_share_one_tensor():
    x = torch.ones(2)
    found = find({"a": x, "b": x.view(2), "c": torch.ones(2)}, where="f")[""]
    assert found["a"] is found["b"] is not found["c"]


def test_tensors_without_numbers_are_named_with_their_file():
    with pytest.raises(CheckpointError, match="dense and hold numbers") as caught:
        find({"w": torch.eye(2).to_sparse()}, where="f")
    assert caught.value.got.startswith("w in f, torch.sparse_coo")


def test_several_states_are_told_with_their_sizes():
    error = ambiguous({"model": STATE, "ema": STATE}, "f.pt", "which differ")
    assert error.got == "f.pt with model (2 tensors), ema (2 tensors), which differ"
    assert error.remedy == "Choose one: key='model', or f.pt:model on the command line."


def test_tensors_are_the_same_to_the_bit():
    nan, zero = torch.tensor([torch.nan]), torch.tensor([0.0])
    assert same_tensor(nan, nan.clone()) and not same_tensor(zero, -zero)
    assert not same_tensor(zero, zero.double()) and not same_tensor(zero, zero[None])
    assert same_state(STATE, {n: x.clone() for n, x in reversed(STATE.items())})
    assert not same_state(STATE, {"w": STATE["w"]}) and not same_state(
        STATE, STATE | {"b": STATE["b"] + 1}
    )
