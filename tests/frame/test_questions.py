"""Questions with a threshold: what they ask of the rows is what their tests are given."""

import numpy as np
import pytest

from ridgeline.errors import UsageError
from ridgeline.frame import Frame, correlation, demands, difference, every, mean, share

ROWS = Frame(
    {
        "kind": ["a"] * 6 + ["b"] * 6,
        "seed": [*range(6), *range(6)],
        "x": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.5, 1.0, 1.5, 2.0, 2.5, None],
    }
).derive(large=lambda x: x > 2.2)


def test_a_mean_is_of_the_rows_that_are_asked_for():
    asked = mean("x", "a number", kind="a") > 2
    assert asked.words == "mean a number above 2"
    assert asked.decide(ROWS) == demands.Mean("a number", "above", 2).decide([1, 2, 3, 4, 5, 6])


def test_a_missing_number_is_no_case_and_nan_decides_nothing():
    assert (mean("x", "a number", kind="b") < 3).decide(ROWS).n == 5
    spoilt = ROWS.derive(x=lambda x: float("nan") if x == 6 else x)
    found = (mean("x", "a number", kind="a") > 0).decide(spoilt)
    assert (found.outcome, found.why) == ("undecided", "1 of 6 cases are not finite")


def test_rows_per_seed_are_one_case_their_mean():
    found = (mean("x", "a number", per="seed") > 0).decide(ROWS)
    assert found.n == 6
    assert found.estimate == pytest.approx(np.mean([0.75, 1.5, 2.25, 3.0, 3.75, 6.0]))


def test_a_share_takes_clusters():
    asked = share("large", "large ones", cluster="seed") > 0.1
    told = {"is": [False] * 2 + [True] * 4 + [False] * 4 + [True], "group": [*range(6), *range(5)]}
    assert asked.decide(ROWS) == demands.Share("large ones", "above", 0.1).decide(told)


def test_every_is_refuted_by_one_exception_in_any_of_a_seed():
    found = every("large", "large", per="seed").decide(ROWS.where(kind="a"))
    assert (found.outcome, found.why) == ("fails", "2 exceptions")
    assert every("large", "large", per="seed", needs=3).decide(ROWS.where(x=[3.0, 4.0, 5.0])).n == 3


def test_a_difference_is_of_two_kinds_of_rows_and_pairs_by_cluster():
    sides = ({"kind": "a"}, {"kind": "b"})
    found = (difference("x", "a less b", *sides, cluster="seed", paired=True) > 0).decide(ROWS)
    pairs = [1 - 0.5, 2 - 1, 3 - 1.5, 4 - 2, 5 - 2.5]
    assert (found.n, found.outcome) == (5, "holds")
    assert found.estimate == pytest.approx(np.mean(pairs))
    alone = (difference("x", "a less b", *sides, cluster="seed") > 0).decide(ROWS)
    assert alone.n == 6  # seed 5 is on one side alone
    with pytest.raises(UsageError, match="Pairs are of a cluster"):
        difference("x", "", *sides, paired=True)


def test_pairs_stand_in_one_order_whatever_that_of_the_rows():
    sides = ({"kind": "a"}, {"kind": "b"})
    asked = difference("x", "a less b", *sides, cluster="seed", paired=True) > 0
    mixed = ROWS.where(kind="a") + ROWS.where(kind="b").sorted("x").where(x=lambda x: x < 9)
    cases = asked.cases(Frame.of(reversed(list(mixed))))
    assert cases["more_group"] == cases["less_group"]


def test_a_correlation_says_why_it_cannot_decide():
    asked = correlation("x", "seed", "x and seed", cluster="seed") > 0
    assert asked.decide(ROWS.where(kind="a")).outcome == "holds"
    mute = correlation("x", "seed", "", why=lambda rows: f"{len(rows)} rows") > 0
    assert mute.decide(ROWS).why == "11 rows"


def test_what_is_optional_is_not_asked_of_no_rows():
    asked = mean("x", "a number", kind="c", optional=True) > 0
    assert not asked.asks(ROWS)
    assert (mean("x", "a number", kind="c") > 0).asks(ROWS)
    assert (mean("x", "a number", kind="a", optional=True) > 0).asks(ROWS)


@pytest.mark.parametrize(
    ("shift", "outcome"), [(0.0, "holds"), (0.45, "undecided"), (-0.45, "undecided"), (2, "fails")]
)
def test_an_equivalence_holds_within_its_margin_and_fails_beyond_it(shift, outcome):
    near = Frame({"x": [shift + x for x in (-0.1, -0.05, 0.0, 0.05, 0.1, 0.12)]})
    asked = abs(mean("x", "a number")) < 0.5
    assert asked.words == "mean a number within 0.5 of zero"
    found = asked.decide(near)
    assert found.outcome == outcome
    plain = (mean("x", "a number") < 0.5).decide(near)
    assert (found.low, found.high, found.n) == (plain.low, plain.high, 6)


def test_an_equivalence_of_too_few_is_undecided():
    found = (abs(mean("x", "a number")) < 0.5).decide(Frame({"x": [0.0, 0.1]}))
    assert (found.outcome, found.why) == ("undecided", "n = 2, at least 5 wanted")


def test_a_difference_says_why_its_rows_cannot_decide():
    sides = ({"kind": "a"}, {"kind": "b"})
    told = difference("x", "x", *sides, why=lambda rows: f"only {len(rows)} rows") > 0
    found = told.decide(ROWS)
    assert (found.outcome, found.why, found.n) == ("undecided", "only 11 rows", 11)
    open_ = difference("x", "x", *sides, why=lambda rows: "") > 0
    assert open_.decide(ROWS) == (difference("x", "x", *sides) > 0).decide(ROWS)
