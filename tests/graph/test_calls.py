"""Calls of a model, and what its batches are made of."""

from collections import OrderedDict, UserDict
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from ridgeline.errors import NotTraceable
from ridgeline.graph.calls import call, check_outputs, flatten, take_apart, unpacked, whole

X, Z = torch.ones(2), torch.zeros(3)


class Giving(nn.Module):
    """Gives what it is told to, and remembers how it was called."""

    def __init__(self, outputs=None):
        super().__init__()
        self.outputs = outputs

    def forward(self, *args, **kwargs):
        self.asked = args, kwargs
        return self.outputs


@pytest.mark.parametrize(
    ("inputs", "asked"),
    [(X, ((X,), {})), ((X, Z), ((X, Z), {})), ({"a": X}, ((), {"a": X})), ([X], (([X],), {}))],
)
def test_a_dict_goes_by_keywords_and_a_tuple_by_position(inputs, asked):
    model = Giving()
    whole(model, inputs)
    assert str(model.asked) == str(asked)


@pytest.mark.parametrize(
    ("outputs", "want"),
    [
        (X, X),
        ({"logits": X, "loss": Z}, X),
        (OrderedDict(logits=X), X),
        ((X, Z), X),
        (SimpleNamespace(logits=X), X),
    ],
)
def test_outputs_are_the_logits_or_the_first(outputs, want):
    assert call(Giving(outputs), Z) is want


def test_a_mapping_without_logits_is_itself():
    given = {"a": X}
    assert call(Giving(given), Z) is given and call(Giving([X]), Z) == [X]


@pytest.mark.parametrize("said", ["unexpected keyword argument", "missing 1 positional argument"])
def test_what_was_taken_apart_is_told_to_be_given_whole(said):
    told = unpacked(TypeError(f"f() {said} 'a'"), {"a": X})
    assert "`forward=lambda model, example: model(example)`" in told
    assert unpacked(TypeError(said), (X,)) and unpacked(TypeError(said), X) == ""
    assert unpacked(ValueError(said), (X,)) == "" and unpacked(TypeError("other"), (X,)) == ""


def test_tensors_of_a_batch_in_order_and_others_in_their_place():
    data = {"a": (X, 3), "b": [Z, None, "word"]}
    assert [x is y for x, y in zip(flatten(data), (X, Z), strict=True)] == [True, True]
    tensors, rebuild = take_apart(data)
    assert tensors[0] is X and tensors[1] is Z
    made = rebuild([1.0, 2.0])
    assert made == {"a": (1.0, 3), "b": [2.0, None, "word"]}
    assert data["a"][0] is X


@pytest.mark.parametrize(
    ("given", "got", "remedy"),
    [
        (np.ones(2), "ndarray", "Make a tensor of it: torch.from_numpy(x)."),
        (UserDict(a=X), "UserDict", "Make a dict of it: dict(example)."),
        (SimpleNamespace(), "SimpleNamespace", "Give its tensors, and `forward=`"),
    ],
)
def test_what_an_example_is_not_made_of_is_told_what_to_do(given, got, remedy):
    with pytest.raises(NotTraceable, match="An example is made of tensors") as caught:
        take_apart([X, given])
    assert caught.value.got == got and caught.value.remedy.startswith(remedy)


def test_outputs_that_cannot_be_looked_into_are_refused():
    check_outputs({"a": [X, None, 1, "word"]})
    with pytest.raises(NotTraceable, match="outputs of a network are tensors") as caught:
        check_outputs([X, SimpleNamespace(logits=X)])
    assert caught.value.got == "SimpleNamespace" and "model(x).logits" in caught.value.remedy
