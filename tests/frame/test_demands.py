"""What claims demand: verdicts of planted numbers, at and about every threshold."""

import math

import numpy as np
import pytest

from ridgeline.errors import UsageError
from ridgeline.frame import intervals
from ridgeline.frame.demands import Correlation, Difference, Every, Mean, Share, _judge

NAN = math.nan


@pytest.mark.parametrize(
    ("span", "side", "outcome"),
    [
        ((1.1, 2), "above", "holds"),
        ((1, 2), "above", "undecided"),
        ((0, 1), "above", "fails"),
        ((0, 1.1), "above", "undecided"),
        ((0, 0.9), "below", "holds"),
        ((0, 1), "below", "undecided"),
        ((1, 2), "below", "fails"),
        ((0.9, 2), "below", "undecided"),
        ((NAN, 2), "below", "undecided"),
        ((2, math.inf), "above", "undecided"),
    ],
)
def test_an_interval_decides_where_it_lies_on_one_side(span, side, outcome):
    assert _judge(1.5, span, side, 1.0) == outcome


def test_a_mean_has_the_interval_of_the_bootstrap():
    values = [1.0, 2.0, 3.0, 4.0, 5.5]
    found = Mean("rise", "above", 0.0).decide(values)
    assert (found.outcome, found.estimate, found.n) == ("holds", np.mean(values), 5)
    assert (found.low, found.high) == tuple(intervals.mean(np.array(values)))


def test_a_resolution_widens_by_half_of_it_on_each_side():
    values = [1.0, 2.0, 3.0, 4.0, 5.5]
    plain, wide = (Mean("rise", "above", 0, resolution=r).decide(values) for r in (0, 0.5))
    assert (plain.low - wide.low, wide.high - plain.high) == pytest.approx((0.25, 0.25))


@pytest.mark.parametrize(
    ("values", "estimate", "why"),
    [
        ([1.0, 3.0], 2.0, "n = 2, at least 5 wanted"),
        ([1.0, 3.0, NAN, 2.0, 2.0, 2.0], 2.0, "1 of 6 cases are not finite"),
        ([], NAN, "n = 0, at least 5 wanted"),
    ],
)
def test_a_mean_that_cannot_be_decided_says_why(values, estimate, why):
    found = Mean("rise", "above", 0.0).decide(values)
    assert (found.outcome, found.n, found.why) == ("undecided", len(values), why)
    assert found.estimate == estimate or (math.isnan(found.estimate) and math.isnan(estimate))
    assert math.isnan(found.low) and math.isnan(found.high)


def test_one_number_a_case():
    with pytest.raises(UsageError, match=r"one number a case\. Got shape \(5, 1\)"):
        Mean("x", "above", 0).decide([[1.0]] * 5)


def test_a_share_has_the_binomial_interval():
    found = Share("fall", "above", 0.5).decide([True] * 9 + [False])
    assert (found.outcome, found.estimate, found.n) == ("holds", 0.9, 10)
    assert (found.low, found.high) == tuple(intervals.share(9.0, 10))


def test_as_many_cases_are_wanted_as_could_decide():
    needed = intervals.decides("above", 0.9)
    found = Share("fall", "above", 0.9).decide([True] * (needed - 1))
    assert found.why == f"n = {needed - 1}, at least {needed} wanted" and needed > 5
    assert Share("fall", "above", 0.9).decide([True] * needed).outcome == "holds"


def test_a_share_of_groups_counts_groups():
    is_so, group = [True] * 20, [k // 5 for k in range(20)]
    found = Share("fall", "above", 0.5).decide({"is": is_so, "group": group})
    assert (found.outcome, found.n, found.why) == ("undecided", 4, "groups = 4, at least 5 wanted")
    many = Share("fall", "above", 0.5).decide({"is": is_so, "group": [k // 2 for k in range(20)]})
    assert (many.outcome, many.n, many.estimate) == ("holds", 10, 1.0)


def test_outcomes_are_true_or_false():
    with pytest.raises(UsageError, match="outcomes that are true or false"):
        Share("x", "above", 0).decide([0.5] * 5)
    with pytest.raises(UsageError, match="outcomes that are true or false"):
        Every("x").decide([2.0])


def test_every_group_is_told_for_every_case():
    with pytest.raises(UsageError, match="Every case is of one group, on every side") as caught:
        Share("x", "above", 0).decide({"is": [True] * 5, "group": [0] * 4})
    assert caught.value.got == "{'group': 4} groups for {'group': 5} cases"
    with pytest.raises(UsageError) as caught:
        Difference("x").decide({"more": [1.0], "less": [2.0], "more_group": [0]})
    assert caught.value.got.startswith("{'less_group': 0} groups")


@pytest.mark.parametrize(
    ("cases", "outcome", "share", "why"),
    [
        ([True] * 5, "holds", 1.0, ""),
        ([True] * 4, "undecided", 1.0, "n = 4, at least 5 wanted"),
        ([True] * 9 + [False], "fails", 0.9, "1 exceptions"),
        ([False], "fails", 0.0, "1 exceptions"),
        ([1.0] * 9 + [NAN], "undecided", 0.9, "1 of 10 cases are not finite"),
        ([1.0, NAN, 0.0], "fails", 1 / 3, "2 exceptions"),
    ],
)
def test_one_exception_refutes(cases, outcome, share, why):
    found = Every("bound").decide(cases)
    assert (found.outcome, found.why, found.n) == (outcome, why, len(cases))
    assert found.estimate == pytest.approx(share) and found.low <= share <= found.high


def test_every_of_nothing_is_undecided():
    found = Every("bound").decide([])
    assert (found.outcome, found.n) == ("undecided", 0) and math.isnan(found.estimate)


def test_a_correlation_is_spearmans():
    x = list(range(10))
    y = [v + 0.5 * (-1) ** v for v in x]
    found = Correlation("size and rise").decide({"x": x, "y": y})
    middle, span = intervals.spearman(np.array(x, float), np.array(y), None)
    assert (found.outcome, found.estimate, found.n) == ("holds", middle, 10)
    assert (found.low, found.high) == tuple(span)
    down = Correlation("size and rise", "below").decide({"x": x, "y": [-v for v in y]})
    assert down.outcome == "holds" and down.estimate < -0.9


@pytest.mark.parametrize(
    ("cases", "n", "why"),
    [
        ({"x": range(7), "y": range(7)}, 7, "n = 7, at least 8 wanted"),
        ({"x": range(9), "y": [1] * 9}, 9, "y does not vary over 9 cases"),
        ({"x": [2] * 9, "y": [1] * 9}, 9, "x and y does not vary over 9 cases"),
        ({"x": [NAN, *range(8)], "y": [*range(8), NAN]}, 9, "2 of 9 cases are no numbers"),
        ({"x": range(9), "y": range(9), "why": "there are no minima"}, 9, "there are no minima"),
        ({"x": range(12), "y": range(12), "group": [k // 3 for k in range(12)]}, 4,
         "n = 4, at least 5 wanted"),
    ],
)  # fmt: skip
def test_a_correlation_that_cannot_be_decided_says_why(cases, n, why):
    found = Correlation("size and rise").decide(cases)
    assert (found.outcome, found.n, found.why) == ("undecided", n, why)
    assert math.isnan(found.estimate) and math.isnan(found.low)


def test_a_correlation_has_as_many_x_as_y():
    with pytest.raises(UsageError, match=r"as many x as y\. Got 9 and 8"):
        Correlation("x").decide({"x": range(9), "y": range(8)})


def test_a_difference_is_of_means():
    more, less = [5.0, 6.0, 5.5, 6.5, 5.2], [1.0, 2.0, 1.5, 2.5, 1.2]
    found = Difference("barrier").decide({"more": more, "less": less})
    assert found.outcome == "holds" and found.n == 10
    assert found.estimate == pytest.approx(np.mean(more) - np.mean(less))
    assert Difference("barrier", "below").decide({"more": more, "less": less}).outcome == "fails"
    assert Difference("barrier", at=100).decide({"more": more, "less": less}).outcome == "fails"


def test_pairs_of_a_difference_are_counted_once():
    more, group = [5.0, 6.0, 5.5, 6.5, 5.2], list("abcde")
    cases = {"more": more, "less": [v - 1 for v in more], "more_group": group, "less_group": group}
    found = Difference("barrier").decide(cases)
    assert (found.outcome, found.n) == ("holds", 5) and found.low == pytest.approx(1.0)


def test_outcomes_have_a_difference_of_shares():
    cases = {"more": [True] * 10, "less": [False] * 10}
    found = Difference("learned").decide(cases)
    want = intervals.difference(np.ones(10), np.zeros(10), shares=True, groups=None)
    assert (found.low, found.high) == tuple(want[1]) and found.low < 1


def test_the_smaller_side_must_be_large_enough():
    found = Difference("x").decide({"more": [1.0] * 9, "less": [0.0] * 4})
    assert (found.outcome, found.n, found.why) == ("undecided", 13, "n = 4, at least 5 wanted")


@pytest.mark.parametrize(
    ("test", "words"),
    [
        (Mean("rise", "above", 0.5), "mean rise above 0.5"),
        (Share("falls", "below", 0.25), "share of falls below 0.25"),
        (Every("the bound"), "the bound, in every case"),
        (Correlation("a and b", "below"), "rank correlation of a and b below 0"),
        (Difference("loss", at=2), "difference of loss above 2"),
    ],
)
def test_a_demand_in_words(test, words):
    assert test.words == words
