"""Copies of a module, and the names that its tensors go by."""

import threading

import pytest
import torch
from torch import nn

from ridgeline.errors import UsageError
from ridgeline.graph.copies import duplicate, named_tensors, places, private_copy


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(2, 2), nn.Linear(2, 2)
        self.two.weight = self.one.weight
        self.register_buffer("kept", torch.zeros(1))
        self.register_buffer("fleeting", torch.zeros(1), persistent=False)
        self.cache = [1]


def test_a_private_copy_shares_parameters_and_kept_buffers_alone():
    model = Tied()
    made = private_copy(model)
    assert made.one.weight is model.one.weight is made.two.weight and made.kept is model.kept
    assert made.fleeting is not model.fleeting and made.cache is not model.cache


def test_a_duplicate_shares_nothing_and_keeps_ties_and_mode():
    model = Tied().eval()
    made = duplicate(model)
    assert made.one.weight is made.two.weight is not model.one.weight and not made.training
    assert torch.equal(made.one.weight, model.one.weight) and made.kept is not model.kept


@pytest.mark.parametrize("copied", [private_copy, duplicate])
def test_locks_are_shared_and_computed_tensors_are_values(copied):
    model = nn.Linear(2, 2)
    model.lock, model.again = threading.Lock(), threading.RLock()
    model.norm = [model.weight * 2]
    made = copied(model)
    assert made.lock is model.lock and made.again is model.again
    assert torch.equal(made.norm[0], model.norm[0]) and not made.norm[0].requires_grad


def test_a_lazy_module_is_told_to_see_data():
    with pytest.raises(UsageError, match="shapes of a network's tensors must be known") as caught:
        private_copy(nn.Sequential(nn.LazyLinear(2)))
    assert caught.value.got == "0.weight, of a lazy module that has not seen data"
    assert caught.value.remedy == "Call the model with one batch first: model(example)."


class Stubborn:
    def __deepcopy__(self, memo):
        raise RuntimeError("not me\nsecond line")


@pytest.mark.parametrize("deep", [False, True])
def test_what_cannot_be_copied_is_named_with_its_module(deep):
    model = nn.Sequential(nn.Linear(2, 2))
    (model[0] if deep else model).held = Stubborn()
    with pytest.raises(UsageError, match="A network is copied before it is evaluated") as caught:
        private_copy(model)
    name = "0.held" if deep else "held"
    assert caught.value.got == f"{name}, which cannot be copied (RuntimeError: not me)"
    assert "`__deepcopy__`" in caught.value.remedy


def test_tensors_go_by_their_first_name_without_fleeting_buffers():
    found = named_tensors(Tied())
    assert list(found) == ["one.weight", "one.bias", "two.bias", "kept"]
    assert not any(x.requires_grad for x in found.values())


def test_every_place_of_a_tensor_is_known_by_its_first_name():
    found = places(Tied())
    assert found["one.weight"] == ["one.weight", "two.weight"]
    assert found["fleeting"] == ["fleeting"] and found["two.bias"] == ["two.bias"]


def test_a_part_that_was_compiled_is_as_it_was_written():
    model = nn.Sequential(torch.compile(nn.Linear(2, 2), backend="eager"), nn.ReLU())
    made = private_copy(model)
    x = torch.ones(1, 2)
    assert list(made.state_dict()) == ["0._orig_mod.weight", "0._orig_mod.bias"]
    assert torch.equal(made(x), model[0]._orig_mod(x).relu())
    assert made[0].in_features == 2
    with pytest.raises(AttributeError):
        _ = made[0].nothing


def test_a_compiled_whole_too():
    made = private_copy(torch.compile(nn.Linear(2, 2), backend="eager"))
    assert type(made).__name__ == "_Eager" and next(iter(made.state_dict())) == "_orig_mod.weight"
