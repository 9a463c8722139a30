"""Snapshots in a file: what is refused before any work."""

import pytest
import torch

import ridgeline as rl
from connecting.networks import objective_of, states_of
from ridgeline.connecting.keeping import Kept
from ridgeline.errors import OutputError, UsageError


def test_a_file_of_another_kind_is_refused_before_any_work(tmp_path):
    a, b = states_of("plain")
    with pytest.raises(UsageError, match=r"kept as safetensors.*curve\.pt.*curve\.safetensors"):
        rl.connect(a, b, objective_of("plain"), keep=tmp_path / "curve.pt")


def test_a_place_that_cannot_be_written_is_refused_before_any_work(tmp_path):
    (tmp_path / "file").write_text("in the way")
    a, b = states_of("plain")
    with pytest.raises(OutputError):
        rl.connect(a, b, objective_of("plain"), keep=tmp_path / "file" / "curve.safetensors")


def test_a_checkpoint_is_no_snapshot_and_stays_as_it_is(tmp_path):
    a, b = states_of("plain")
    file = rl.save(a, tmp_path / "a.safetensors")
    before = file.read_bytes()
    with pytest.raises(UsageError, match="of something else"):
        rl.connect(a, b, objective_of("plain"), keep=file)
    assert file.read_bytes() == before


def test_what_is_kept_is_what_is_given_back_under_its_name(tmp_path):
    kept = Kept(tmp_path / "kept.safetensors")
    assert kept.load("one") is None
    kept.save({"x": torch.tensor([1.0, float("nan")])}, "one")
    kept.save({"x": torch.tensor([2.0, float("inf")])}, "one")
    found = kept.load("one")
    assert found is not None
    assert found["x"].tolist() == [2.0, float("inf")]
    with pytest.raises(UsageError):
        kept.load("two")
