"""Names of tensors: coordinates, layers, and copies of states."""

import numpy as np
import pytest
import torch
from torch import nn

from points import COORDINATES, Tied, draw, flat
from ridgeline import state


def test_statistics_and_labels_are_no_coordinates():
    a = draw(0)
    assert list(state.coordinates(a)) == COORDINATES
    assert "norm.running_mean" in list(state.coordinates(a, statistics=True))
    b = {**a, "norm.running_mean": a["norm.running_mean"] + 100}
    assert state.distance(a, b) == 0
    assert state.is_statistic("running_var") and not state.is_statistic("x.running_variable")


@pytest.mark.parametrize("take", [state.capture, nn.Module.state_dict], ids=["capture", "own"])
def test_a_tied_weight_is_one_coordinate(take):
    """`state_dict()` gives the two names two tensor objects on one storage."""
    a, b = take(Tied()), take(Tied())
    assert list(state.coordinates(a)) == ["embed.weight", "head.bias"]
    assert state.ties(a) == [("embed.weight", "head.weight")]
    names = ["embed.weight", "head.bias"]
    assert state.distance(a, b) == pytest.approx(np.linalg.norm(flat(a, names) - flat(b, names)))


def test_capture_keeps_ties_and_shares_nothing():
    model = nn.Sequential(Tied(), nn.BatchNorm1d(5))
    model.register_buffer("scratch", torch.zeros(2), persistent=False)
    found = state.capture(model)
    assert list(found) == list(model.state_dict())
    assert found["0.embed.weight"] is found["0.head.weight"]
    held = {x.untyped_storage().data_ptr() for x in [*model.parameters(), *model.buffers()]}
    assert not held & {x.untyped_storage().data_ptr() for x in found.values()}
    assert not any(x.requires_grad for x in found.values())
    assert all(torch.equal(x, found[k]) for k, x in model.state_dict().items())


def test_cast_changes_floating_tensors_only():
    a = draw(4)
    low = state.cast(a, torch.bfloat16)
    assert low["fc1.weight"].dtype == torch.bfloat16
    assert low["norm.num_batches_tracked"].dtype == torch.int64 and low["mask"].dtype == torch.bool
    assert all(x is a[k] for k, x in state.cast(a).items())


def test_layers_are_modules_in_order():
    s = draw(0) | {"head.steps": torch.tensor(1), "block.0.fc.weight": torch.ones(2)}
    assert state.layers(s) == {
        "fc1": ["fc1.weight", "fc1.bias"],
        "norm": ["norm.weight", "norm.running_mean", "norm.num_batches_tracked"],
        "scale": ["scale"],
        "block.0.fc": ["block.0.fc.weight"],
    }


@pytest.mark.parametrize("kind", ["running_mean", "running_var", "num_batches_tracked"])
def test_statistics_are_known_by_the_last_part_of_a_name(kind):
    assert state.is_statistic(f"block.norm.{kind}") and state.is_statistic(kind)
    assert not state.is_statistic(f"{kind}.weight")


def test_extra_state_is_no_tensor_of_a_state():
    class Extra(nn.Linear):
        def get_extra_state(self):
            return torch.ones(1)

    assert list(state.tensors_of(Extra(1, 1))) == ["weight", "bias"]
    assert state.is_extra("a._extra_state") and not state.is_extra("_extra_state.a")


def test_a_name_without_a_module_is_its_own_layer_and_labels_alone_are_none():
    x, n = torch.ones(1), torch.tensor(1)
    s = {"scale": x, "n.count": n, "l.w": x, "l.n": n}
    assert state.layers(s) == {"scale": ["scale"], "l": ["l.w", "l.n"]}


def test_statistics_are_coordinates_where_they_are_asked_for():
    s = {"w": torch.ones(1), "running_mean": torch.ones(1), "num_batches_tracked": torch.tensor(1)}
    assert list(state.coordinates(s)) == ["w"]
    assert list(state.coordinates(s, statistics=True)) == ["w", "running_mean"]


def test_casting_keeps_ties_and_gives_complex_numbers_their_twin():
    x = torch.ones(2)
    made = state.cast({"x": x, "y": x, "z": torch.ones(1, dtype=torch.complex64)}, torch.float64)
    assert made["x"] is made["y"] and made["x"].dtype is torch.float64
    assert made["z"].dtype is torch.complex128
