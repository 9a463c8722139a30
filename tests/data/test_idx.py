import gzip
import struct

import numpy as np
import pytest
import torch

from ridgeline import data
from ridgeline.data import idx
from ridgeline.errors import DataError

CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def encode(array):
    head = bytes([0, 0, CODES[array.dtype.str[1:]], array.ndim])
    big = array.astype(array.dtype.newbyteorder(">"))
    return head + struct.pack(f">{array.ndim}I", *array.shape) + big.tobytes()


def write_set(folder, *, train=40, test=20, zipped=False, size=28):
    """The four files of MNIST with random content; returns the training images."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    images = {}
    for split, n in (("train", train), ("test", test)):
        images[split] = rng.integers(0, 256, (n, size, size), dtype=np.uint8)
        labels = (np.arange(n) % 10).astype(np.uint8)
        for name, array in zip(idx.FILES[split], (images[split], labels), strict=True):
            content = encode(array)
            if zipped:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
            else:
                (folder / name).write_bytes(content)
    return images["train"]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("inside", ["", "mnist", "MNIST/raw"])
def test_mnist_is_read_from_where_people_keep_it(tmp_path, zipped, inside):
    images = write_set(tmp_path / inside, zipped=zipped)
    read = data.load("mnist", root=tmp_path, normalise=False)
    assert read["train"].inputs.shape == (40, 1, 28, 28)
    assert read["train"].inputs.dtype == torch.float32
    assert read["train"].targets.dtype == torch.int64
    assert read["test"].targets.tolist() == [i % 10 for i in range(20)]
    torch.testing.assert_close(
        read["train"].inputs[:, 0], torch.from_numpy(images).float() / 255, rtol=0, atol=0
    )
    assert read.source == str(tmp_path / inside if inside else tmp_path)
    normalised = data.load("mnist", root=tmp_path)["train"].inputs
    torch.testing.assert_close(normalised, (read["train"].inputs - 0.1307) / 0.3081)


def test_the_environment_names_a_folder_too_but_never_mixes_two_sets(tmp_path, monkeypatch):
    monkeypatch.setenv("RIDGELINE_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_set(tmp_path / "mnist")
    assert len(data.load("mnist")["train"]) == 40
    (tmp_path / "mnist").rename(tmp_path / "fashion-mnist")
    assert len(data.load("fashion-mnist")["train"]) == 40
    with pytest.raises(DataError, match="files of mnist must be on this machine"):
        data.load("mnist")


@pytest.mark.parametrize("kind", CODES)
def test_every_type_of_idx_is_read(tmp_path, kind):
    array = np.arange(-3, 9).astype(kind).reshape(3, 4)
    (tmp_path / "a").write_bytes(encode(array))
    assert torch.equal(idx.read(tmp_path / "a"), torch.from_numpy(array))


def test_truncated_and_overlong_files_name_both_sizes(tmp_path):
    write_set(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte"
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    with pytest.raises(
        DataError,
        match=r"31360 bytes for shape \(40, 28, 28\)\. Got '.*train-images-idx3-ubyte' with 31353",
    ):
        data.load("mnist", root=tmp_path)
    path.write_bytes(whole + b"x")
    with pytest.raises(DataError, match="with more than 31360"):
        data.load("mnist", root=tmp_path)
    path.write_bytes(whole[:9])
    with pytest.raises(DataError, match=r"a header of 16 bytes\. Got .* with 9"):
        data.load("mnist", root=tmp_path)


@pytest.mark.parametrize("content", [b"", b"\0\0", b"PK\x03\x04", b"\0\0\x07\x03", b"\0\0\x08\0"])
def test_what_is_no_idx_is_refused(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(DataError, match="starts with two zero bytes"):
        idx.read(tmp_path / "a")


def test_a_header_that_promises_too_much_takes_no_memory(tmp_path):
    (tmp_path / "a").write_bytes(b"\0\0\x08\x03" + b"\xff" * 12)
    with pytest.raises(DataError, match="truncated or corrupt"):
        idx.read(tmp_path / "a")


def test_broken_compression_is_refused(tmp_path):
    write_set(tmp_path, zipped=True)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 255
    for content in (whole[: len(whole) // 2], b"not gzip at all", bytes(flipped)):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"must be whole.*train-images-idx3-ubyte\.gz"):
            data.load("mnist", root=tmp_path)


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    write_set(tmp_path)
    labels = tmp_path / "train-labels-idx1-ubyte"
    labels.write_bytes(encode(np.zeros(39, np.uint8)))
    with pytest.raises(DataError, match=r"40 in '.*images.*', 39 in '.*labels"):
        data.load("mnist", root=tmp_path)
    labels.write_bytes(encode(np.zeros((40, 2), np.uint8)))
    with pytest.raises(DataError, match=r"bytes along 1 axes\. .*shape \(40, 2\)"):
        data.load("mnist", root=tmp_path)
    labels.write_bytes(encode(np.full(40, 10, np.uint8)))
    with pytest.raises(DataError, match=r"Labels of 10 classes are from 0 to 9\. Got labels from"):
        data.load("mnist", root=tmp_path)


def test_an_unreadable_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="must be readable"):
        idx.read(tmp_path)


def test_debian_s_fashion_mnist_is_found(monkeypatch, tmp_path):
    from ridgeline.data.catalogue import ON_DISK

    installed = ON_DISK["fashion-mnist"].installed
    if installed is None or not installed.is_dir():
        pytest.skip("the package dataset-fashion-mnist is not installed")
    monkeypatch.delenv("RIDGELINE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    read = data.load("fashion-mnist?train=1000&test=200")
    assert read.source == str(installed)
    assert read["train"].targets.bincount().tolist() == [100] * 10
    assert abs(float(read["train"].inputs.mean())) < 0.05
    assert abs(float(read["train"].inputs.std()) - 1) < 0.05
