"""The user's own data, as a data set."""

import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from ridgeline.data.own import load
from ridgeline.data.sets import DataSet, Split
from ridgeline.errors import DataError

X, Y = torch.zeros(4, 2), torch.tensor([0, 3, 1, 0])


@pytest.fixture
def of(monkeypatch):
    """Load what is put under the name `it` of a module."""

    def read(found):
        module = ModuleType("own_data_of_a_test")
        module.it = found
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return load("own_data_of_a_test:it")

    return read


@pytest.mark.parametrize(
    "found",
    [(X, Y), lambda: (X, Y), TensorDataset(X, Y), DataLoader(TensorDataset(X, Y)), [(X, Y)]],
    ids=["pair", "function", "set", "loader", "list"],
)
def test_data_or_what_makes_them(of, found):
    made = of(found)
    assert (
        list(made.splits) == ["all"] and torch.equal(made["all"].targets, Y) and made.classes == 4
    )
    assert made.name == made.source == "own_data_of_a_test:it"


def test_a_dict_is_of_splits(of):
    made = of({"train": (X, Y), "test": (X, Y + 2)})
    assert list(made.splits) == ["train", "test"] and made.classes == 6


def test_data_sets_and_splits_stay_as_they_are(of):
    whole = DataSet(name="n", splits={"a": Split(X, Y)}, classes=9, source="s")
    assert of(whole) is whole
    split = Split(X, Y)
    assert of({"train": split})["train"] is split


@pytest.mark.parametrize(
    ("targets", "classes"),
    [(Y, 4), (Y.double(), None), (Y[:, None], None), (Y - 1, None),
     (torch.tensor([0, -100, 1, 0]), 2), (torch.full((4,), -100), None)],
)  # fmt: skip
def test_classes_are_the_largest_label_and_one(of, targets, classes):
    assert of((X, targets)).classes == classes


def test_arrays_of_numpys_type_become_torchs(of):
    made = of((np.zeros((4, 2)), np.array([0, 1, 0, 1])))
    assert made["all"].inputs.dtype is torch.float32 and made["all"].targets.dtype is torch.int64


def test_inputs_alone_are_their_own_targets(of):
    made = of(X)
    assert made["all"].targets is made["all"].inputs and made.classes is None


def test_what_is_no_data_is_told_with_its_name(of):
    with pytest.raises(DataError, match="A function that makes a data set returns") as caught:
        of(lambda: 3)
    assert caught.value.got == "int from own_data_of_a_test:it"
    with pytest.raises(DataError, match="from own_data_of_a_test:it"):
        of(list)
