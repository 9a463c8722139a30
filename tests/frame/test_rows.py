"""Measured rows: choosing among them, deriving columns, order, and joining."""

import numpy as np
import pytest

from ridgeline.errors import UnknownName, UsageError
from ridgeline.frame.rows import Rows


@pytest.fixture
def rows():
    columns = {"w": [8, 4, 8, None], "bias": [True, False, 1, True], "v": [1.0, 2.0, None, 4.0]}
    return Rows(columns, cluster="w", notes=["A note."])


def test_length_columns_and_words(rows):
    assert len(rows) == 4 and rows.columns == ["w", "bias", "v"] and "v" in rows
    assert "x" not in rows and repr(rows) == "Rows(4 rows; w, bias, v)"
    assert len(Rows()) == 0 and str(rows).endswith("A note.")


def test_columns_have_one_value_a_row():
    with pytest.raises(UsageError, match=r"one value a row\. Got \{'a': 1, 'b': 2\}"):
        Rows({"a": [1], "b": [1, 2]})


def test_rows_make_columns_and_what_lacks_is_none():
    made = Rows.of([{"a": 1}, {"b": 2}], cluster="a")
    assert made.values("a") == (1, None) and made.values("b") == (None, 2)
    assert made.cluster == "a" and list(made) == [{"a": 1, "b": None}, {"a": None, "b": 2}]


def test_a_column_is_an_array_and_an_unknown_one_lists_those_known(rows):
    assert np.isnan(rows["v"][2]) and rows["v"][3] == 4
    with pytest.raises(UnknownName, match=r"column 'x'|'x'.*w, bias, v"):
        rows["x"]


@pytest.mark.parametrize(
    ("asked", "kept"),
    [({"w": 8}, [0, 2]), ({"w": [8, None]}, [0, 2, 3]), ({"bias": True}, [0, 3]),
     ({"bias": 1}, [2]), ({"w": None}, [3]), ({"v": lambda v: v > 1}, [1, 3]),
     ({"w": 8, "bias": True}, [0]), ({"w": 7}, []), ({"w": {4}}, [1])],
)  # fmt: skip
def test_rows_of_which_something_is_so(rows, asked, kept):
    numbered = rows.derive(i=lambda row: row).derive(k=0)
    assert [r["v"] for r in numbered.where(**asked)] == [list(rows)[i]["v"] for i in kept]


def test_a_test_of_several_columns_skips_what_lacks_one(rows):
    assert rows.where(lambda w, v: w * v > 7).values("v") == (1.0, 2.0)
    assert rows.where(lambda w, v: w * v > 7, bias=False).values("v") == (2.0,)


def test_a_question_keeps_cluster_notes_and_kind(rows):
    class Own(Rows):
        pass

    made = Own({"a": [1]}, cluster="a", notes=["N."])
    for found in (made.where(a=1), made.derive(b=2), made.select("a"), made.sorted("a")):
        assert type(found) is Own and found.cluster == "a" and found.notes == ("N.",)
    assert made.clustered(None).cluster is None
    assert made.noted("M.").notes == ("N.", "M.")


def test_columns_are_derived_in_turn(rows):
    made = rows.derive(twice=lambda v: 2 * v, more=lambda twice, row: twice + row["v"], one=1)
    assert made.values("twice") == (2.0, 4.0, None, 8.0)
    assert made.values("more") == (3.0, 6.0, None, 12.0) and made.values("one") == (1,) * 4
    assert "twice" not in rows


def test_columns_are_chosen_in_an_order(rows):
    assert rows.select("v", "w").columns == ["v", "w"]
    with pytest.raises(UnknownName):
        rows.select("x")


def test_numbers_come_before_texts_and_what_is_missing_last():
    made = Rows({"a": ["b", None, 2, "a", 1, True]})
    assert made.sorted("a").values("a") == (1, True, 2, "a", "b", None)


def test_the_first_name_is_sorted_by_first(rows):
    assert rows.sorted("w", "v").values("v") == (2.0, 1.0, None, 4.0)


def test_rows_of_two_stand_one_after_the_other(rows):
    made = rows + Rows({"v": [9.0], "new": ["x"]}, cluster="new", notes=["A note.", "B."])
    assert made.values("v") == (1.0, 2.0, None, 4.0, 9.0)
    assert made.values("new") == (None,) * 4 + ("x",) and made.values("w")[-1] is None
    assert made.notes == ("A note.", "B.") and made.cluster == "w"
