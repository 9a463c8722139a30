"""Networks of linear layers, told by watching their calls."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import ridgeline as rl
from ridgeline.objective.linear import LinearLayers
from ridgeline.objective.point import Point


class Net(nn.Module):
    def __init__(self, use, **more):
        super().__init__()
        self.one, self.two = nn.Linear(3, 3, **more), nn.Linear(3, 2)
        self.use = use

    def forward(self, x):
        return self.use(self, x)


WAYS = {
    "plain": (lambda m, x: m.two(m.one(x).relu()), True),
    "by keyword": (lambda m, x: m.two(F.linear(x, weight=m.one.weight, bias=m.one.bias)), True),
    "a weight in a product of its own": (
        lambda m, x: m.two(x @ m.one.weight.T + m.one.bias),
        False,
    ),
    "a weight used twice": (lambda m, x: m.two(m.one(m.one(x))), False),
    "a weight looked at": (lambda m, x: m.two(m.one(x)) + m.one.weight.mean(), False),
    "its shape looked at": (lambda m, x: m.two(m.one(x))[:, : m.two.weight.shape[0]], True),
    "a layer left out": (lambda m, x: m.two(x), False),
    "rows that are no samples": (lambda m, x: m.two(m.one(x.repeat(2, 1)))[: len(x)], False),
    "a weight that is taken in": (lambda m, x: m.two(F.linear(m.one.weight, x)[:1] + x), False),
}


@pytest.mark.parametrize("way", list(WAYS))
def test_all_that_moves_is_in_linear_layers_used_once(way):
    use, alone = WAYS[way]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Net(use).double()
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    data = (x, torch.arange(5) % 2)
    try:
        objective = rl.Objective(net, data, dtype=torch.float64)
    except rl.errors.RidgelineError:
        pytest.skip("its samples meet")
    found = LinearLayers.of(Point(objective, net.state_dict()))
    assert (found is not None) == alone


def test_a_layer_without_a_bias_and_names_of_one_layer_serve():
    net = Net(WAYS["plain"][0], bias=False)
    objective = rl.Objective(net, (torch.randn(4, 3), torch.arange(4) % 2))
    assert LinearLayers.of(Point(objective, net.state_dict())) is not None
    only = Point(objective, net.state_dict(), names=["two.weight", "two.bias"])
    assert LinearLayers.of(only) is not None
    assert LinearLayers.of(Point(objective, net.state_dict(), names="two.weight")) is None
