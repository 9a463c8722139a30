"""Intervals over runs hold the truth as often as they say."""

import numpy as np
import pytest
from scipy import stats

from ridgeline.frame import intervals

REPEATS = 400


@pytest.mark.parametrize("n", [5, 10, pytest.param(30, marks=pytest.mark.slow)])
@pytest.mark.parametrize("draw", ["normal", "exponential"])
def test_the_mean_is_covered(n, draw):
    draws = np.random.default_rng(n)
    truth = {"normal": 0.0, "exponential": 1.0}[draw]
    held = 0
    for _ in range(REPEATS):
        low, high = intervals.mean(getattr(draws, draw)(size=n))
        held += low <= truth <= high
    # Five numbers of a skewed law are covered less; 0.8 is what Student's interval gives there.
    assert held / REPEATS > (0.89 if draw == "normal" else 0.78)


def test_five_numbers_get_an_interval_nearly_as_wide_as_students():
    draws = np.random.default_rng(0)
    ratios = []
    for _ in range(200):
        values = draws.normal(size=5)
        low, high = intervals.mean(values)
        t = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
        ratios.append((high - low) / (t[1] - t[0]))
    assert 0.8 < np.median(ratios) < 1.1


def test_a_constant_has_an_interval_of_no_width():
    assert intervals.mean(np.full(6, 2.5)) == (2.5, 2.5)


def test_one_number_has_no_interval():
    assert np.isnan(intervals.mean(np.array([1.0]))).all()


def test_shares_are_clopper_and_pearsons():
    assert intervals.share(5, 5) == pytest.approx((0.025 ** (1 / 5), 1.0))
    assert intervals.share(0, 10) == pytest.approx((0.0, 1 - 0.025 ** (1 / 10)))


def test_the_difference_of_shares_does_not_collapse_where_all_agree():
    middle, (low, high) = intervals.difference(np.ones(5), np.zeros(5), shares=True)
    assert middle == 1.0
    assert 0.3 < low < 0.6
    assert high == pytest.approx(1.0)


def test_newcombes_own_example():
    # Newcombe 1998, table II, 56/70 against 48/80, method 10: 0.0524 to 0.3339.
    more, less = (np.r_[np.ones(k), np.zeros(n - k)] for k, n in ((56, 70), (48, 80)))
    _, span = intervals.difference(more, less, shares=True)
    assert span == pytest.approx((0.0524, 0.3339), abs=1e-4)


@pytest.mark.slow
def test_the_difference_of_means_is_covered():
    draws = np.random.default_rng(1)
    held = 0
    for _ in range(REPEATS):
        _, (low, high) = intervals.difference(draws.normal(1, 1, 6), draws.normal(0, 2, 8))
        held += low <= 1 <= high
    assert held / REPEATS > 0.9


def test_the_rank_correlation_is_scipys():
    draws = np.random.default_rng(2)
    x = draws.normal(size=20)
    y = x + draws.normal(size=20)
    middle, (low, high) = intervals.spearman(x, y)
    assert middle == pytest.approx(stats.spearmanr(x, y).statistic)
    assert low < middle < high


def test_a_rank_correlation_needs_two_numbers_that_vary():
    assert np.isnan(intervals.spearman(np.arange(5.0), np.ones(5))[0])


def test_a_rank_correlation_takes_infinities_as_ends_of_the_order():
    x, y = np.arange(8.0), np.array([0.0, 2, 1, 3, 5, 4, 7, 6])
    ended = np.where(y == 7, np.inf, np.where(y == 0, -np.inf, y))
    assert intervals.spearman(x, ended) == intervals.spearman(x, y)
    assert np.isnan(intervals.spearman(x, np.full(8, np.inf))[0])


def test_the_same_numbers_have_the_same_interval():
    values = np.random.default_rng(3).normal(size=7)
    assert intervals.mean(values) == intervals.mean(values)


def _clustered(draws, groups, each, spread):
    """Outcomes in groups whose chances differ: a logistic normal about 0.8."""
    chances = 1 / (1 + np.exp(-draws.normal(1.4, spread, size=groups)))
    return np.repeat(np.arange(groups), each), draws.random(groups * each) < np.repeat(
        chances, each
    )


@pytest.mark.parametrize("spread", [0.0, 1.5])
def test_a_share_of_outcomes_in_groups_is_covered(spread):
    draws = np.random.default_rng(3)
    chance = (1 / (1 + np.exp(-draws.normal(1.4, spread, size=200_000)))).mean()
    held = 0
    for _ in range(REPEATS):
        groups, hit = _clustered(draws, 8, 10, spread)
        values = hit.astype(float)
        n = intervals.effective(values, groups)
        low, high = intervals.share(values.mean() * n, n)
        held += low <= chance <= high
    assert held / REPEATS > 0.92


def test_outcomes_that_agree_within_groups_count_as_groups():
    groups = np.repeat(np.arange(10), 12)
    values = np.repeat(np.r_[np.ones(6), np.zeros(4)], 12)
    assert 6 < intervals.effective(values, groups) < 12
    assert intervals.effective(values, np.arange(120)) == 120


def test_outcomes_that_all_agree_have_at_most_as_many_cases():
    groups = np.repeat(np.arange(6), 10)
    assert 20 < intervals.effective(np.ones(60), groups) <= 60


@pytest.mark.parametrize(("side", "at"), [("above", 0.5), ("below", 0.1), ("above", 0.75)])
def test_the_fewest_cases_of_a_share(side, at):
    n = intervals.decides(side, at)
    hits = {"above": lambda n: n, "below": lambda n: 0}[side]

    def settled(n):
        low, high = intervals.share(hits(n), n)
        return low > at if side == "above" else high < at

    assert settled(n)
    assert not settled(n - 1)


def test_pairs_are_compared_within():
    draws = np.random.default_rng(0)
    base = draws.normal(size=8) * 10
    more, less = base + 1 + draws.normal(size=8) * 0.1, base
    seeds = np.arange(8)
    middle, (low, high) = intervals.difference(more, less, groups=(seeds, seeds))
    assert middle == pytest.approx((more - less).mean())
    assert 0.8 < low < middle < high < 1.2
    assert (low, high) == pytest.approx(intervals.mean(more - less), abs=0.02)
    assert intervals.difference(more, less)[1][0] < -5


def test_groups_on_one_side_only_are_drawn_by_themselves():
    middle, (low, high) = intervals.difference(
        np.array([2.0, 2.2, 1.8, 2.1, 1.9] * 2),
        np.arange(5) * 0.1,
        groups=(np.array([0, 1, 2, 3, 4] * 2), np.arange(5, 10)),
    )
    assert middle == pytest.approx(1.8)
    assert 1.3 < low < middle < high < 2.3
