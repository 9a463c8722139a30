"""Numbers as they are written."""

import math

import pytest

from ridgeline.numerals import change, duration, number, plus_minus, position, several


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "not finite"), (math.nan, "not finite"), (math.inf, "infinite"),
        (-math.inf, "minus infinite"), (0.0, "0"), (1.23456, "1.23"), (0.00012345, "0.000123"),
        (1234.5, "1234"), (999999.0, "999999"), (1e6, "1e+06"), (1.5e-7, "1.5e-07"),
        (-2345.6, "-2346"),
    ],
)  # fmt: skip
def test_a_number_alone(value, text):
    assert number(value) == text


def test_digits_may_be_more():
    assert number(1.23456, 5) == "1.2346" and number(12345.6, 5) == "12346"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.123, "0.12 s"), (9.94, "9.9 s"), (10, "10 s"), (59.4, "59 s"), (59.6, "1 min 0 s"),
     (200, "3 min 20 s"), (3600, "1 h 0 min"), (7500, "2 h 5 min"), (math.inf, "-"),
     (math.nan, "-")],
)  # fmt: skip
def test_durations_have_one_or_two_units(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "stderr", "text"),
    [
        (2.31, 0.04, "2.31 ± 0.08"), (2.31, 0.06, "2.31 ± 0.12"), (1234, 100, "1200 ± 200"),
        (0.5, None, "0.5"), (0.5, 0.0, "0.5"), (0.5, math.nan, "0.5"), (math.nan, 1, "not finite"),
        (0.0001, 0.00002, "(1.0 ± 0.4)e-04"), (2e7, 1e6, "(2.0 ± 0.2)e+07"),
        (-0.001, 0.02, "0.00 ± 0.04"), (1.0, 1e-7, "1 ± 2e-07"),
    ],
)  # fmt: skip
def test_a_number_with_its_interval(value, stderr, text):
    assert plus_minus(value, stderr) == text


@pytest.mark.parametrize(
    ("saved", "digits", "text"),
    [(0.254, 0, "lower by 25 %"), (-0.254, 1, "higher by 25.4 %"), (0.004, 0, "about the same"),
     (0.004, 1, "lower by 0.4 %"), (0.0, 0, "about the same")],
)  # fmt: skip
def test_a_share_that_is_taken_away(saved, digits, text):
    assert change(saved, digits) == text


def test_positions_and_counts():
    assert position(None) == "?" and position(0.12345) == "0.123"
    assert [several(n, "state") for n in (0, 1, 2)] == ["0 states", "1 state", "2 states"]
