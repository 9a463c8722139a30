import pytest
import torch
from torch import nn

from repairs.networks import Convolutions, Normalised, Odd, Tied, mlp
from ridgeline.errors import UnknownName
from ridgeline.graph import Network
from ridgeline.nets import resnet20
from ridgeline.repairs.sites import chosen, normalisers, sites


def found(model, *shape, inputs=None):
    inputs = torch.randn(*shape, dtype=torch.float64) if inputs is None else inputs
    return sites(Network(model).trace(inputs))


def test_each_linear_layer_is_a_site_in_order():
    layers = found(mlp(3, 5, 4, 2), 6, 3)
    assert [s.weight for s in layers] == ["0.weight", "2.weight", "4.weight"]
    assert next((s.bias, s.channels, s.axis) for s in layers) == ("0.bias", 5, -1)
    assert {s.can for s in layers} == {"mean and deviation"}


def test_products_with_tensors_of_any_name_turned_or_not():
    first, second, third = found(Odd(), 6, 5)
    assert (first.weight, first.rows, first.bias) == ("first", 1, "shift")
    assert (second.weight, second.rows, second.bias) == ("second", 0, "offset")
    assert (third.weight, third.rows, third.can) == ("third", 1, "deviation")


def test_convolutions_and_their_transposes():
    layers = found(Convolutions(), 6, 2, 6, 6)
    kinds = [(s.weight, s.channels, s.rows, s.groups, s.axis) for s in layers]
    assert kinds == [
        ("plain.weight", 4, 0, 1, -3),
        ("grouped.weight", 6, 0, 1, -3),
        ("back.weight", 4, 1, 2, -3),
        ("last.weight", 5, 1, 1, -3),
        ("head.weight", 3, 0, 1, -1),
    ]


@pytest.mark.parametrize("index", range(5))
def test_a_scaled_weight_scales_the_channels(index):
    model = Convolutions()
    site = found(model, 6, 2, 6, 6)[index]
    layer = model.get_submodule(site.weight.removesuffix(".weight"))
    x = torch.randn(2, layer.weight.shape[1] if index == 4 else layer.in_channels, 5, 5).double()
    x = x.mean((2, 3)) if index == 4 else x
    layer.bias.data.zero_()
    scale = torch.rand(site.channels, dtype=torch.float64)
    before = layer(x)
    layer.weight.data = site.scaled(layer.weight.data, scale)
    shape = (site.channels, *(1,) * (-1 - site.axis))
    torch.testing.assert_close(layer(x), before * scale.view(shape))


def test_layers_before_batch_normalisation_are_left_to_it():
    trace = Network(Normalised().eval()).trace(torch.randn(3, 2, 7, 7).double())
    assert [s.can for s in sites(trace)] == ["statistics", "statistics", "mean and deviation"]
    names = [(n.mean, n.variance) for n in normalisers(trace)]
    assert names[0] == ("norm.running_mean", "norm.running_var")


def test_tensors_that_stand_in_several_places_are_left_and_named():
    layers = found(Tied(), inputs=torch.randint(7, (3, 5)))
    can = {s.weight: (s.can, s.why) for s in layers}
    assert can["twice.weight"] == ("no", "its weight is used in several places")
    assert can["read.weight"][0] == "no"
    assert can["once.weight"][0] == "mean and deviation"


def test_a_bias_of_positions_is_none_of_channels():
    class Added(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv1d(1, 5, 1, bias=False)
            self.at = nn.Parameter(torch.randn(5))  # broadcast along positions, not channels

        def forward(self, x):
            return (self.conv(x) + self.at).mean(2)

    (site,) = found(Added().double(), 3, 1, 5)
    assert site.bias is None and site.can == "deviation"


def test_a_product_of_weights_alone_is_no_site():
    class Factored(nn.Module):
        def __init__(self):
            super().__init__()
            self.u, self.v = (nn.Parameter(torch.randn(4, 4)) for _ in range(2))

        def forward(self, x):
            return x @ (self.u @ self.v)

    assert found(Factored().double(), 3, 4) == ()


def test_the_layers_of_a_resnet():
    layers = found(resnet20(width=4).double().eval(), 2, 3, 8, 8)
    assert [s.can for s in layers].count("statistics") == len(layers) - 1
    layers = found(resnet20(width=4, norm=None).double(), 2, 3, 8, 8)
    assert {s.can for s in layers} == {"mean and deviation"}


def test_layers_are_chosen_by_module_or_tensor():
    layers = found(mlp(3, 5, 4, 2), 6, 3)
    assert [s.weight for s in chosen(layers, ["0", "4.weight"])] == ["0.weight", "4.weight"]
    with pytest.raises(UnknownName):
        chosen(layers, ["7"])
