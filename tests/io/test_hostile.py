"""Files that were made to mislead, each with right checksums."""

import argparse
import io as streams
import os
import pathlib
import zipfile

import numpy as np
import pytest
import torch

from ridgeline import io
from ridgeline.errors import CheckpointError

W = torch.arange(6.0)


def edited(path, edit, packing=zipfile.ZIP_STORED):
    """Write an archive anew, each of its members as `edit` gives it."""
    made = streams.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(made, "w", packing) as new:
        for name in old.namelist():
            content = edit(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    path.write_bytes(made.getvalue())


def replaced(old, new):
    return lambda name, content: content.replace(old, new) if name.endswith(".pkl") else content


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (replaced(b"K\x06\x85", b"M\x00\x40\x85"), "a tensor of 16384 values in a storage of 6"),
        (replaced(b"K\x06t", b"J\xff\xff\xff\x7ft"), r"24 bytes where storage '0' has 8589934588"),
        (replaced(b"K\x01\x85", b"J\xff\xff\xff\xff\x85"), r"of shape \(6,\) with strides \(-1,\)"),
        (replaced(b"K\x00K\x06", b"K\x01K\x06"), "a tensor of 7 values in a storage of 6"),
        (replaced(b"FloatStorage", b"DoubleStorage"), "24 bytes where storage '0' has 48"),
        (replaced(b"FloatStorage", b"OtherStorage"), r"values in torch\.OtherStorage"),
        (lambda name, x: None if name.endswith("/0") else x, "no values where storage '0'"),
        (lambda name, x: None if name.endswith(".pkl") else x, r"without data\.pkl"),
    ],
)
def test_sizes_that_are_not_the_files_are_refused(tmp_path, edit, said):
    path = tmp_path / "a.pt"
    torch.save({"w": W}, path)
    before = path.read_bytes()
    edited(path, edit)
    assert path.read_bytes() != before
    with pytest.raises(CheckpointError, match=rf"must be whole\. Got '.*a\.pt' .*{said}"):
        io.load(path)


@pytest.mark.parametrize("older", [False, True])
def test_an_older_file_is_asked_the_same(tmp_path, older):
    path = tmp_path / "a.pt"
    torch.save({"w": W, "v": torch.ones(1000)}, path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    edit = (b"K\x06\x85", b"M\xe8\x03\x85") if older else (b"K\x06N", b"M\xe8\x03N")
    assert edit[0] in data
    path.write_bytes(data.replace(*edit))
    with pytest.raises(CheckpointError, match=r"must be whole"):
        io.load(path)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(
            b"cbuiltins\nbytearray\n\x8a\x07\x00\x00\x00\x00\x00\x00\x10\x85R", id="bytes"
        ),
        pytest.param(b"ctorch\nFloatTensor\nJ\xff\xff\xff\x7f\x85R", id="tensor"),
        pytest.param(b"]r\xff\xff\xff\xff", id="memo"),
        pytest.param(b"X\xff\xff\xff\xff", id="text"),
    ],
)
def test_no_memory_is_taken_on_trust(tmp_path, value):
    path = tmp_path / "a.pt"
    torch.save({"w": W}, path)
    content = b"\x80\x02}X\x01\x00\x00\x00w" + value + b"s."
    edited(path, lambda name, x: content if name.endswith(".pkl") else x)
    with pytest.raises(CheckpointError, match=r"must be whole"):
        io.load(path)


def test_a_packed_archive_of_the_right_sizes_is_read(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"w": W}, path)
    edited(path, lambda _, x: x, zipfile.ZIP_DEFLATED)
    assert torch.equal(io.load(path)["w"], W)


def header(text: bytes, rest: bytes = b"") -> bytes:
    return len(text).to_bytes(8, "little") + text + rest


@pytest.mark.parametrize(
    "data",
    [
        (10**15).to_bytes(8, "little") + b"{}",
        header(b'{"w":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}'),
        header(b'{"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', b"0000"),
        header(b'{"w":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}', b"0000"),
        header(b"[" * 100_000),
        header(b'{"\xff":1}'),
    ],
)
def test_a_header_of_safetensors_is_not_believed(tmp_path, data):
    (tmp_path / "a.safetensors").write_bytes(data)
    with pytest.raises(CheckpointError, match=r"safetensors file must be whole.*a\.safetensors'"):
        io.load(tmp_path / "a.safetensors")


UNUSABLE = {
    "meta": lambda: torch.empty(2, device="meta"),
    "bits": lambda: torch.ones(2, dtype=torch.uint8).view(torch.bits8),
    "csr": lambda: torch.eye(2).to_sparse_csr(),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", UNUSABLE)
def test_tensors_that_hold_no_numbers_of_their_own_are_named(tmp_path, kind):
    torch.save({"w": UNUSABLE[kind]()}, tmp_path / "a.pt")
    for read in (io.load, io.inspect):
        with pytest.raises(CheckpointError, match=r"must be dense.*w in .*a\.pt"):
            read(tmp_path / "a.pt")


def test_packed_floats_of_safetensors_are_named(tmp_path):
    data = header(b'{"w":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}', b"0")
    (tmp_path / "a.safetensors").write_bytes(data)
    with pytest.raises(CheckpointError, match=r"w in .*float4"):
        io.load(tmp_path / "a.safetensors")


def test_arrays_of_numpy_are_told_how_to_become_a_state(tmp_path):
    np.savez(tmp_path / "a.npz", w=np.ones(3))
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    for name in ("a.npz", "a.npy"):
        with pytest.raises(CheckpointError, match=r"arrays of NumPy.*torch\.from_numpy"):
            io.load(tmp_path / name)


@pytest.mark.parametrize("older", [False, True])
def test_settings_beside_the_weights_are_told_what_to_allow(tmp_path, older):
    tree = {"args": argparse.Namespace(lr=0.1), "state_dict": {"w": W}}
    torch.save(tree, tmp_path / "a.pt", _use_new_zipfile_serialization=not older)
    with pytest.raises(
        CheckpointError,
        match=r"needs argparse\.Namespace; nothing was run.*"
        r"torch\.serialization\.add_safe_globals\(\[argparse\.Namespace\]\)",
    ):
        io.load(tmp_path / "a.pt")
    with torch.serialization.safe_globals([argparse.Namespace]):
        assert torch.equal(io.load(tmp_path / "a.pt")["w"], W)


def test_all_settings_are_named_at_once(tmp_path):
    tree = {"args": argparse.Namespace(lr=0.1), "out": pathlib.PurePosixPath("x"), "m": {"w": W}}
    torch.save(tree, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"\[argparse\.Namespace, pathlib\.PurePosixPath\]"):
        io.load(tmp_path / "a.pt")


def test_what_could_do_harm_is_never_advised_beside_settings(tmp_path):
    class Harm:
        def __reduce__(self):
            return os.system, ("true",)

    torch.save({"args": argparse.Namespace(lr=0.1), "x": Harm()}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError) as refused:
        io.load(tmp_path / "a.pt")
    assert "add_safe_globals" not in str(refused.value)


@pytest.mark.parametrize("name", ["n" * 300, "a\0b", "a/" + "n" * 300 + "/b.pt"])
def test_names_that_cannot_be_are_refused(tmp_path, name):
    with pytest.raises(CheckpointError, match=r"checkpoint must (exist|be readable)"):
        io.load(tmp_path / name)


def test_a_pipe_is_no_checkpoint(tmp_path):
    os.mkfifo(tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="is a file, or a folder"):
        io.load(tmp_path / "a.pt")
