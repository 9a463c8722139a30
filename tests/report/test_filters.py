"""Values of provenance as lines."""

import pytest

from ridgeline.report.filters import flat


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ([], [("of", "-")]),
        ({}, [("of", "-")]),
        (None, [("of", "-")]),
        ([1, None, True], [("of", "1, -, yes")]),
        ({"a": {"b": 0.123456789}, "c": "x"}, [("of.a.b", "0.123457"), ("of.c", "x")]),
    ],
)
def test_nested_values_are_lines_and_what_is_empty_is_a_dash(value, lines):
    assert list(flat(value, "of")) == lines
