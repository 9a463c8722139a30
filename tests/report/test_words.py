import math

import numpy as np
import pytest

from report.shapes import T, bump, curve
from ridgeline.measures import Barrier, Curve
from ridgeline.numerals import change, number, plus_minus
from ridgeline.profiles import Profile
from ridgeline.report import (
    headline,
    measures_table,
    sentences,
    summarise,
    to_markdown,
)


@pytest.mark.parametrize(
    ("value", "stderr", "said"),
    [
        (2.3141, 0.042, "2.31 ± 0.08"),
        (2.3141, 0.0064, "2.314 ± 0.013"),
        (0.98765, 0.5, "1.0 ± 1.0"),
        (12345.6, 321.0, "12300 ± 600"),
        (-0.0001, 0.04, "0.00 ± 0.08"),
        (3.2e-7, 4e-8, "(3.2 ± 0.8)e-07"),
        (2.0, 1e-9, "2 ± 2e-09"),
        (2.3141, 0.0, "2.31"),
        (2.3141, math.nan, "2.31"),
        (math.nan, 0.1, "not finite"),
        (math.inf, 0.1, "infinite"),
        (None, None, "not finite"),
        (0.0, 0.0, "0"),
    ],
)
def test_digits_are_those_that_are_known(value, stderr, said):
    assert plus_minus(value, stderr) == said


def test_a_number_alone():
    assert [number(v) for v in (0.5, 1437.0, 12345678.0, 1e-5, -math.inf)] == [
        *("0.5", "1437", "1.23e+07", "1e-05", "minus infinite"),
    ]


def test_a_hill(hill):
    assert (
        headline(hill) == "The loss on train has a barrier of 2.00 ± 0.02 (95 %, chord) at t = 0.5."
    )
    said = sentences(hill, metric="loss", split="train")
    assert said[1] == (
        "The loss on train is not monotone: it rises by 2.00 ± 0.03 between t = 0 and t = 0.5."
    )
    assert len(said) == 2  # a rise is no plateau
    assert sentences(summarise(hill)) == sentences(hill)


def test_a_slope(slope):
    said = sentences(slope, metric="error")
    assert "The error on train is monotone: it never rises." in said
    assert said[-1] == (
        "The error on train stays at chance (0.9) until t = 0.42, and is first half of that at "
        "t = 0.5."
    )
    assert "stays above 98 % of its start until t = 0.38" in sentences(slope, metric="loss")[-1]


def test_a_rise_within_the_tolerance_and_none_clear():
    flat = Profile(T, {"data": {"loss": curve(1 + bump(5e-4, base=0), spread=0.5)}})
    said = sentences(flat)
    assert "no clear barrier" in said[0] and "which includes zero" in said[0]
    assert said[1] == "The loss on data is monotone: it never rises by more than 0.001."


def test_no_barrier_and_an_exact_one():
    below = Profile(T, {"data": {"loss": Curve.exact(T, T**2)}})
    assert headline(below) == (
        "The loss on data has no barrier: it never lies above the chord between the ends."
    )
    above = Profile(T, {"data": {"loss": Curve.exact(T, 4 * T * (1 - T))}})
    assert headline(above) == "The loss on data has a barrier of 1 (chord) at t = 0.5."
    accuracy = Profile(
        T, {"data": {"accuracy": Curve.exact(T, 1 - T**2 / 2, higher_is_better=True)}}
    )
    assert "never lies below" in headline(accuracy, metric="accuracy")


def test_what_is_not_finite_comes_first(broken):
    assert sentences(broken) == [
        "The loss on data is not finite at 3 of 51 positions, first at t = 0.4.",
        "The loss on data has a barrier without bound: it is not finite at t = 0.4.",
    ]


def test_a_grid_without_ends():
    t = np.linspace(0.1, 0.9, 7)
    part = Profile(t, {"data": {"loss": curve(t, t=t)}})
    assert "lack an end" in headline(part)
    assert measures_table({"part": part}).rows[0][3:6] == ["-", "-", "-"]


def test_the_table_of_measures(hill, slope):
    found = measures_table({"between": hill, "down": slope})
    assert found.rows[0] == [
        *("between", "train", "loss", "0.02", "0.02"),
        *("2.00 ± 0.02", "0.5", "no (+2)", "-"),
    ]
    assert found.rows[-1][-2:] == ["yes", "0.42"]


def test_markdown(hill):
    text = to_markdown(summarise(hill), title="Two minima")
    assert text.startswith("# Two minima\n\n- The loss on train has a barrier of 2.00 ± 0.02")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert len(lines) == 2 + 4
    assert "train: 1000 of 1000 samples (standard errors of the distribution)" in text
    assert "kind Line, points 51" in text
    odd = Profile(T, {"a|b": {"my_loss": curve(bump(1))}})
    assert r"a\|b" in to_markdown(summarise(odd)) and r"my\_loss" in to_markdown(summarise(odd))


def test_a_change_is_never_lower_by_less_than_nothing():
    assert change(0.021, 0) == "lower by 2 %"
    assert change(-0.021, 1) == "higher by 2.1 %"
    assert change(-0.001, 0) == "about the same"


def test_a_rise_within_its_error_is_neither_monotone_nor_not():
    mean = np.where(T < 0.9, 1 - T, 1 - T + 0.2 * (T - 0.9) / 0.1)
    sure, unsure = (said_of(mean, spread) for spread in (0.01, 3.0))
    assert "is not monotone: it rises by" in sure[1]
    assert "has no clear rise: it rises by" in unsure[1]
    assert "which includes zero; these samples do not say whether it is monotone" in unsure[1]


def said_of(mean, spread, **more):
    return sentences(Profile(T, {"train": {"loss": curve(mean, spread=spread, **more)}}))


def test_what_is_below_rounding_is_no_barrier_and_no_rise():
    flat = 2 + 1e-8 * np.sin(np.pi * T) ** 2
    profile = Profile(T, {"train": {"loss": curve(flat, spread=0.0, rounding=1e-6)}})
    assert profile.barrier().verdict == "no barrier"
    assert profile.monotonicity(tolerance=0.0).verdict == "monotone"
    assert "has no barrier beyond the rounding of its numbers" in sentences(profile)[0]
    (line,) = measures_table({"a": profile}).rows
    assert line[5:7] == ["0", "-"]
    assert profile.barrier().height == pytest.approx(1e-8)


@pytest.mark.parametrize(
    ("height", "stderr", "verdict"),
    [
        (0.1, 0.01, "barrier"),
        (0.1, 0.06, "undecided"),
        (0.0, 0.1, "no barrier"),
        (0.1, 0.0, "barrier"),
    ],
)
def test_three_verdicts_of_a_barrier(height, stderr, verdict):
    assert Barrier(height, stderr, 0.5, "chord").verdict == verdict


def test_the_table_says_where_monotone_is_unclear():
    mean = np.where(T < 0.9, 1 - T, 1 - T + 0.2 * (T - 0.9) / 0.1)
    profile = Profile(T, {"train": {"loss": curve(mean, spread=3.0)}})
    (row,) = measures_table({"a": profile}).rows
    assert str(row[7]).startswith("unclear (+")
