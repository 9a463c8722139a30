"""One profile for each layer: who moves, who is held, and what is told."""

import numpy as np
import pytest
import torch
from torch import nn

import ridgeline as rl
from ridgeline.errors import UnknownName
from ridgeline.profiles import layerwise

X, Y = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 2


@pytest.fixture(scope="module")
def parts():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    a = rl.state.capture(net)
    b = {n: torch.randn_like(x) for n, x in a.items()}
    return a, b, rl.Objective(net, (X, Y), dtype=torch.float64)


def test_layers_stand_in_the_networks_order_and_some_may_be_named(parts):
    assert list(layerwise(*parts, points=3)) == ["0", "2"]
    assert list(layerwise(*parts, points=3, only=["2"])) == ["2"]
    assert layerwise(*parts, points=3, only=[]) == {}


@pytest.mark.parametrize("hold", ["a", "b"])
def test_one_layer_moves_and_the_others_are_held(parts, hold):
    a, b, objective = parts
    found = layerwise(a, b, objective, hold=hold, points=[0, 0.5, 1])["0"].curve().mean
    held = a if hold == "a" else b
    for k, t in enumerate((0, 0.5, 1)):
        state = {n: torch.lerp(x, b[n], t) if n.startswith("0.") else held[n] for n, x in a.items()}
        assert found[k] == pytest.approx(float(objective(state)["loss"].mean()), rel=1e-10)


def test_the_default_holds_a_and_has_51_points(parts):
    found = layerwise(*parts, only=["0"])["0"]
    assert len(found.t) == 51
    assert found.curve().mean[0] == pytest.approx(float(parts[2](parts[0])["loss"].mean()))


def test_an_unknown_layer_lists_those_known(parts):
    with pytest.raises(UnknownName, match=r"'1'.*0, 2"):
        layerwise(*parts, only=["1"])


def test_progress_names_layers_and_splits_where_there_are_several(parts):
    a, b, objective = parts
    told: list = []
    layerwise(a, b, objective, points=3, progress=lambda *x: told.append(x))
    assert told == [("0", 20, 20), ("2", 20, 20)]
    told.clear()
    splits = {"train": objective, "test": objective}
    layerwise(a, b, splits, points=3, only=["2"], progress=lambda *x: told.append(x[0]))
    assert told == ["2 (train)", "2 (test)"]


def test_an_interruption_leaves_layers_that_were_not_begun(parts):
    asked = iter([False, True])
    assert list(layerwise(*parts, points=3, interrupted=lambda: next(asked))) == ["0"]


def test_barriers_of_layers_are_against_the_whole_networks(parts):
    a, b, objective = parts
    found = layerwise(a, b, objective, points=3)["0"]
    assert np.isfinite(found.barrier().height)
