"""What is in a checkpoint, told without refusing what is wrong with it."""

import json
import math

import numpy as np
import pytest
import torch

import ridgeline as rl
from ridgeline.io.inspection import inspect


@pytest.fixture
def found(tmp_path):
    path = tmp_path / "m.pt"
    shared = torch.tensor([3.0, -4.0])
    state = {
        "a": shared,
        "b": shared,
        "bad": torch.tensor([torch.nan, torch.inf, -torch.inf, torch.inf]),
        "n": torch.tensor(7),
        "none": torch.empty(0),
        "z": torch.tensor([3 + 4j]),
        "running_mean": torch.ones(5),
    }
    torch.save({"model": state, "epoch": 3}, path)
    return inspect(path)


def of(found, name):
    return next(t for t in found.tensors if t.name == name)


def test_numbers_of_a_tensor(found):
    a = of(found, "a")
    assert (a.norm, a.mean, a.std, a.minimum, a.maximum) == (5.0, -0.5, 3.5, -4.0, 3.0)
    assert (a.shape, a.dtype, a.nans, a.infs) == ((2,), "float32", 0, 0)


def test_complex_numbers_are_pairs_and_nothing_has_no_mean(found):
    z, none = of(found, "z"), of(found, "none")
    assert (z.norm, z.mean, z.minimum, z.maximum) == (5.0, 3.5, 3.0, 4.0)
    assert none.norm == 0 and math.isnan(none.mean) and math.isnan(none.minimum)


def test_what_is_not_finite_is_counted(found):
    assert [(t.name, t.nans, t.infs) for t in found.non_finite] == [("bad", 1, 3)]


def test_parameters_are_coordinates_each_once(found):
    assert found.parameters == 2 + 4 + 0 + 1  # a, bad, none, z: no label, no statistic, no tie
    assert found.ties == (("a", "b"),) and found.metadata["epoch"] == "3"
    assert found.format == "torch" and found.size == found.path.stat().st_size


def test_as_json_what_is_not_finite_is_none(found):
    made = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    bad = next(t for t in made["tensors"] if t["name"] == "bad")
    assert bad["mean"] is None and bad["shape"] == [4] and made["ties"] == [["a", "b"]]
    assert made["path"] == str(found.path) and made["parameters"] == 7


def test_a_state_among_several_is_named(tmp_path):
    x, y = {"w": torch.ones(1)}, {"w": torch.zeros(1)}
    torch.save({"model": x, "ema": y}, tmp_path / "m.pt")
    assert inspect(tmp_path / "m.pt", key="ema").tensors[0].maximum == 0
    with pytest.raises(rl.errors.CheckpointError, match="which one is meant"):
        inspect(tmp_path / "m.pt")
    assert np.isfinite(inspect(tmp_path / "m.pt", key="model").tensors[0].norm)
