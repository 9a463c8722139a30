"""One batch, as loaders and functions give it."""

from collections import namedtuple

import numpy as np
import pytest
import torch

from ridgeline.errors import DataError
from ridgeline.objective.collation import LABELS, join, read_batch
from ridgeline.objective.samples import Samples

X, Y, Z = torch.zeros(3, 2), torch.tensor([0, 1, 2]), torch.ones(3)
NAMES = ["a.png", "b.png", "c.png"]
Named = namedtuple("Named", "pixels name target")


def test_targets_are_under_the_first_of_their_names():
    given = {name: torch.tensor([k] * 3) for k, name in enumerate(LABELS)} | {"x": X}
    found = read_batch(given, labelled=True)
    assert found.targets.tolist() == [0, 0, 0]
    assert list(found.inputs) == ["label", "targets", "target", "y", "x"]


def test_a_dict_without_targets_is_inputs_where_none_are_needed():
    assert list(read_batch({"x": X}, labelled=False).inputs) == ["x"]
    with pytest.raises(DataError, match="under one of labels, label, targets, target, y") as caught:
        read_batch({"x": X, "z": Z}, labelled=True)
    assert caught.value.got == "keys x, z"


def test_the_last_of_a_tuple_are_the_targets():
    found = read_batch((X, Y), labelled=True)
    assert found.inputs is X and found.targets is Y
    several = read_batch([X, Z, Y], labelled=True)
    assert isinstance(several.inputs, tuple) and several.targets is Y


def test_words_beside_are_left_out_and_counted_from_one():
    found = read_batch((X, NAMES, Y), labelled=True)
    assert found.inputs is X and found.targets is Y and found.left_out == ("element 2",)


def test_a_named_tuple_is_read_by_its_names():
    found = read_batch(Named(X, NAMES, Y), labelled=True)
    assert found.inputs is X and found.targets is Y and found.left_out == ("name",)


def test_a_named_tuple_of_several_inputs_is_a_tuple_of_them():
    other = namedtuple("Other", "p q label")
    found = read_batch(other(X, Z, Y), labelled=True)
    assert isinstance(found.inputs, tuple) and len(found.inputs) == 2


def test_words_as_targets_are_refused_with_how_to_number_them():
    with pytest.raises(DataError, match="Targets are numbers") as caught:
        read_batch((X, ["cat", "dog", "cat"]), labelled=True)
    assert caught.value.got == "words, as 'cat'" and "Number the classes from 0" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("given", "got"), [((NAMES, Y), "tuple"), ({"text": NAMES, "y": Y}, "words alone")]
)
def test_words_as_inputs_are_refused(given, got):
    with pytest.raises(DataError) as caught:
        read_batch(given, labelled=True)
    assert caught.value.got == got


def test_constants_alone_are_no_inputs():
    with pytest.raises(DataError, match="are numbers in tensors or arrays") as caught:
        read_batch({"flag": True, "y": Y}, labelled=True)
    assert caught.value.got == "dict" and "a tokeniser's ids" in caught.value.remedy


def test_inputs_alone_are_taken_where_no_targets_are_needed():
    assert read_batch(X, labelled=False).targets is None
    assert read_batch((X, None), labelled=False).inputs is X
    for given in (X, (X,), (X, None)):
        with pytest.raises(DataError, match=r"A batch is \(inputs, targets\)"):
            read_batch(given, labelled=True)


@pytest.mark.parametrize("kind", [torch.uint8, torch.int16, torch.int32])
def test_whole_targets_are_wide_and_others_stay(kind):
    assert read_batch((X, Y.to(kind)), labelled=True).targets.dtype is torch.int64
    for other in (torch.bool, torch.float32, torch.complex64):
        assert read_batch((X, Y.to(other)), labelled=True).targets.dtype is other


def test_lists_of_numbers_are_as_long_as_the_targets_or_stand_beside():
    assert read_batch(({"x": X, "length": [4, 5, 6]}, Y), True).inputs["length"].tolist() == [
        4,
        5,
        6,
    ]
    assert read_batch(({"x": X, "size": [4, 5]}, Y), True).inputs["size"] == (4, 5)


def test_batches_stand_one_after_another():
    found = join([Samples(X, Y, ("b",)), Samples(X + 1, Y + 3, ("a", "b"))])
    assert found.inputs[:, 0].tolist() == [0, 0, 0, 1, 1, 1]
    assert found.targets.tolist() == [0, 1, 2, 3, 4, 5] and found.left_out == ("b", "a")


def test_constants_are_the_same_in_every_batch():
    parts = [Samples({"x": X, "flag": True}, Y), Samples({"x": X, "flag": True}, Y)]
    assert join(parts).inputs["flag"] is True
    for other in (False, 1):
        parts[1] = Samples({"x": X, "flag": other}, Y)
        with pytest.raises(DataError, match="the same in every batch") as caught:
            join(parts)
        assert caught.value.got == f"True, {other!r}"
        assert "Give what differs from sample to sample as a tensor" in caught.value.remedy


@pytest.mark.parametrize("other", [Samples(torch.zeros(3, 5), Y), Samples({"x": X}, Y)])
def test_batches_of_other_forms_do_not_stack(other):
    with pytest.raises(DataError, match="must stack into one array") as caught:
        join([Samples(X, Y), other])
    assert caught.value.got and "Pad sequences" in caught.value.remedy


def test_a_single_sample_is_no_batch():
    with pytest.raises(DataError, match="along the first axis") as caught:
        join([Samples(X[0], Y[0])])
    assert "a single number" in caught.value.got and "Give batches" in caught.value.remedy


def test_arrays_of_numpy_are_read_like_tensors():
    found = read_batch((np.zeros((3, 2)), np.arange(3)), labelled=True)
    assert isinstance(found.inputs, torch.Tensor) and found.targets.tolist() == [0, 1, 2]
