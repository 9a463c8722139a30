"""The layer that each bias belongs to, counted from the input."""

import pytest
import torch
from torch import nn

from ridgeline.errors import NoLayerIndex
from ridgeline.graph.layers import layer_index

X = torch.ones(2, 3)


class Own(nn.Module):
    def __init__(self, work):
        super().__init__()
        self.a, self.b, self.c = (nn.Linear(3, 3) for _ in "abc")
        self.shift, self.work = nn.Parameter(torch.ones(3)), work

    def forward(self, x):
        return self.work(self, x)


def index(work, x=X):
    return layer_index(Own(work), x)


def test_layers_are_counted_from_one():
    found = index(lambda m, x: m.c(m.b(m.a(x).relu()).relu()))
    assert found == {"a.bias": 1, "b.bias": 2, "c.bias": 3}


def test_equal_depths_may_be_added_or_joined():
    assert index(lambda m, x: m.c(m.a(x) + m.b(x))) == {"a.bias": 1, "b.bias": 1, "c.bias": 2}
    assert index(lambda m, x: torch.cat([m.a(x), m.b(x)]))["b.bias"] == 1


def test_a_shift_belongs_to_the_layer_before_it():
    assert index(lambda m, x: m.b(m.a(x) + m.shift))["shift"] == 1


def test_an_embedding_is_the_first_layer():
    model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 2))
    assert layer_index(model, torch.zeros(2, 3).long()) == {"1.bias": 2}


def test_what_is_done_to_the_input_alone_does_not_count():
    assert index(lambda m, x: m.a(x.sin()))["a.bias"] == 1


@pytest.mark.parametrize(
    ("work", "why"),
    [
        (lambda m, x: m.b(m.a(x)) + m.a(x), "values of indices [1, 2] meet at operation 'add'"),
        (lambda m, x: m.a(x) + x, "values of indices [0, 1] meet at operation 'add'"),
        (lambda m, x: m.a(x).softmax(-1), "an operation that is not homogeneous at operation"),
        (lambda m, x: m.a(x) * m.shift, "an operation that is not homogeneous at operation 'mul'"),
    ],
)
def test_without_a_single_index_the_operation_is_named(work, why):
    with pytest.raises(NoLayerIndex, match="with a single layer index") as caught:
        index(work)
    assert caught.value.got.startswith(why)
    assert caught.value.remedy == "Give the rates yourself: rates={'fc1.bias': Power(1), ...}."
