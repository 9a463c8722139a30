"""Tables in files: what is read, and what is refused by its column."""

from datetime import date
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from ridgeline.data.tables import read
from ridgeline.errors import DataError, UnknownName

PLAIN = {
    "height": [1.5, 2.0, 2.5],
    "count": [3, 4, 5],
    "old": [True, False, True],
    "kind": ["b", "a", "b"],
}


def written(path, columns):
    table = pa.table(columns)
    if path.suffix == ".csv":
        csv.write_csv(table, path)
    else:
        parquet.write_table(table, path)
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.pq"])
def test_numbers_are_columns_and_the_last_one_is_the_target(tmp_path, name):
    table = read(written(tmp_path / name, PLAIN))
    assert (table.names, table.target) == (("height", "count", "old"), "kind")
    assert table.x.tolist() == [[1.5, 3.0, 1.0], [2.0, 4.0, 0.0], [2.5, 5.0, 1.0]]
    assert table.y.tolist() == ["b", "a", "b"]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_words_are_refused_or_a_column_each(tmp_path, name):
    path = written(tmp_path / name, PLAIN)
    with pytest.raises(DataError, match=r"words in column 'kind' of .*: 'a', 'b'.*one-hot"):
        read(path, target="height")
    table = read(path, target="height", categorical="one-hot")
    assert table.names == ("count", "old", "kind=a", "kind=b")
    assert table.x[:, 2:].tolist() == [[0, 1], [1, 0], [0, 1]]
    assert table.y.tolist() == [1.5, 2.0, 2.5]


def test_dictionaries_and_decimals_are_words_and_numbers(tmp_path):
    columns = {
        "price": pa.array([Decimal("1.25"), Decimal("2.50")]),
        "kind": pa.array(["x", "y"]).dictionary_encode(),
    }
    table = read(written(tmp_path / "a.parquet", columns))
    assert table.x.tolist() == [[1.25], [2.5]]
    assert table.y.tolist() == ["x", "y"]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
@pytest.mark.parametrize(
    "values", [[1.0, None, 3.0], [1, None, 3], ["a", None, "b"], [True, None, False]]
)
def test_a_missing_value_is_refused_by_its_column(tmp_path, name, values):
    path = written(tmp_path / name, {"whole": [1, 2, 3], "holed": values, "y": [0, 1, 0]})
    with pytest.raises(DataError, match=r"Got 1 in column 'holed' \(row 1\), of"):
        read(path, categorical="one-hot")
    with pytest.raises(DataError, match="column 'holed'"):
        read(path, target="holed")


@pytest.mark.parametrize("gap", ["?", "NA", "", "NaN", "null"])
def test_what_stands_for_a_missing_value(tmp_path, gap):
    (tmp_path / "a.csv").write_text(f"u,v,y\n1,2,no\n{gap},3,yes\n")
    with pytest.raises(DataError, match=r"1 in column 'u' \(row 1\)"):
        read(tmp_path / "a.csv")


def test_the_index_that_pandas_writes_is_no_column(tmp_path):
    columns = {"u": [1.0, 2.0], "y": [0, 1], "__index_level_0__": [7, 8]}
    table = read(written(tmp_path / "a.parquet", columns))
    assert (table.names, table.target) == (("u",), "y")


def test_an_infinite_value_and_a_column_of_nothing(tmp_path):
    path = written(tmp_path / "a.parquet", {"u": [1.0, np.inf], "y": [0, 1]})
    with pytest.raises(DataError, match="column 'u'"):
        read(path)
    path = written(tmp_path / "b.parquet", {"u": pa.nulls(2), "v": [1, 2], "y": [0, 1]})
    with pytest.raises(DataError, match=r"2 in column 'u' \(row 0\)"):
        read(path)


def test_what_is_no_table(tmp_path):
    with pytest.raises(DataError, match="must be there"):
        read(tmp_path / "none.csv")
    with pytest.raises(UnknownName, match="kind of table"):
        read(tmp_path / "a.xlsx")
    for name in ("a.parquet", "a.arff"):
        (tmp_path / name).write_bytes(b"PAR1 torn")
        with pytest.raises(DataError, match=f"ends in .{name[2:]}"):
            read(tmp_path / name)
    path = written(tmp_path / "b.parquet", PLAIN)
    with pytest.raises(UnknownName, match=r"column of .*Did you mean 'height'"):
        read(path, target="heigth")
    with pytest.raises(UnknownName, match="way with categories"):
        read(path, categorical="onehot")
    with pytest.raises(DataError, match=r"date32.* in column 'day'"):
        read(written(tmp_path / "c.parquet", {"day": [date(2020, 1, 1)], "y": [1]}))
    with pytest.raises(DataError, match="a target and a column besides"):
        read(written(tmp_path / "d.parquet", {"y": [1]}))
    (tmp_path / "e.csv").write_text("u,u,y\n1,2,3\n")
    with pytest.raises(DataError, match="'u' more than once"):
        read(tmp_path / "e.csv")


def test_weka_s_format(tmp_path):
    (tmp_path / "a.arff").write_text(
        "% a comment\n@RELATION small\n\n@ATTRIBUTE 'its width' NUMERIC\n"
        "@ATTRIBUTE colour {red,'dark blue'}\n@ATTRIBUTE class {0,1}\n\n@DATA\n"
        "1.5,red,0\n% another\n-2e0, 'dark blue',1\n"
    )
    table = read(tmp_path / "a.arff", categorical="one-hot")
    assert table.names == ("its width", "colour=dark blue", "colour=red")
    assert table.x.tolist() == [[1.5, 0, 1], [-2, 1, 0]]
    assert table.y.tolist() == ["0", "1"]
    (tmp_path / "b.arff").write_text(
        "@relation b\n@attribute u real\n@attribute y {a,b}\n@data\n?,a\n1,?\n"
    )
    with pytest.raises(DataError, match=r"'u' \(row 0\), 1 in column 'y' \(row 1\)"):
        read(tmp_path / "b.arff")
    for wrong in ("@attribute s string\n@data\nx,y\n", "@data\n{0 1}\n", "@attribute v real\n"):
        (tmp_path / "c.arff").write_text(f"@relation c\n@attribute u real\n{wrong}")
        with pytest.raises(DataError, match="numbers or of listed words, in dense rows"):
            read(tmp_path / "c.arff")
