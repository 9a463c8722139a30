import io
import os
import pickle
import struct
import tarfile

import numpy as np
import pytest
import torch

from ridgeline import data
from ridgeline.data import cifar
from ridgeline.errors import DataError

N = 10


def batch(seed, classes):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (N, 3072), dtype=np.uint8), rng.integers(0, classes, N).tolist()


def python2_pickle(images, labels, key):
    """A batch in the opcodes that Python 2 wrote, strings being bytes: as it is published."""

    def text(value):
        return pickle.SHORT_BINSTRING + bytes([len(value)]) + value

    def whole(value):
        return pickle.BININT + struct.pack("<i", value)

    raw = images.tobytes()
    dtype = (
        b"cnumpy\ndtype\n" + text(b"u1") + whole(0) + whole(1) + pickle.TUPLE3 + pickle.REDUCE
        + b"(" + whole(3) + text(b"|") + b"NNN" + whole(-1) + whole(-1) + whole(0) + b"t" + b"b"
    )  # fmt: skip
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
        + whole(0) + b"\x85" + text(b"b") + b"\x87R"
        + b"(" + whole(1) + whole(len(images)) + whole(3072) + b"\x86" + dtype + b"\x89"
        + pickle.BINSTRING + struct.pack("<i", len(raw)) + raw + b"tb"
    )  # fmt: skip
    listed = b"]" + b"(" + b"".join(whole(label) for label in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(key) + listed + b"u."


def contents(name, kind):
    """Files of one layout, and what they hold."""
    python, binary = cifar.LAYOUTS[name]
    layout = {"python2": python, "python3": python, "binary": binary}[kind]
    classes = 10 if name == "cifar10" else 100
    files, held = {}, {}
    for split, members in layout.members.items():
        parts = [batch(10 * (split == "test") + i, classes) for i in range(len(members))]
        for file, (images, labels) in zip(members, parts, strict=True):
            if kind == "binary":
                head = np.array(labels, np.uint8)[:, None]
                if name == "cifar100":
                    head = np.concatenate([np.full((N, 1), 7, np.uint8), head], axis=1)
                files[file] = np.concatenate([head, images], axis=1).tobytes()
            elif kind == "python2":
                files[file] = python2_pickle(images, labels, layout.labels.encode())
            else:
                files[file] = pickle.dumps({"data": images, layout.labels: labels}, protocol=2)
        held[split] = (
            np.concatenate([p[0] for p in parts]).reshape(-1, 3, 32, 32),
            [label for _, labels in parts for label in labels],
        )
    return layout, files, held


def unpack(folder, layout, files):
    (folder / layout.folder).mkdir(parents=True)
    for file, content in files.items():
        (folder / layout.folder / file).write_bytes(content)


def pack(folder, layout, files):
    with tarfile.open(folder / layout.archive, "w:gz") as archive:
        for file, content in files.items():
            entry = tarfile.TarInfo(f"{layout.folder}/{file}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
@pytest.mark.parametrize("kind", ["python2", "python3", "binary"])
@pytest.mark.parametrize("place", [unpack, pack])
def test_every_published_form_is_read(tmp_path, name, kind, place):
    layout, files, held = contents(name, kind)
    place(tmp_path, layout, files)
    read = data.load(name, root=tmp_path, normalise=False)
    for split, (images, labels) in held.items():
        torch.testing.assert_close(read[split].inputs, torch.from_numpy(images).float() / 255)
        assert read[split].targets.tolist() == labels
    assert len(read["train"]) == (50 if name == "cifar10" else 10)
    assert list((tmp_path).iterdir()) == [next(iter(tmp_path.iterdir()))]  # nothing unpacked


def test_channels_are_normalised_each_by_its_own(tmp_path):
    layout, files, held = contents("cifar10", "binary")
    unpack(tmp_path / "cifar10", layout, files)
    read = data.load("cifar10", root=tmp_path)["test"].inputs
    blue = torch.from_numpy(held["test"][0])[:, 2].float() / 255
    torch.testing.assert_close(read[:, 2], (blue - 0.4465) / 0.2616)


class Payload:
    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("place", [unpack, pack])
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_that_runs_code_is_refused_and_nothing_runs(tmp_path, place, protocol):
    target = tmp_path / "pwned"
    layout, files, _ = contents("cifar10", "python3")
    evil = Payload(os.system, f"touch {target}")
    files["data_batch_1"] = pickle.dumps({"data": evil, "labels": []}, protocol=protocol)
    place(tmp_path, layout, files)
    with pytest.raises(
        DataError,
        match=r"must not execute code.*data_batch_1 needs posix\.system; nothing was run",
    ):
        data.load("cifar10", root=tmp_path)
    assert not target.exists()


def replaced(tmp_path, content):
    layout, files, _ = contents("cifar10", "python3")
    files["data_batch_2"] = content
    unpack(tmp_path, layout, files)
    return data.load("cifar10", root=tmp_path)


def python3_pickle(value, labels=(0,)):
    return pickle.dumps({"data": value, "labels": list(labels)}, protocol=2)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        python3_pickle(np.zeros((1, 3072), np.uint8))[:-300],
        python3_pickle(np.zeros((1, 3072), np.float32)),
        python3_pickle(np.zeros((2, 3072), np.uint8)),
        python3_pickle(np.zeros((1, 99), np.uint8)),
        python3_pickle([1, 2]),
        pickle.dumps({"data": 1}),
        pickle.dumps([1]),
        python3_pickle(np.zeros((1, 3072), np.uint8), ["cat"]),
    ],
)
def test_torn_and_strange_pickles_are_refused(tmp_path, content):
    with pytest.raises(DataError, match=r"must be whole.*data_batch_2"):
        replaced(tmp_path, content)


def test_allowed_names_cannot_be_misused(tmp_path):
    encoded = Payload(__import__("_codecs").encode, "x", "rot13")
    with pytest.raises(DataError, match="needs encoding rot13"):
        replaced(tmp_path, pickle.dumps(encoded, protocol=2))


def test_a_reconstruction_of_another_kind_is_refused(tmp_path):
    content = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\ndtype\nK\x00\x85U\x01b\x87R."
    with pytest.raises(DataError, match="must not execute code"):
        replaced(tmp_path, content)


def test_torn_binaries_and_archives_are_refused(tmp_path):
    layout, files, _ = contents("cifar10", "binary")
    files["data_batch_3.bin"] = files["data_batch_3.bin"][:-1]
    unpack(tmp_path / "a", layout, files)
    with pytest.raises(
        DataError, match=r"data_batch_3\.bin has 30729 bytes, not a multiple of 3073"
    ):
        data.load("cifar10", root=tmp_path / "a")

    layout, files, _ = contents("cifar10", "binary")
    (tmp_path / "b").mkdir()
    del files["test_batch.bin"]
    pack(tmp_path / "b", layout, files)
    with pytest.raises(DataError, match=r"must be whole.*test_batch\.bin"):
        data.load("cifar10", root=tmp_path / "b")
    path = tmp_path / "b" / layout.archive
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"must be whole.*cifar-10-binary\.tar\.gz"):
        data.load("cifar10", root=tmp_path / "b")


def test_a_folder_in_place_of_a_file_in_an_archive_is_refused(tmp_path):
    layout = cifar.LAYOUTS["cifar100"][0]
    with tarfile.open(tmp_path / layout.archive, "w:gz") as archive:
        entry = tarfile.TarInfo(f"{layout.folder}/train")
        entry.type = tarfile.DIRTYPE
        archive.addfile(entry)
    with pytest.raises(DataError, match="train is not a file"):
        data.load("cifar100", root=tmp_path)
