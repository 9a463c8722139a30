"""Arrays of positions, packed for JSON."""

import json

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from ridgeline.io.indices import pack, unpack


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.integers(-9, 9), max_size=12))
def test_any_list_comes_back(values):
    array = np.array(values, dtype=np.int64)
    packed = pack(array)
    assert json.loads(json.dumps(packed)) == packed
    assert np.array_equal(unpack(packed), array) and unpack(packed).dtype == np.int64


@pytest.mark.parametrize("shape", [(0,), (3, 0), (1,), (2, 3), (2, 1, 3), ()])
def test_every_shape_comes_back(shape):
    array = np.random.default_rng(0).permutation(int(np.prod(shape))).reshape(shape)
    assert np.array_equal(unpack(pack(array)), array)


def test_what_is_affine_has_a_start_and_strides():
    array = 5 + 3 * np.arange(4)[:, None] - 2 * np.arange(3)
    assert pack(array) == {"shape": [4, 3], "start": 5, "strides": [3, -2]}
    assert pack(np.zeros((0, 2))) == {"shape": [0, 2], "start": 0, "strides": [0, 0]}


def test_other_arrays_are_runs_of_one_step():
    assert pack(np.array([0, 1, 2, 7, 5, 3, 9]))["runs"] == [[0, 1, 3], [7, -2, 3], [9, 0, 1]]
    assert pack(np.array([4, 4, 1]))["runs"] == [[4, 0, 2], [1, 0, 1]]


@pytest.mark.parametrize(
    ("packed", "error", "said"),
    [
        ({"shape": [-1], "start": 0, "strides": [1]}, ValueError, r"an array of shape \[-1\]"),
        ({"shape": [2**31, 2], "start": 0, "strides": [1, 1]}, ValueError, "an array of shape"),
        ({"shape": [3], "runs": [[0, 1, 2]]}, ValueError, r"do not fill the shape \[3\]"),
        ({"shape": [1], "runs": [[0, 1, 2], [0, 1, -1]]}, ValueError, "do not fill"),
        (
            {"shape": [3], "start": 0, "strides": [1, 1]},
            ValueError,
            r"2 strides for the shape \[3\]",
        ),
        (
            {"shape": [True], "start": 0, "strides": [1]},
            TypeError,
            "True, which is no whole number",
        ),
        ({"shape": [2], "start": 0.5, "strides": [1]}, TypeError, "0.5, which is no whole number"),
        ({"shape": [2], "runs": [["0", 1, 2]]}, TypeError, "'0', which is no whole number"),
    ],
)
def test_what_cannot_be_unpacked_is_said(packed, error, said):
    with pytest.raises(error, match=said):
        unpack(packed)


def test_the_largest_may_be_as_large_as_is_allowed(monkeypatch):
    monkeypatch.setattr("ridgeline.io.indices.LARGEST", 4)
    assert unpack({"shape": [4], "start": 0, "strides": [0]}).tolist() == [0] * 4
    with pytest.raises(ValueError, match="an array of shape"):
        unpack({"shape": [5], "start": 0, "strides": [0]})
