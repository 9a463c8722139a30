"""kanoh2024: what its rows are means of, and that a planted element comes back."""

import pytest

from ridgeline.frame import Frame
from ridgeline.studies.kanoh2024.pairs import level, over_tables, won
from ridgeline.studies.kanoh2024.planted import _row

ROWS = Frame.of(
    {
        "table": table,
        "architecture": "oblivious",
        "group": group,
        "way": way,
        "test": 10.0 * (way == "naive") + pair + shift,
        "depth": 2,
    }
    for pair, group in enumerate(["0-1", "2-3", "4-5", "6-7", "8-9"])
    for table, shift in (("x", 0.0), ("y", 4.0))
    for way in ("naive", "weight matching: all")
)


def test_a_pair_of_seeds_is_one_case_its_mean_over_tables():
    found = over_tables("depth")(ROWS).where(way="naive")
    assert len(found) == 5
    assert list(found["test"]) == [12.0, 13.0, 14.0, 15.0, 16.0]
    assert found.values("line")[0] == "oblivious trees, naive"


def test_a_level_is_over_pairs_and_a_gain_within_them():
    found = (level("test", "said", way="naive") > 1).decide(ROWS)
    assert (found.n, found.estimate) == (5, 14.0)
    less = won("said", "test", {"way": "naive"}, {"way": "weight matching: all"}) > 0
    found = less.decide(ROWS)
    assert (found.n, found.estimate, found.low, found.high) == (5, 10.0, 10.0, 10.0)


@pytest.mark.parametrize("kind", ["perfect", "oblivious", "list", "modified-list"])
def test_a_planted_element_comes_back_bit_for_bit(kind):
    row = _row(kind, 2, 0, 4)
    assert row["before"] > 0.1
    assert (row["left"], row["off"], row["barrier"]) == (0.0, 0.0, 0.0)
