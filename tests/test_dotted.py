import pytest

from ridgeline.dotted import get_at, leaves, put_at, without_options
from ridgeline.errors import UnknownName

RUN = {
    "net": {"kind": "fcn", "options": {"widths": [2, 3], "norm": None}},
    "data": {"skew": {}},
    "seed": 4,
}


def test_leaves_are_all_that_is_no_table_in_order():
    assert list(leaves(RUN)) == [
        ("net.kind", "fcn"),
        ("net.options.widths", [2, 3]),
        ("net.options.norm", None),
        ("data.skew", {}),
        ("seed", 4),
    ]
    assert list(leaves({"a": 1}, "of.it")) == [("of.it.a", 1)]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("net.options.widths", "net.widths"),
        ("training.optimiser.options.x", "training.optimiser.x"),
        ("options.x", "options.x"),
        ("seed", "seed"),
    ],
)
def test_a_path_is_written_without_options_as_in_a_spec(path, shown):
    assert without_options(path) == shown


def test_values_are_got_with_or_without_options():
    assert get_at(RUN, "net.widths") == get_at(RUN, "net.options.widths") == [2, 3]
    assert get_at(RUN, "net.norm") is None


@pytest.mark.parametrize("path", ["net.width", "seed.of", "net.kind.x"])
def test_a_path_to_nothing_says_what_there_is(path):
    with pytest.raises(UnknownName, match=f"within {path}"):
        get_at(RUN, path)
    with pytest.raises(UnknownName, match="Did you mean 'widths'"):
        get_at(RUN, "net.width")


def test_putting_makes_tables_and_changes_no_table_of_others():
    inner = {"kind": "fcn"}
    table = {"net": inner, "seed": 1}
    put_at(table, "net.norm", "batch")
    put_at(table, "seed.of", 2)
    put_at(table, "a.b.c", 3)
    assert table == {
        "net": {"kind": "fcn", "norm": "batch"},
        "seed": {"of": 2},
        "a": {"b": {"c": 3}},
    }
    assert inner == {"kind": "fcn"}
