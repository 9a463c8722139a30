"""Sentences that are read with an objective's numbers."""

import pytest
import torch
from torch import nn

import ridgeline as rl

X = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
Y = torch.arange(6) % 2


def notes(net=None, y=Y, **more):
    return rl.Objective(net or nn.Linear(3, 2), (X, y), **more).notes


def normalised():
    return nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2))


def test_a_plain_objective_has_nothing_to_say():
    assert notes() == ()


def test_samples_left_out_are_counted():
    said = notes(y=torch.where(torch.arange(6) < 2, -100, Y))
    assert said[0].startswith("2 of 6 samples have no label that counts")


def test_tokens_are_told():
    assert notes(weights="tokens") == ("Means are over all tokens that count, not over samples.",)


def test_calibration_on_what_is_measured_is_told_and_on_other_data_not():
    assert any("recomputed on the samples that are measured" in n for n in notes(normalised()))
    assert notes(normalised(), calibration=X) == ()
    assert not any("recomputed on" in n for n in notes(normalised(), statistics="keep"))


@pytest.mark.parametrize("count", [1, 2])
def test_layers_that_keep_their_statistics_are_named(count):
    net = normalised()
    net.insert(1, nn.BatchNorm1d(3))
    for layer in net[:count]:
        layer.eval()
    net.train()
    for k in range(count):
        net[k].training = False
    said = [n for n in notes(net, calibration=X) if "the state's own" in n]
    assert len(said) == 1
    assert all(f"{k} (" in said[0] for k in range(count))


def test_provenance_says_what_defines_the_numbers():
    found = rl.Objective(nn.Linear(3, 2), (X, Y)).provenance()
    assert (found["samples"], found["samples_left_out"], found["weights"]) == (6, 0, "samples")
    assert (found["device"], found["dtype"], found["autocast"]) == ("cpu", "float32", None)
    assert found["statistics"] == "none in the model"
    assert not {"calibration", "targets", "notes", "left out", "kept statistics"} & set(found)
    own = rl.Objective(normalised(), (X, Y), autocast=torch.bfloat16).provenance()
    assert own["statistics"] == "recompute"
    assert own["autocast"] == "bfloat16"
    assert own["calibration"] == {"on": "the objective's own inputs", "samples": 6, "batch": 500}
    given = rl.Objective(normalised(), (X, Y), calibration=X[:4], calibration_rows=3).provenance()
    assert given["calibration"] == {"on": "calibration data", "samples": 4, "batch": 3}
    assert "notes" in own and "notes" not in given
    kept = rl.Objective(normalised(), (X, Y), statistics="keep").provenance()
    assert kept["statistics"] == "keep"
    assert "calibration" not in kept
    same = rl.Objective(nn.Linear(3, 3), X, loss=rl.squared_error).provenance()
    assert same["targets"] == "the inputs"
