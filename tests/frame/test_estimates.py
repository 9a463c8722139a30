"""Estimates over rows: those of the intervals, with whole clusters drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgeline.errors import UsageError
from ridgeline.frame import Frame, intervals

NUMBERS = st.lists(st.floats(-10, 10), min_size=2, max_size=8)


@settings(max_examples=25, deadline=None)
@given(NUMBERS)
def test_the_mean_of_independent_rows_is_that_of_the_intervals(values):
    found = Frame({"x": values}).mean("x")
    assert (found.low, found.high) == intervals.mean(np.array(values))
    assert (found.value, found.n) == (pytest.approx(np.mean(values)), len(values))


@settings(max_examples=25, deadline=None)
@given(NUMBERS, st.integers(2, 4))
def test_copies_of_a_row_in_one_cluster_are_one_row(values, times):
    frame = Frame({"x": np.repeat(values, times), "seed": np.repeat(range(len(values)), times)})
    found = frame.clustered("seed").mean("x")
    assert (found.low, found.high) == pytest.approx(intervals.mean(np.array(values)), abs=1e-9)
    assert found.n == len(values)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.booleans(), min_size=6, max_size=12))
def test_a_share_is_the_binomial_one(values):
    found = Frame({"is": values}).share("is")
    assert (found.low, found.high) == intervals.share(sum(values), len(values))


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(6)))
def test_a_correlation_is_that_of_the_intervals(order):
    x = np.arange(6.0)
    found = Frame({"x": x, "y": [float(i) for i in order]}).correlate("x", "y")
    middle, span = intervals.spearman(x, np.array(order, dtype=float))
    assert (found.value, found.low, found.high) == (middle, *span)


def test_what_is_not_finite_is_left_out_and_counted():
    found = Frame({"x": [1.0, 2.0, None, np.inf, 3.0]}).mean("x")
    assert (found.value, found.n, found.left_out) == (2.0, 3, 2)
    assert "2 not finite" in str(found)
    assert Frame({"x": [None, None]}).where(x=1).mean("x").n == 0


def test_unequal_clusters_weigh_by_their_rows():
    frame = Frame({"x": [0.0, 0.0, 0.0, 1.0], "seed": [0, 0, 0, 1]}, cluster="seed")
    assert frame.mean("x").value == 0.25
    assert frame.mean("x").n == 2
    assert frame.mean("x", cluster=None).n == 4


def pairs_of(effects, noise):
    """Barriers of all pairs: the sum of what each network brings, and some noise."""
    count = len(effects)
    ends = [(i, j) for i in range(count) for j in range(i + 1, count)]
    rows = [
        {"a": i, "b": j, "x": effects[i] + effects[j] + e}
        for (i, j), e in zip(ends, noise, strict=True)
    ]
    return Frame.of(rows, cluster=("a", "b"))


def test_pairs_that_share_networks_are_not_independent():
    draws = np.random.default_rng(0)
    held, held_alone, repeats, count = 0, 0, 60, 10
    for _ in range(repeats):
        frame = pairs_of(draws.normal(size=count), 0.3 * draws.normal(size=45))
        found, alone = frame.mean("x"), frame.mean("x", cluster=None)
        held += found.low <= 0 <= found.high
        held_alone += alone.low <= 0 <= alone.high
    assert held / repeats > 0.9
    assert held_alone / repeats < 0.75  # as if 45 pairs of 10 networks were 45 networks
    assert found.n == count


def test_pairs_of_which_nothing_is_shared_get_wider_intervals_not_narrower():
    draws = np.random.default_rng(1)
    widths = []
    for _ in range(20):
        frame = pairs_of(np.zeros(12), draws.normal(size=66))
        found, alone = frame.mean("x"), frame.mean("x", cluster=None)
        widths.append((found.high - found.low) / (alone.high - alone.low))
    assert 1 < np.mean(widths) < 2.2  # the price of not knowing that networks bring nothing


def test_groups_become_rows_of_estimates():
    frame = Frame({"width": [8, 8, 16, 16], "x": [1.0, 3.0, 5.0, 5.0]})
    found = frame.by("width").mean("x")
    assert found.columns == ["width", "x", "x_low", "x_high", "n"]
    assert found.values("x") == (2.0, 5.0)
    one = frame.where(width=8).mean("x")
    assert (found.values("x_low")[0], found.values("n")[0]) == (one.low, 2)


def test_a_correlation_of_pairs_wants_one_column_of_clusters():
    frame = pairs_of(np.arange(4.0), np.zeros(6)).derive(y=lambda x: -x)
    with pytest.raises(UsageError, match="clusters of one column"):
        frame.correlate("x", "y")
    assert frame.correlate("x", "y", cluster="a").value == pytest.approx(-1.0)
