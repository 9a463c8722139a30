"""Values of a table: when two are the same, and columns of them as arrays."""

import math

import numpy as np
import pytest

from ridgeline.errors import UsageError
from ridgeline.frame.values import array_of, asked_for, is_missing, key_of, plain_of


def test_keys_tell_values_apart():
    assert key_of(True) != key_of(1) and key_of(1) == key_of(np.int64(1)) == key_of(1.0)
    assert key_of(math.nan) == key_of(np.float32("nan"))
    assert key_of([1, [True]]) == key_of((1, (True,))) != key_of((1, (1,)))
    assert key_of(np.bool_(True)) == key_of(True)
    assert key_of("nan") != key_of(math.nan) and key_of(None) is None


def test_a_value_that_cannot_be_told_apart_is_refused():
    with pytest.raises(UsageError, match=r"numbers, texts, truth values, or tuples.* Got dict"):
        key_of({})


@pytest.mark.parametrize(
    ("values", "dtype", "want"),
    [
        ([1, 2], np.int64, [1, 2]),
        ([np.int32(1), 2], np.int64, [1, 2]),
        ([True, np.bool_(False)], bool, [True, False]),
        ([1, 2.5], np.float64, [1, 2.5]),
        ([True, 2], np.int64, [1, 2]),
        ([], object, []),
        (["a", 1], object, ["a", 1]),
        ([(1, 2), (3, 4)], object, [(1, 2), (3, 4)]),
        ([None, None], object, [None, None]),
    ],
)
def test_a_column_has_the_type_of_its_values(values, dtype, want):
    found = array_of(values)
    assert found.dtype == dtype and found.tolist() == want and found.shape == (len(values),)


def test_what_is_missing_among_numbers_is_nan():
    found = array_of([1, None, 3])
    assert found.dtype == np.float64 and found[0] == 1 and np.isnan(found[1])
    assert array_of([True, None]).dtype == np.float64
    assert array_of(["a", None]).tolist() == ["a", None]


def test_missing_is_none_and_nothing_else():
    assert is_missing(None) and not any(map(is_missing, (0, math.nan, "", False)))


def test_values_of_a_file():
    made = [plain_of(v) for v in (np.float32(0.5), np.bool_(True), None, "x", (1, 2), 3)]
    assert made == [0.5, True, None, "x", "(1, 2)", 3]
    assert type(made[0]) is float and type(made[1]) is bool


def test_columns_are_asked_for_by_parameters_without_defaults():
    def function(a, *args, b, c=1, **more):
        return a

    assert asked_for(function) == ["a", "b"]
    assert asked_for(lambda row, a: 0, ["a"]) == ["row", "a"]


def test_a_parameter_that_is_no_column_is_told_with_those_known():
    def ratio(a, z):
        return a

    with pytest.raises(UsageError, match="names them by its parameters") as caught:
        asked_for(ratio, ["a", "b"])
    assert caught.value.got == "ratio(a, z); no column 'z' among a, b"
    with pytest.raises(UsageError, match="no column 'z' among none"):
        asked_for(lambda z: z, [])
