"""Another state near a network's own, and when two outputs are one."""

import pytest
import torch
from torch import nn

from ridgeline.graph import Network, close, shaking
from ridgeline.graph.shaking import parameters_in, shake, shaken


def made(x, name="w"):
    other = torch.empty_like(x)
    shake(name, x, other)
    return other


def test_signs_stay_and_values_move_by_a_factor():
    x = torch.linspace(-2, 2, 100)
    other = made(x)
    assert torch.equal(other.sign(), x.sign())
    factors = (other / x).log() / shaking.SHAKEN
    assert 0.7 < float(factors.std()) < 1.3 and (other != x).all()


def test_it_is_the_same_each_time_and_of_the_tensors_name():
    x = torch.ones(10)
    assert torch.equal(made(x), made(x)) and not torch.equal(made(x), made(x, "v"))


@pytest.mark.parametrize("size", [0.0, 4.0])
def test_zeros_become_small_numbers(size):
    x = torch.zeros(50)
    x[:25] = size
    other = made(x)
    assert (other != 0).all()
    scale = 0.1 * (float(x.square().mean().sqrt()) or 1.0)
    assert float(other[25:].abs().mean()) == pytest.approx(0.8 * scale, rel=0.5)


def test_long_tensors_repeat_the_factors(monkeypatch):
    monkeypatch.setattr(shaking, "PERIOD", 4)
    other = made(torch.ones(10))
    assert torch.equal(other[:4], other[4:8]) and torch.equal(other[:2], other[8:])


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.complex64])
def test_types_are_kept(dtype):
    x = torch.ones(8, dtype=dtype)
    assert made(x).dtype is dtype and (made(x) != x).all()


def test_a_tensor_that_is_not_contiguous_is_shaken_too():
    x = torch.ones(4, 3).T
    other = torch.empty(4, 3).T
    shake("w", x, other)
    assert torch.equal(other.reshape(-1), made(torch.ones(12)))


def test_parameters_alone_are_shaken():
    net = Network(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))
    found = shaken(net, net.tensors)
    assert parameters_in(net, net.tensors) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert found["1.running_mean"] is net.tensors["1.running_mean"]
    assert not torch.equal(found["0.weight"], net.tensors["0.weight"])


@pytest.mark.parametrize(
    ("x", "y", "tolerance", "same"),
    [
        ([1.0, 100.0], [1.9, 100.0], 1e-2, True),
        ([1.0, 100.0], [2.1, 100.0], 1e-2, False),
        ([torch.nan, 1.0], [torch.nan, 1.0], 1e-6, True),
        ([torch.nan, 1.0], [1.0, 1.0], 1e-6, False),
        ([torch.inf], [torch.inf], 1e-6, True),
        ([torch.inf], [-torch.inf], 1e-6, False),
    ],
)
def test_outputs_are_one_to_a_share_of_the_largest(x, y, tolerance, same):
    assert close(torch.tensor(x), torch.tensor(y), tolerance) is same


def test_shapes_and_every_tensor_count_and_words_do_not():
    x = torch.ones(2)
    assert not close(x, torch.ones(2, 1), 1.0)
    assert close({"a": x, "b": "one"}, {"a": x, "b": "two"}, 1e-9)
    assert not close([x, x], [x, x + 1], 1e-9)
    assert not close(x * 1j, x * 2j, 1e-3) and close(x * 1j, x * 1j, 1e-9)
