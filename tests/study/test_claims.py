"""Verdicts are computed: holds, fails and undecided can each be had."""

import math

import pytest

from ridgeline.errors import UsageError
from ridgeline.frame import Frame, mean
from ridgeline.frame.demands import Correlation, Difference, Every, Mean, Share
from ridgeline.study.claims import Claim

CLEAR = [2.0, 2.1, 1.9, 2.05, 1.95, 2.0]
WIDE = [-3.0, 4.0, 0.5, -1.0, 2.0, 0.1]


@pytest.mark.parametrize(
    ("test", "cases", "outcome"),
    [
        (Mean("x", "above", 1.0), CLEAR, "holds"),
        (Mean("x", "above", 3.0), CLEAR, "fails"),
        (Mean("x", "below", 3.0), CLEAR, "holds"),
        (Mean("x", "below", 1.0), CLEAR, "fails"),
        (Mean("x", "above", 0.0), WIDE, "undecided"),
        (Share("x", "above", 0.5), [True] * 12, "holds"),
        (Share("x", "above", 0.5), [False] * 12, "fails"),
        (Share("x", "above", 0.5), [True] * 7 + [False] * 5, "undecided"),
        (Share("x", "below", 0.5), [False] * 12, "holds"),
        (Every("x"), [True] * 6, "holds"),
        (Every("x"), [True] * 50 + [False], "fails"),
        (Correlation("x"), {"x": range(10), "y": [v**3 for v in range(10)]}, "holds"),
        (Correlation("x"), {"x": range(10), "y": [-v for v in range(10)]}, "fails"),
        (Correlation("x", "below"), {"x": range(10), "y": [-v for v in range(10)]}, "holds"),
        (
            Correlation("x"),
            {"x": range(10), "y": [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]},
            "undecided",
        ),
        (Difference("x"), {"more": CLEAR, "less": [0.0, 0.1, -0.1, 0.2, 0.0]}, "holds"),
        (Difference("x"), {"less": CLEAR, "more": [0.0, 0.1, -0.1, 0.2, 0.0]}, "fails"),
        (Difference("x"), {"more": WIDE, "less": WIDE[::-1]}, "undecided"),
        (Difference("x"), {"more": [True] * 5, "less": [False] * 5}, "holds"),
    ],
)
def test_outcomes(test, cases, outcome):
    assert test.decide(cases).outcome == outcome


@pytest.mark.parametrize(
    ("test", "cases"),
    [
        (Mean("x", "above", 1.0), CLEAR[:4]),
        (Share("x", "above", 0.5), [True] * 4),
        (Every("x"), [True] * 4),
        (Correlation("x"), {"x": range(7), "y": range(7)}),
        (Difference("x"), {"more": CLEAR, "less": [0.0] * 4}),
        (Mean("x", "above", 1.0), []),
    ],
)
def test_too_few_runs_decide_nothing(test, cases):
    found = test.decide(cases)
    assert found.outcome == "undecided"
    assert "wanted" in found.why


def test_one_exception_refutes_what_is_proved_however_few():
    assert Every("x").decide([True, False]).outcome == "fails"


def test_a_number_that_is_not_finite_decides_nothing():
    found = Mean("x", "above", 1.0).decide([*CLEAR, math.inf])
    assert (found.outcome, found.n) == ("undecided", 7)
    assert "not finite" in found.why


def test_a_false_and_a_missing_case_refute_a_missing_one_alone_leaves_open():
    assert Every("x").decide([True, False, math.nan]).outcome == "fails"
    found = Every("x").decide([True] * 6 + [math.nan])
    assert found.outcome == "undecided"
    assert "not finite" in found.why


def test_shares_are_of_outcomes():
    with pytest.raises(UsageError, match="true or false"):
        Share("x", "above", 0.5).decide([0.5, 0.4, 0.2, 0.3, 0.9])


@pytest.mark.parametrize(
    ("x", "y", "why"),
    [
        (range(10), [0.5] * 10, "y does not vary over 10 cases"),
        ([math.inf] * 10, range(10), "x does not vary over 10 cases"),
        ([1] * 10, [2] * 10, "x and y does not vary over 10 cases"),
    ],
)
def test_what_does_not_vary_has_no_correlation_and_says_so(x, y, why):
    found = Correlation("x").decide({"x": x, "y": y})
    assert (found.outcome, found.n, found.why) == ("undecided", 10, why)
    assert math.isnan(found.estimate)


def test_correlations_need_as_many_of_each():
    with pytest.raises(UsageError, match="as many"):
        Correlation("x").decide({"x": range(9), "y": range(8)})


def test_numbers_of_a_grid_are_known_up_to_its_step():
    exact = Mean("x", "below", 0.1).decide([0.08] * 6)
    coarse = Mean("x", "below", 0.1, resolution=0.05).decide([0.08] * 6)
    assert (exact.outcome, coarse.outcome) == ("holds", "undecided")
    assert (coarse.low, coarse.high) == pytest.approx((0.055, 0.105))


def test_a_correlation_says_how_many_cases_it_lacks():
    cases = {"x": [math.nan] * 4 + [1.0] * 4, "y": [1.0] * 8, "group": list("aabbccdd")}
    assert Correlation("x").decide(cases).why == "4 of 8 cases are no numbers"


def test_an_infinite_rise_has_the_largest_rank():
    x, y = list(range(10)), [float(v) for v in range(9)]
    found = Correlation("x").decide({"x": x, "y": [*y, math.inf]})
    assert found == Correlation("x").decide({"x": x, "y": [*y, 100.0]})
    assert found.outcome == "holds"
    several = Correlation("x").decide({"x": x, "y": [math.inf] * 5 + y[:5]})
    assert several == Correlation("x").decide({"x": x, "y": [9.0] * 5 + y[:5]})


def test_runs_of_one_group_are_drawn_together():
    x = [float(i % 4) for i in range(40)]
    noise = [((i * 7919) % 13) / 2 for i in range(40)]
    y = [a + b for a, b in zip(x, noise, strict=True)]
    groups = [i // 8 for i in range(40)]
    alone = Correlation("x").decide({"x": x, "y": y})
    grouped = Correlation("x").decide({"x": x, "y": y, "group": groups})
    assert grouped.estimate == alone.estimate
    assert (alone.n, grouped.n) == (40, 5)
    few = Correlation("x").decide({"x": x, "y": y, "group": [0] * 20 + [1] * 20})
    assert few.outcome == "undecided"


def test_numbers_that_happen_to_be_0_or_1_are_no_outcomes():
    numbers = Difference("x").decide({"more": [0.0] * 6, "less": [0.0] * 6})
    assert (numbers.low, numbers.high) == (0.0, 0.0)
    outcomes = Difference("x").decide({"more": [False] * 6, "less": [False] * 6})
    assert outcomes.low < 0 < outcomes.high


def test_an_interval_that_touches_the_threshold_from_the_claimed_side_does_not_hold():
    assert Mean("x", "above", 2.0).decide([2.0] * 6).outcome == "fails"


def test_what_is_no_list_of_numbers_is_refused():
    with pytest.raises(UsageError, match="one number a case"):
        Mean("x", "above", 1.0).decide([[1.0, 2.0], [3.0, 4.0]])


def test_a_share_says_how_many_cases_could_decide_it():
    found = Share("it", "below", 0.1).decide([False] * 18)
    assert found.outcome == "undecided"
    assert found.why == "n = 18, at least 36 wanted"


def test_cases_of_a_share_may_come_in_groups():
    cases = {"is": [True] * 30 + [False] * 30, "group": [i // 10 for i in range(60)]}
    alone, grouped = Share("it", "above", 0.35).decide(cases["is"]), Share("it", "above", 0.35)
    assert alone.outcome == "holds"
    found = grouped.decide(cases)
    assert found.outcome == "undecided"
    assert found.n == 6
    few = grouped.decide({"is": [True] * 12, "group": [0] * 6 + [1] * 6})
    assert few.why == "groups = 2, at least 5 wanted"


def test_groups_are_told_of_every_case_and_side():
    with pytest.raises(UsageError, match="one group"):
        Share("it", "above", 0.5).decide({"is": [True] * 6, "group": [1, 2]})
    with pytest.raises(UsageError, match="every side"):
        Difference("it").decide({"more": [1.0] * 5, "less": [0.0] * 5, "more_group": range(5)})


def test_pairs_decide_what_their_spread_hides():
    base = [1.0, 20.0, 300.0, 4.0, 50.0, 6.0]
    cases = {"more": [x + 1 + x / 1000 for x in base], "less": base}
    assert Difference("it").decide(cases).outcome == "undecided"
    seeds = [("seed", i) for i in range(6)]
    found = Difference("it").decide({**cases, "more_group": seeds, "less_group": seeds[::1]})
    assert found.outcome == "holds"
    assert found.n == 6


def test_a_verdict_is_a_flat_record_of_json_values():
    claim = Claim(id="X1", text="It rises", place="figure 1", test=mean("slope", "slope") > 1)
    row = claim.decide(Frame({"slope": CLEAR}), "smoke").row()
    assert row["claim"] == "X1"
    assert row["verdict"] == "holds"
    assert row["test"] == "mean slope above 1"
    assert row["low"] < row["estimate"] < row["high"]
    assert claim.decide(Frame({"slope": CLEAR[:2]}), "smoke").row()["low"] is None
