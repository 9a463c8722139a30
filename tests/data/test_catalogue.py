import sys

import pytest
import torch

from ridgeline import data
from ridgeline.errors import DataError, UnknownName, UsageError

SOURCE = """
import numpy as np
import torch
from ridgeline.data import DataSet, Split

def pair(n=6):
    return np.arange(2.0 * n).reshape(n, 2), np.arange(n, dtype=np.int32) % 3

def splits():
    return {"train": pair(), "valid": Split(torch.ones(3, 2, dtype=torch.float64), torch.ones(3))}

def whole():
    return DataSet("theirs", {"only": Split(torch.ones(2, 1), torch.ones(2))})

def regression():
    return torch.ones(4, 1), torch.randn(4, 2)

def several(kind):
    x, y = pair()
    return {"tuple": (x, torch.ones(6)), "dict": {"x": x, "more": torch.ones(6)}}[kind], y

def zipped():
    return tuple(zip(*[(torch.ones(3) * k, k) for k in range(5)]))

def echo(text):
    return torch.ones(len(text)), torch.zeros(len(text), dtype=torch.int64)

def wrong(kind):
    return {"three": (1, 2, 3), "number": 3, "text": (["a"], ["b"]), "none": {},
            "ragged": ([[1, 2], [3]], [1, 2]), "empty": (np.ones((0, 2)), np.ones(0)),
            "named": (np.ones((2, 1)), ["cat", "dog"])}[kind]
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "own_data.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    sys.modules.pop("own_data", None)


def test_every_known_set_has_a_line_about_it():
    assert list(data.known())[:11] == [
        "digits", "mnist1d", "mnist", "fashion-mnist", "cifar10", "cifar100",
        "breast-cancer", "wine", "digits-parity", "diabetes", "clusters",
    ]  # fmt: skip
    assert {name.partition("-")[0] for name in list(data.known())[11:]} == {"r", "openml"}
    assert all(
        "classes" in line or "points" in line or "values" in line for line in data.known().values()
    )


def test_an_unknown_set_lists_the_nearest_first():
    with pytest.raises(
        UnknownName,
        match=r"data set must be one that is known\. Got 'fashon-mnist'\. "
        r"Did you mean 'fashion-mnist'\? Known: fashion-mnist, .*my_project\.data:build",
    ):
        data.load("fashon-mnist")


def test_sizes_select_balanced_subsets():
    read = data.load("digits?train=100&test=20&seed=4")
    assert read.name == "digits?train=100&test=20&seed=4"
    assert read["train"].targets.bincount().tolist() == [10] * 10
    assert read["test"].targets.bincount().tolist() == [2] * 10
    assert data.load("digits?train=100&test=20").fingerprint != read.fingerprint
    assert len(data.load("digits?test=20")["train"]) == 1437
    assert data.load(" digits?seed=3 ").name == "digits"


def test_pixels_can_be_left_as_they_are():
    plain = data.load("digits?train=50&normalise=0")["train"].inputs
    assert (float(plain.min()), float(plain.max())) == (0.0, 1.0)
    same = data.load("digits?train=50", normalise=False)["train"].inputs
    torch.testing.assert_close(plain, same)
    assert data.load("digits?normalise=1").fingerprint == data.load("digits").fingerprint
    with pytest.raises(UsageError, match="0 or 1"):
        data.load("digits?normalise=2")
    with pytest.raises(UnknownName, match="normalise"):
        data.load("mnist1d?normalise=0")


@pytest.mark.parametrize("text", ["train=many", "train=-1", "train", "=3", "", "train=1&train=2"])
def test_malformed_options_are_refused(text):
    with pytest.raises(UsageError, match=r"whole numbers, each given once.*digits\?train=5000"):
        data.load(f"digits?{text}")


def test_unknown_options_and_impossible_sizes_are_refused():
    with pytest.raises(UnknownName, match=r"option of digits.*'trian'.*Did you mean 'train'"):
        data.load("digits?trian=100")
    with pytest.raises(DataError, match="from 1 to 360"):
        data.load("digits?test=361")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("mnist", r"Provide them with `download=True`"),
        ("fashion-mnist", r"`apt-get install dataset-fashion-mnist`, or `download=True`"),
        ("cifar10", r"`download=True`, or say where they are with `root=DIR`"),
    ],
)
def test_missing_files_list_the_places_and_the_command(tmp_path, monkeypatch, name, remedy):
    from dataclasses import replace

    from ridgeline.data import catalogue

    monkeypatch.setenv("RIDGELINE_DATA", str(tmp_path / "env"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    entry = replace(catalogue.ON_DISK[name], installed=tmp_path / "usr")
    monkeypatch.setitem(catalogue.ON_DISK, name, entry)
    with pytest.raises(DataError, match=remedy) as caught:
        data.load(name, root=tmp_path / "root")
    for place in ("root", f"root/{name}", f"env/{name}", f"cache/ridgeline/{name}", "usr"):
        assert f"'{tmp_path / place}'" in str(caught.value)


# --- the user's own ----------------------------------------------------------------------


@pytest.mark.usefixtures("project")
def test_a_pair_becomes_a_data_set():
    read = data.load("own_data:pair(n=9)")
    assert list(read.splits) == ["all"]
    assert read["all"].inputs.dtype == torch.float32
    assert read["all"].targets.dtype == torch.int64
    assert read.classes == 3
    assert data.load("own_data:pair(n=9)?all=3")["all"].targets.sort().values.tolist() == [0, 1, 2]


@pytest.mark.usefixtures("project")
def test_splits_and_data_sets_are_taken_as_they_are():
    read = data.load("own_data:splits")
    assert list(read.splits) == ["train", "valid"]
    assert read["valid"].inputs.dtype == torch.float64
    assert read.classes is None
    assert data.load("own_data:whole").name == "theirs"
    assert data.load("own_data:regression").classes is None


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("kind", ["tuple", "dict"])
def test_several_inputs_are_taken_as_an_objective_takes_them(kind):
    read = data.load(f"own_data:several('{kind}')?all=3")["all"]
    parts = read.inputs.values() if kind == "dict" else read.inputs
    assert type(read.inputs).__name__ == kind
    assert [tuple(x.shape) for x in parts] == [(3, 2), (3,)]
    assert all(x.dtype == torch.float32 for x in parts)


@pytest.mark.usefixtures("project")
def test_a_tuple_of_samples_is_one_input():
    read = data.load("own_data:zipped")["all"]
    assert torch.equal(read.inputs, torch.arange(5.0)[:, None].expand(5, 3))


@pytest.mark.usefixtures("project")
def test_a_question_mark_in_an_argument_is_no_option():
    assert len(data.load("own_data:echo('a?b=(c')")["all"]) == 6
    assert len(data.load("own_data:echo('a?b')?all=2")["all"]) == 2


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("three", r"A batch is \(inputs, targets\).* Got int, from own_data:wrong\('three'\)"),
        ("number", r"returns a DataSet, a pair .* Got int from"),
        ("text", r"A batch is \(inputs, targets\).* Got list, from own_data"),
        ("named", r"Targets are numbers\. Got words, as 'cat', from .* Number the classes from 0"),
        ("ragged", r"of one shape\. .*for the inputs, from own_data.* Pad sequences"),
        ("none", "must have a split"),
        ("empty", r"at least one sample\. Got no samples, from own_data"),
    ],
)
def test_other_results_are_refused(kind, message):
    with pytest.raises(DataError, match=message):
        data.load(f"own_data:wrong('{kind}')")


@pytest.mark.usefixtures("project")
def test_a_missing_function_of_mine_is_named():
    with pytest.raises(UnknownName, match=r"\(for the data set\).*Did you mean 'pair'"):
        data.load("own_data:pairs")
