"""Parts of a batch as tensors, wherever they stand."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
import torch

from ridgeline.errors import DataError
from ridgeline.objective.parts import GONE, first_word, is_array, plain, tensors_in, wordy


class Pair(NamedTuple):
    x: object
    y: object


@dataclass
class Record:
    x: object
    y: object


class Column:
    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values)


def test_dataclasses_and_mappings_are_dicts_however_deep():
    given = {"a": Record([1], Record(2, (3,)))}
    assert plain(given) == {"a": {"x": [1], "y": {"x": 2, "y": (3,)}}}
    assert plain(Record) is Record


def test_tuples_lists_and_named_tuples_keep_their_kind():
    made = plain(Pair([Record(1, 2)], (3,)))
    assert type(made) is Pair and made.x == [{"x": 1, "y": 2}] and made.y == (3,)


def test_what_holds_an_array_is_that_array():
    made = plain([Column([1.0, 2.0])])[0]
    assert isinstance(made, np.ndarray) and made.tolist() == [1.0, 2.0]
    given = np.float64(2.0), np.ones(1), torch.ones(1)
    assert all(one is other for one, other in zip(plain(given), given, strict=True))


@pytest.mark.parametrize(
    ("value", "is_one"),
    [(torch.ones(1), True), (np.ones(1), True), (Column([1]), True), (np.float32(1), False),
     ([1.0], False), (np.ndarray, False), (3.0, False)],
)  # fmt: skip
def test_arrays_are_known(value, is_one):
    assert is_array(value) is is_one


@pytest.mark.parametrize(
    ("value", "is_one"),
    [("a", True), (b"a", True), (["a", ("b", b"c")], True), ([], False), (["a", 1], False),
     (np.array(["a"]), True), (np.array(["a", 1], dtype=object), False),
     (np.array([], dtype=object), False), (np.array(["2020-01-01"], dtype="datetime64[D]"), True),
     (np.ones(1), False), (1, False)],
)  # fmt: skip
def test_words_are_known(value, is_one):
    assert wordy(value) is is_one


def test_the_first_word_of_a_nest():
    assert first_word([np.array([["x", "y"]]), "z"]) == "x"


def test_words_are_left_out_by_name_and_constants_stay():
    left: list[str] = []
    made = tensors_in({"x": torch.ones(2), "file": ["a", "b"], "flag": True}, "d", 2, left)
    assert list(made) == ["x", "flag"] and left == ["file"]
    assert tensors_in(["a"], "words", None, left) is GONE and left[-1] == "words"
    assert tensors_in("one word", "w", None, left) == "one word" and len(left) == 2


def test_a_tuple_without_some_parts_is_a_plain_one_and_a_whole_named_one_stays():
    left: list[str] = []
    made = tensors_in(Pair(np.ones(2), ["a", "b"]), "inputs", 2, left)
    assert type(made) is tuple and len(made) == 1 and left == ["inputs[1]"]
    assert type(tensors_in(Pair(np.ones(2), np.ones(2)), "inputs", 2)) is Pair
    assert tensors_in((["a"],), "inputs") is GONE


def test_numbers_for_each_sample_are_a_tensor_and_others_stand_beside_it():
    assert torch.equal(tensors_in([1, 2, 3], "x", 3), torch.tensor([1, 2, 3]))
    assert torch.equal(tensors_in([1, 2, 3], "x"), torch.tensor([1, 2, 3]))
    assert tensors_in([1, 2, 3], "x", 2) == (1, 2, 3)
    assert tensors_in([], "x") == ()
    assert tensors_in(np.int64(3), "x") == 3


def test_rows_of_samples_are_stacked_and_columns_of_them_stay_apart():
    rows = [torch.ones(4), torch.zeros(4), torch.ones(4)]
    assert tensors_in(rows, "x", 3).shape == (3, 4)
    assert [x.shape for x in tensors_in(rows, "x", 4)] == [(4,)] * 3
    assert [x.shape for x in tensors_in(rows, "x")] == [(4,)] * 3


@pytest.mark.parametrize(
    ("value", "count", "got"),
    [([torch.ones(2), torch.ones(3)], None, "stack expects each tensor to be equal size"),
     ([torch.ones(5), torch.ones(5)], 3, "2 entries for 3 samples, for tokens"),
     (torch.nested.nested_tensor([torch.ones(2)], layout=torch.jagged), 1, "a nested tensor")],
)  # fmt: skip
def test_samples_of_several_shapes_are_refused_with_how_to_pad(value, count, got):
    with pytest.raises(DataError, match="are of one shape") as caught:
        tensors_in(value, "tokens", count)
    assert got in caught.value.got and caught.value.got.endswith("for tokens")
    assert "Pad sequences to one length" in caught.value.remedy


def test_what_is_no_part_of_a_batch_is_named_with_its_place():
    with pytest.raises(DataError, match="made of tensors and arrays") as caught:
        tensors_in({"a": (1, object())}, "inputs")
    assert caught.value.got == "object in a[1]" and "collate_fn" in caught.value.remedy


def test_an_array_of_another_byte_order_is_copied_and_a_plain_one_is_not():
    big = np.array([1.0, 2.0], dtype=">f4")
    assert tensors_in(big, "x").tolist() == [1.0, 2.0]
    own = np.ones(2)
    made = tensors_in(own, "x")
    own[0] = 5
    assert made.tolist() == [5.0, 1.0]


def test_a_read_only_array_is_copied():
    own = np.ones(2)
    own.flags.writeable = False
    made = tensors_in(own, "x")
    made[0] = 5
    assert own.tolist() == [1.0, 1.0]


def test_an_array_that_torch_does_not_know_is_refused():
    with pytest.raises(DataError, match="arrays or tensors of numbers") as caught:
        tensors_in(np.zeros(2, dtype=[("a", "f4")]), "x")
    assert caught.value.got.endswith("for x")


def test_objects_in_an_array_are_looked_into_and_sparse_tensors_are_dense():
    made = tensors_in(np.array([1, 2], dtype=object), "x")
    assert torch.equal(made, torch.tensor([1, 2]))
    assert tensors_in(torch.eye(2).to_sparse(), "x").tolist() == [[1, 0], [0, 1]]
