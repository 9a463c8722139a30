"""A network read as a chain of weight layers, and what is no such chain refused in words."""

import pytest
import torch
from torch import nn

from ridgeline.errors import NoLayerIndex
from ridgeline.theory.chain import read_chain


def test_layers_come_in_order_with_their_weights_and_biases():
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3, bias=True)
    )
    chain = read_chain(net, torch.randn(2, 1, 4, 4))
    assert [(k.weight, k.bias, k.operation) for k in chain.layers] == [
        ("0.weight", None, "conv2d"),
        ("3.weight", "3.bias", "linear"),
    ]
    assert chain.depth == 2
    assert chain.bias == "3.bias"


def test_a_tensor_added_after_a_layer_is_its_bias():
    class Added(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 3, bias=False)
            self.shift = nn.Parameter(torch.zeros(3))

        def forward(self, x):
            return self.inner(x) + self.shift

    (layer,) = read_chain(Added(), torch.randn(2, 4)).layers
    assert layer.bias == "shift"


@pytest.mark.parametrize("kind", ["weight", "bias"])
def test_a_tensor_that_no_state_holds_is_refused_in_words(kind):
    class Fixed(nn.Linear):
        def forward(self, x):
            given = {"weight": self.weight, "bias": self.bias}
            given[kind] = torch.ones(given[kind].shape)
            return nn.functional.linear(x, **given)

    with pytest.raises(NoLayerIndex, match="not a tensor of the state"):
        read_chain(Fixed(4, 3), torch.randn(2, 4))


def test_biases_before_the_last_layer_are_named():
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    with pytest.raises(NoLayerIndex, match=r"0\.bias too"):
        _ = read_chain(net, torch.randn(2, 4)).bias


def test_overlapping_windows_are_named_as_stretching():
    def net(stride):
        return nn.Sequential(
            nn.Conv2d(1, 2, 3, bias=False), nn.MaxPool2d(2, stride), nn.Flatten(), nn.LazyLinear(2)
        )

    x = torch.randn(2, 1, 6, 6)
    for stride, named in ((1, True), (2, False)):
        made = net(stride)
        made(x)
        assert bool(read_chain(made, x).stretching) == named
