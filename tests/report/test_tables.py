import csv
import json
import math

import pyarrow.parquet
import pytest

from ridgeline.errors import OutputError
from ridgeline.report import (
    Table,
    rows,
    summarise,
    surface_rows,
    to_json,
    write_csv,
    write_parquet,
)


def test_rows_are_tidy_and_keep_nan(broken):
    table = rows(broken, layer="fc1")
    assert list(table[0]) == [
        *("layer", "t", "split", "metric"),
        *("value", "stderr", "n", "nonfinite"),
    ]
    assert len(table) == 51
    assert math.isnan(table[20]["value"]) and table[20]["nonfinite"] == 400
    assert math.isinf(table[30]["value"])


def test_csv_has_every_digit_and_nan(broken, tmp_path):
    write_csv(rows(broken), tmp_path / "deep" / "p.csv")
    with (tmp_path / "deep" / "p.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [float(r["value"]) for r in found[:20]] == broken.curve().mean[:20].tolist()
    assert (found[20]["value"], found[30]["value"]) == ("nan", "inf")


def test_parquet_round_trips(broken, tmp_path):
    write_parquet(rows(broken), tmp_path / "p.parquet")
    found = pyarrow.parquet.read_table(tmp_path / "p.parquet").to_pylist()
    assert found[:20] == rows(broken)[:20]
    assert math.isnan(found[20]["value"]) and found[20]["value"] is not None


def test_files_are_replaced_only_when_asked(hill, tmp_path):
    to_json(summarise(hill), tmp_path / "p.json")
    with pytest.raises(OutputError, match="not replaced"):
        to_json({}, tmp_path / "p.json")
    assert json.loads((tmp_path / "p.json").read_text()) == summarise(hill)
    to_json({}, tmp_path / "p.json", overwrite=True)
    with pytest.raises(ValueError, match="JSON"):
        to_json({"x": math.nan}, tmp_path / "q.json")
    assert not (tmp_path / "q.json").exists()


def test_rows_of_a_surface(plain_surface):
    table = surface_rows(plain_surface)
    assert len(table) == 13 * 15
    assert table[1]["x"] == plain_surface.x[1] and table[1]["y"] == plain_surface.y[0]
    assert table[1]["n"] == 400


def test_a_table_for_reading():
    table = Table("Layers, one by one", ["a", "b"], [[1, 2.5]])
    assert table.name == "layers-one-by-one"
    assert table.records() == [{"a": 1, "b": 2.5}]
