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
