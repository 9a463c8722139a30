"""Whether the shape of a path foretells the test error: settings, rows, and what is told."""

from types import SimpleNamespace

import pytest

from ridgeline.frame import Frame
from ridgeline.studies.vlaar2021 import shapes
from ridgeline.studies.vlaar2021.shapes import (
    SHAPES,
    claims,
    distinct,
    power,
    settled,
    still,
    told_apart,
)


def run(name):
    return SimpleNamespace(hash=name)


A, B, C, D = map(run, "abcd")


def rows(*given):
    """Rows of (run, factor, value, diverged)."""
    names = ("run", "factor", "value", "diverged")
    return Frame.of([dict(zip(names, row, strict=True)) for row in given])


def test_runs_of_one_factor_and_value_are_a_setting():
    found = settled(rows((A, "rate", 1, False), (B, "rate", 1, False), (C, "rate", 2, False)))
    assert found.values("setting") == (0, 0, 1)


def test_a_setting_that_stands_in_two_factors_is_one():
    found = settled(rows((A, "rate", 1, False), (C, "rate", 2, False), (A, "width", 8, False)))
    assert found.values("setting") == (0, 1, 0)


def test_runs_that_diverged_have_no_setting():
    found = settled(rows((A, "rate", 1, False), (D, "rate", 9, True)))
    assert found.values("setting") == (0, None)


def test_each_sound_run_counts_once():
    found = distinct(
        rows((A, "r", 1, False), (A, "w", 8, False), (D, "r", 9, True), (B, "r", 1, False))
    )
    assert [r.hash for r in found.values("run")] == ["a", "b"] and found.cluster == "setting"


def shaped(*values, settings=None):
    columns = {name: list(values) for name in SHAPES}
    return Frame({"setting": settings or list(range(len(values))), **columns})


@pytest.mark.parametrize(
    ("values", "apart"),
    [((1, 2, 3), True), ((1, 1, 1), False), ((1, 1, 2), True), ((1, 1, 1, 2), False), ((), True),
     ((1, 1, 2, 3), True)],
)  # fmt: skip
def test_a_shape_tells_half_of_the_settings_apart(values, apart):
    assert told_apart(shaped(*values), "error area") is apart


def test_seeds_of_a_setting_are_one_mean():
    assert told_apart(shaped(1, 3, 2, settings=[0, 0, 1]), "error area") is False
    assert told_apart(shaped(1, 3, 5, settings=[0, 0, 1]), "error area")


def test_shapes_that_hardly_vary_are_named():
    assert still(shaped(1, 2, 3)) == []
    (text,) = still(shaped(1, 1, 1))
    assert text.startswith("The same in more than half of the settings") and text.endswith(
        ": error area, largest rise, error plateau end, loss area / L(0)."
    )


def test_few_settings_are_said_to_decide_little():
    assert power(1) == [] and power(100) == []
    (text,) = power(5)
    assert "of 5 settings" in text and "spread by 0.50 (standard deviation)" in text
    assert "not above 0.5" in text


def test_each_shape_has_two_claims_of_either_sign():
    made = claims("V9", "c", "all data")
    assert [c.id for c in made] == [f"V9{letter}" for letter in "cdefghij"]
    assert made[0].text == "Over all data, no test error that reliably rises with the error area"
    assert made[1].text.endswith("falls with the error area")
    assert (made[0].test.test.side, made[0].test.test.at) == ("below", 0.5)
    assert (made[1].test.test.side, made[1].test.test.at) == ("above", -0.5)


def test_a_rise_within_the_tolerance_is_none():
    def rise(holds):
        found = SimpleNamespace(holds=holds, largest_rise=0.3)
        return SimpleNamespace(monotonicity=lambda: found)

    assert shapes._rise(rise(True)) == 0.0 and shapes._rise(rise(False)) == 0.3


def test_correlations_are_over_runs_and_over_means_of_settings():
    columns = {name: [1.0, 2.0, 3.0, 4.0, 5.0] for name in SHAPES}
    told = {"run": [A, B, C, D, run("e")], "factor": ["r"] * 5, "value": list(range(5))}
    frame = Frame(
        {
            **told,
            "diverged": [False] * 5,
            "setting": list(range(5)),
            "test": [1.0, 2, 3, 4, 5],
            **columns,
        }
    )
    table = shapes.correlations(frame)
    assert table.note.endswith("5 runs of 5 settings; 95 %.") and len(table.rows) == len(SHAPES)
    assert table.rows[0][0] == "error area" and table.rows[0][1] == table.rows[0][3] == "1.00"
    flat = frame.derive(**{"largest rise": 0.0})
    assert shapes.correlations(flat).rows[1][1:] == ["-", "-", "-", "-"]
