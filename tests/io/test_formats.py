"""Formats of checkpoint files, and reading safetensors."""

import json

import pytest
import torch
from safetensors.torch import save_file

from ridgeline.errors import CheckpointError
from ridgeline.io.formats import KNOWN, TIES, plain_metadata, read_safetensors, sniff


@pytest.mark.parametrize(
    ("name", "head", "want"),
    [
        ("m.safetensors", b"12345678{", "safetensors"),
        ("m", b"12345678{", "safetensors"),
        ("m.index.json", b"{}", "index"),
        ("m.pt", b"anything", "torch"), ("m.pth", b"anything", "torch"),
        ("m.ckpt", b"anything", "torch"), ("m.bin", b"anything", "torch"),
        ("m", b"PK\x03\x04", "torch"), ("m.model", b"\x80\x02", "torch"),
    ],
)  # fmt: skip
def test_a_format_is_known_by_name_or_first_bytes(tmp_path, name, head, want):
    path = tmp_path / name
    path.write_bytes(head)
    assert sniff(path) == want


@pytest.mark.parametrize(
    ("name", "head", "rule", "got", "remedy"),
    [
        ("m.pt", b"", "must not be empty", "of 0 bytes", "make it again"),
        (
            "m.pt",
            b"version https://git-lfs.github.com",
            "be the file itself",
            "Git LFS",
            "lfs pull",
        ),
        ("m.npz", b"PK\x03\x04", "of a known format", "arrays of NumPy", "torch.from_numpy(array)"),
        ("m.npy", b"\x93NUMPY", "of a known format", "arrays of NumPy", "ridgeline.save"),
        ("m.txt", b"hello, you", "of a known format", "starting b'hello, y'", KNOWN),
    ],
)
def test_what_is_no_checkpoint_is_refused_with_what_to_do(tmp_path, name, head, rule, got, remedy):
    path = tmp_path / name
    path.write_bytes(head)
    with pytest.raises(CheckpointError, match=rule) as caught:
        sniff(path)
    assert got in caught.value.got and f"'{path}'" in caught.value.got
    assert remedy in caught.value.remedy


def test_a_file_that_cannot_be_opened_says_why(tmp_path):
    with pytest.raises(CheckpointError, match="must be readable") as caught:
        sniff(tmp_path)
    assert caught.value.got == f"'{tmp_path}' (Is a directory)"


def saved(path, aliases, **more):
    text = aliases if isinstance(aliases, str) else json.dumps(aliases)
    save_file({"a": torch.ones(2)}, path, metadata={TIES: text, **more})
    return path


def test_aliases_become_shared_tensors_and_are_no_metadata(tmp_path):
    state, metadata = read_safetensors(saved(tmp_path / "m", {"b": "a"}, seed="3"))
    assert state["b"] is state["a"] and metadata == {"seed": "3"}


@pytest.mark.parametrize("aliases", [{"b": "lost"}, {"a": "a"}, ["a"], "no json", {"b": ["a"]}])
def test_aliases_that_name_nothing_are_refused(tmp_path, aliases):
    path = saved(tmp_path / "m", aliases)
    with pytest.raises(CheckpointError, match="must name its tensors") as caught:
        read_safetensors(path)
    assert f"'{path}', {TIES} = " in caught.value.got and "make it again" in caught.value.remedy


def test_a_torn_file_says_its_size(tmp_path):
    path = saved(tmp_path / "m", {})
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(CheckpointError, match="must be whole") as caught:
        read_safetensors(path)
    assert f"of {path.stat().st_size} bytes" in caught.value.got


def test_metadata_are_the_numbers_and_words_beside_a_state():
    tree = {"epoch": 3, "lr": 0.1, "name": "x", "done": True, "model": {}, 4: "y"}
    want = {"epoch": "3", "lr": "0.1", "name": "x", "done": "True", "4": "y"}
    assert plain_metadata(tree) == want and plain_metadata([1]) == {}
