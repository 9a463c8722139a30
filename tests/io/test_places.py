import json

import pytest
import safetensors.torch
import torch

from ridgeline import io
from ridgeline.errors import CheckpointError
from ridgeline.io import places

A, B, C = (torch.full((2,), float(i)) for i in range(3))


def shards(folder, *, torch_format=False, files=("1", "2"), **changes):
    """Two shards of three tensors, the index in an order of its own."""
    folder.mkdir(exist_ok=True, parents=True)
    suffix = "bin" if torch_format else "safetensors"
    stem = "pytorch_model" if torch_format else "model"
    one, two = (f"{stem}-0000{n}-of-00002.{suffix}" for n in files)
    write = torch.save if torch_format else safetensors.torch.save_file
    write({"c": C, "a": A}, folder / one)
    write({"b": B}, folder / two)
    index = {"metadata": {"total_size": 24}, "weight_map": {"a": one, "b": two, "c": one}}
    path = folder / f"{stem}.{suffix}.index.json"
    path.write_text(json.dumps(index | changes))
    return path


@pytest.mark.parametrize("torch_format", [False, True])
@pytest.mark.parametrize("by_folder", [False, True])
def test_shards_are_gathered_in_the_index_s_order(tmp_path, torch_format, by_folder):
    index = shards(tmp_path, torch_format=torch_format)
    given = tmp_path if by_folder else index
    loaded = io.load(given)
    assert list(loaded) == ["a", "b", "c"]
    assert torch.equal(loaded["c"], C)
    found = io.inspect(given)
    assert found.format == ("sharded torch" if torch_format else "sharded safetensors")
    assert found.size == sum(p.stat().st_size for p in tmp_path.iterdir())
    assert found.metadata == {"total_size": "24"}


def test_each_shard_is_read_once(tmp_path, monkeypatch):
    index = shards(tmp_path)
    read, original = [], places.read_safetensors
    monkeypatch.setattr(
        places, "read_safetensors", lambda path: (read.append(path.name), original(path))[1]
    )
    io.load(index)
    assert len(read) == len(set(read)) == 2


def test_a_missing_shard_is_named(tmp_path):
    index = shards(tmp_path)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"no file '.*model-00002-of-00002\.safetensors'"):
        io.load(index)


def test_an_index_that_disagrees_with_a_shard_is_refused(tmp_path):
    one = "model-00001-of-00002.safetensors"
    index = shards(tmp_path, weight_map={"a": one, "z": one})
    with pytest.raises(
        CheckpointError,
        match=r"must agree\. .*00001-of.*not in the shard: z; not in the index: c",
    ):
        io.load(index)


@pytest.mark.parametrize(
    "file", ["../secret.safetensors", "/etc/passwd", "a/../../b.bin", "..\\b.bin", "C:b", "a\0b"]
)
def test_an_index_cannot_point_out_of_its_folder(tmp_path, file):
    (tmp_path / "secret.safetensors").write_bytes(safetensors.torch.save({"a": A}))
    index = shards(tmp_path / "inside", weight_map={"a": file})
    with pytest.raises(CheckpointError, match="names files in its own folder"):
        io.load(index)


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"weight_map": {}}', '{"weight_map": {"a": 3}}', '{"weight_map": 1}']
)
def test_a_broken_index_is_refused(tmp_path, text):
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(text)
    with pytest.raises(CheckpointError, match="index must be JSON with a weight_map"):
        io.load(path)


def test_a_shard_that_is_no_state_is_refused(tmp_path):
    index = shards(tmp_path, torch_format=True)
    torch.save([1], tmp_path / "pytorch_model-00001-of-00002.bin")
    with pytest.raises(CheckpointError, match="shard must hold names to tensors"):
        io.load(index)


def test_a_folder_prefers_safetensors_over_pickles(tmp_path):
    safetensors.torch.save_file({"w": A}, tmp_path / "model.safetensors")
    torch.save({"w": B}, tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_text("{}")
    assert torch.equal(io.load(tmp_path)["w"], A)
    (tmp_path / "model.safetensors").unlink()
    assert torch.equal(io.load(tmp_path)["w"], B)


def test_the_hub_s_cache_is_followed_to_its_snapshot(tmp_path):
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "abc123"
    snapshot.mkdir(parents=True)
    (tmp_path / "refs").mkdir()
    (tmp_path / "refs" / "main").write_text("abc123")
    index = shards(blobs)
    for file in blobs.iterdir():  # the cache stores links that lead out of the snapshot
        (snapshot / file.name).symlink_to(file)
    assert list(io.load(tmp_path)) == ["a", "b", "c"]
    assert index.exists()


def test_a_folder_with_one_checkpoint_or_several_or_none(tmp_path):
    with pytest.raises(CheckpointError, match=r"must hold a checkpoint.*with nothing"):
        io.load(tmp_path)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(CheckpointError, match=r"with notes\.txt.*Looked for model\.safetensors"):
        io.load(tmp_path)
    torch.save({"w": A}, tmp_path / "epoch1.pt")
    assert torch.equal(io.load(tmp_path)["w"], A)
    torch.save({"w": A}, tmp_path / "epoch2.pt")
    with pytest.raises(CheckpointError, match=r"one checkpoint.*epoch1\.pt, epoch2\.pt"):
        io.load(tmp_path)
