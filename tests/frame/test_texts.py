"""Frames as text, and which columns go into files."""

import sys
from types import SimpleNamespace

import pytest

from ridgeline.errors import MissingExtra, OutputError
from ridgeline.frame.texts import SHOWN, plain_columns, text_table, to_pandas, to_parquet


def test_columns_of_objects_are_left_out():
    columns = {"n": [1, None], "t": ["a", 2.5], "p": [(1, 2), [3]], "o": [object(), 1]}
    assert plain_columns(columns) == ["n", "t", "p"]


def test_a_table_is_right_aligned_with_four_digits_and_dashes():
    text = text_table({"name": ["x", None], "v": [1.23456, 20.0], "n": [3, 400]})
    assert text.splitlines() == ["name      v    n", "   x  1.235    3", "   -     20  400"]


def test_whole_numbers_beside_others_are_numbers_and_mixed_ones_text():
    assert text_table({"v": [1, 2.5]}).splitlines() == ["  v", "  1", "2.5"]
    assert text_table({"v": [True, "last"]}).splitlines()[1:] == ["True", "last"]


def test_notes_stand_below():
    assert text_table({"v": [1]}, ["One.", "Two."]).splitlines()[-2:] == ["One.", "Two."]


@pytest.mark.parametrize("count", [SHOWN, SHOWN + 3])
def test_a_long_table_is_cut_and_says_so(count):
    lines = text_table({"v": range(count)}).splitlines()
    assert len(lines) == 1 + SHOWN + (count > SHOWN)
    if count > SHOWN:
        assert lines[-1] == f"... 3 more of {count} rows"


def test_an_empty_table_has_its_names():
    assert text_table({"a": [], "b": []}) == "a  b" and text_table({}) == ""


def test_tables_of_other_libraries_have_the_plain_columns(monkeypatch):
    columns = {"n": [1, 2], "p": [(1, 2), None], "o": [object(), object()], "v": [1, 2.5]}
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=dict))
    assert to_pandas(columns) == {"n": [1, 2], "p": ["(1, 2)", None], "v": [1.0, 2.5]}


def test_files_have_the_plain_columns_and_are_not_replaced(tmp_path):
    columns = {"o": [object(), object()], "v": [1, 2.5]}
    parquet = pytest.importorskip("pyarrow.parquet")
    to_parquet(columns, tmp_path / "t.parquet", overwrite=False)
    assert parquet.read_table(tmp_path / "t.parquet").to_pydict() == {"v": [1.0, 2.5]}
    with pytest.raises(OutputError):
        to_parquet(columns, tmp_path / "t.parquet", overwrite=False)


def test_a_package_that_no_extra_brings_is_installed_by_its_own_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match="frames as its tables needs the package 'pandas'") as no:
        to_pandas({"n": [1]})
    assert no.value.remedy == "Install it with: python -m pip install pandas"


def test_parquet_needs_an_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match="Parquet files needs the package 'pyarrow'") as no:
        to_parquet({"n": [1]}, tmp_path / "t.parquet", overwrite=False)
    assert no.value.remedy.endswith("'ridgeline[study]'")
