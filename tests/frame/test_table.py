"""Frames: rows, groups, and the questions that are asked of them."""

import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgeline.errors import MissingExtra, UnknownName, UsageError
from ridgeline.frame import Frame

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "width": st.sampled_from([8, 16, 32]),
            "bias": st.sampled_from([True, False, "last", 1, 0]),
            "seed": st.integers(0, 4),
            "height": st.one_of(st.none(), st.floats(-5, 5)),
        }
    ),
    min_size=1,
    max_size=20,
)


def same(one, other):
    return one.columns == other.columns and all(
        one.values(name) == other.values(name) for name in one.columns
    )


@settings(max_examples=40, deadline=None)
@given(ROWS, st.sampled_from([True, False, "last", 1, 0]))
def test_where_and_by_commute(rows, bias):
    frame = Frame.of(rows)
    first = frame.where(bias=bias).by("width")
    then = frame.by("width").where(bias=bias)
    assert set(first) == set(then)  # the order is that of occurrence among the rows that are left
    assert all(same(first[width], then[width]) for width in first)


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_groups_are_all_rows_each_once(rows):
    frame = Frame.of(rows).derive(number=lambda row: None)
    frame = Frame({**{n: frame.values(n) for n in frame.columns}, "number": range(len(rows))})
    groups = frame.by("bias", "seed")
    assert sorted(n for group in groups.values() for n in group.values("number")) == list(
        range(len(rows))
    )
    for (bias, seed), group in groups.items():
        assert same(group, frame.where(bias=bias, seed=seed))


def test_true_is_not_one_and_a_list_is_any_of_several():
    frame = Frame({"bias": [True, 1, "last", False, 0]})
    assert frame.where(bias=1).values("bias") == (1,)
    assert len(frame.where(bias=True)) == 1
    assert len(frame.by("bias")) == 5
    assert frame.where(bias=["last", False]).values("bias") == ("last", False)
    assert frame.where(bias=lambda value: isinstance(value, str)).values("bias") == ("last",)
    assert len(frame.where(bias=float("nan"))) == 0


def test_a_tuple_is_one_value():
    frame = Frame({"at": [(0, 1), (1, 2), (0, 1)]})
    assert len(frame.where(at=(0, 1))) == 2
    assert list(frame.by("at")) == [(0, 1), (1, 2)]


def test_columns_are_derived_of_columns_that_parameters_name():
    def ratio(high, low, over=2.0):
        return high / low / over

    frame = Frame({"high": [4.0, 9.0, None], "low": [1.0, 3.0, 2.0]})
    found = frame.derive(ratio=ratio, large=lambda ratio: ratio > 1.8, kind="x")
    assert found.values("ratio") == (2.0, 1.5, None)  # missing where a column is
    assert found.values("large") == (True, False, None)
    assert found.values("kind") == ("x", "x", "x")
    assert found.derive(both=lambda row, x=None: len(row)).values("both") == (5, 5, 5)
    assert frame.columns == ["high", "low"]


def test_a_parameter_that_is_no_column_is_told():
    with pytest.raises(UsageError) as told:
        Frame({"high": [1]}).derive(x=lambda hihg: 1)
    assert "names them by its parameters" in told.value.rule
    assert "no column 'hihg' among high" in told.value.got


def test_unknown_columns_and_unequal_lengths_are_refused():
    with pytest.raises(UnknownName, match="widht"):
        Frame({"width": [1]}).where(widht=1)
    with pytest.raises(UsageError, match="one value a row"):
        Frame({"a": [1, 2], "b": [1]})
    with pytest.raises(UsageError, match="grouped by numbers"):
        Frame({"x": [np.zeros(2)]}).by("x")
    with pytest.raises(UsageError, match="must hold numbers"):
        Frame({"x": ["a", "b"]}).mean("x")


def test_arrays_have_the_type_of_their_values():
    frame = Frame({"b": [True, False], "i": [1, 2], "f": [1, None], "o": ["x", None]})
    assert [frame[name].dtype for name in "bifo"] == [bool, np.int64, np.float64, object]
    assert math.isnan(frame["f"][1])


def test_rows_of_two_frames_stand_one_after_the_other():
    one, other = Frame({"a": [1]}, notes=["n"]), Frame({"a": [2], "b": [3]}, notes=["n", "m"])
    found = one + other
    assert found.values("a") == (1, 2)
    assert found.values("b") == (None, 3)
    assert found.notes == ("n", "m")


def test_a_balanced_panel_has_the_units_that_are_everywhere():
    frame = Frame({"width": [8, 8, 16, 16, 32], "seed": [0, 1, 0, 1, 0]})
    assert frame.balanced("seed", "width").values("seed") == (0, 0, 0)


def test_pairs_stand_side_by_side_and_what_lacks_a_side_is_left_out():
    frame = Frame(
        {
            "align": ["naive", "naive", "aligned"],
            "a": [0, 0, 0],
            "b": [1, 2, 1],
            "barrier": [2.0, 3.0, 0.5],
        }
    )
    found = frame.paired("barrier", "align", ("a", "b"))
    assert list(found) == [{"a": 0, "b": 1, "naive": 2.0, "aligned": 0.5}]
    with pytest.raises(UsageError, match="one row at each align"):
        frame.paired("barrier", "align", "a")


def test_a_matrix_is_symmetric_with_nan_where_there_is_no_pair():
    frame = Frame({"a": ["x", "x"], "b": ["y", "z"], "barrier": [1.0, 2.0]})
    names, found = frame.matrix("barrier")
    assert names == ["x", "y", "z"]
    np.testing.assert_array_equal(found, [[0, 1, 2], [1, 0, np.nan], [2, np.nan, 0]])
    twice = frame + Frame({"a": ["y"], "b": ["x"], "barrier": [1.0]})
    with pytest.raises(UsageError, match="one row a pair"):
        twice.matrix("barrier")


def test_rows_are_sorted_numbers_first():
    frame = Frame({"x": ["b", 2, None, 1, "a"]})
    assert frame.sorted("x").values("x") == (1, 2, "a", "b", None)


def test_a_table_is_text_with_notes():
    frame = Frame({"width": [8, 16], "barrier": [0.123456, None], "run": [object(), object()]})
    text = str(frame.noted("Read this."))
    assert text.splitlines() == ["width  barrier", "    8   0.1235", "   16        -", "Read this."]


def test_a_frame_goes_to_parquet_and_back(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    frame = Frame({"width": [8, 16.5], "bias": [True, "last"], "run": [object(), object()]})
    frame.to_parquet(tmp_path / "f.parquet")
    found = parquet.read_table(tmp_path / "f.parquet").to_pydict()
    assert found == {"width": [8.0, 16.5], "bias": ["True", "last"]}


def test_pandas_is_asked_for_only_then(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=dict))
    assert Frame({"x": [1, 2]}).to_pandas() == {"x": [1, 2]}
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match="pandas"):
        Frame({"x": [1, 2]}).to_pandas()


def test_each_repeats_rows_for_values_and_for_those_of_a_function():
    rows = Frame({"seed": [1, 2, 3]}, cluster="seed")
    found = rows.each(side=("a", "b")).where(seed=[1, 2])
    assert [tuple(row.values()) for row in found] == [(1, "a"), (1, "b"), (2, "a"), (2, "b")]
    own = rows.each(start=lambda seed: range(seed - 1))
    assert list(zip(own.values("seed"), own.values("start"), strict=True)) == [
        *((2, 0), (3, 0), (3, 1))
    ]
    assert own.cluster == "seed"
    with pytest.raises(UsageError, match="names them by its parameters"):
        rows.each(start=lambda sed: range(3))


def test_the_first_rows_and_the_largest_first():
    rows = Frame({"x": [1, 3, 3, 2], "name": list("abcd")})
    assert rows.head(2).values("name") == ("a", "b")
    assert rows.head(9).values("name") == tuple("abcd")
    assert rows.sorted("x", reverse=True).values("name") == tuple("bcda")


def test_groups_know_which_values_they_have():
    groups = Frame({"rate": [0.1, 0.2, 0.2]}).by("rate")
    assert 0.1 in groups
    assert 0.3 not in groups
    assert len(groups.get(0.2)) == 2
    assert groups.get(0.3) is None
    assert groups.get(0.3, "none") == "none"
