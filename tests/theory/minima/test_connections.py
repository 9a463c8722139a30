"""Lines, chains and stars of minima against slow enumeration over the graph of types."""

import itertools
from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgeline.errors import UsageError
from ridgeline.theory.minima import (
    LAWS,
    Minima,
    adjacent,
    centre_types,
    diameter,
    distances,
    draw,
    draw_types,
    has_centre,
    merged,
    merged_centre,
    representatives,
    risk,
    star_bound,
)


def vectors(M, m):
    every = itertools.product(range(M + 1), repeat=m)
    return [v for v in every if set(range(1, M + 1)) <= set(v)]


def line(a, b):
    """Lemma 7, one neuron after another."""
    return all(x == 0 or y == 0 or x == y for x, y in zip(a, b, strict=True))


def searched(start, every):
    """Distances by a queue."""
    found, queue = {start: 0}, deque([start])
    while queue:
        here = queue.popleft()
        for other in every:
            if other not in found and line(here, other):
                found[other] = found[here] + 1
                queue.append(other)
    return found


# --- lines -----------------------------------------------------------------------------------


@pytest.mark.parametrize("law", [*LAWS, 0.6])
def test_lemma_7_says_which_lines_stay_at_zero_risk(law):
    rng = np.random.default_rng(0)
    a, b = (draw(law, teachers=2, neurons=4, size=100, rng=rng) for _ in range(2))
    said = adjacent(a.types, b.types)
    t = np.array([0.2, 0.5, 0.9])[:, None, None, None]
    worst = risk((1 - t) * a.weights() + t * b.weights(), 2).max(0)
    np.testing.assert_array_equal(said, worst < 1e-12)


def test_some_random_lines_do_and_some_do_not():
    rng = np.random.default_rng(0)
    a, b = (draw_types(0.6, teachers=2, neurons=5, size=200, rng=rng) for _ in range(2))
    assert 0.05 < adjacent(a, b).mean() < 0.95


# --- distances -------------------------------------------------------------------------------


@pytest.mark.parametrize(("M", "m"), [(1, 3), (2, 3), (2, 4), (3, 3), (3, 4)])
def test_distances_are_those_of_a_plain_search(M, m):
    every = vectors(M, m)
    for start in representatives(M, m):
        found, slow = distances(start, M), searched(tuple(start.tolist()), every)
        assert np.isnan(found).sum() == (M + 1) ** m - len(every)
        assert {v: found[v] for v in every} == {v: slow.get(v, np.inf) for v in every}


@pytest.mark.parametrize(("M", "m"), [(1, 2), (2, 4), (3, 5), (4, 6)])
def test_every_vector_is_one_of_the_representatives_under_other_names(M, m):
    def kind(v):
        counts = [list(v).count(j) for j in range(M + 1)]
        return counts[0], tuple(sorted(counts[1:]))

    kinds = [kind(one.tolist()) for one in representatives(M, m)]
    assert len(set(kinds)) == len(kinds)
    assert set(kinds) == {kind(v) for v in vectors(M, m)}


@pytest.mark.parametrize(
    ("M", "m", "largest"),
    [
        *((2, m, 4) for m in (3, 4, 5, 6)),
        *((3, 5, 4), (3, 6, 4), (4, 7, 4)),
        *((2, 2, np.inf), (3, 4, 5), (4, 6, 5), (4, 5, 7), (3, 3, np.inf)),
    ],
)
def test_four_pieces_are_enough_from_2M_less_1_neurons_on_and_not_below(M, m, largest):
    assert diameter(M, m) == largest


def test_a_graph_too_large_to_search_is_refused():
    with pytest.raises(UsageError, match="5\\^12"):
        distances(np.array([1, 2, 3, 4] * 3, np.int8), 4)


@pytest.mark.parametrize("start", [[1, 1, 1], [1, 2, 3]])
def test_a_search_begins_at_a_minimum(start):
    with pytest.raises(UsageError, match="M = 2"):
        distances(np.array(start, np.int8), 2)


def test_without_minima_there_is_no_largest_distance():
    with pytest.raises(UsageError, match="2 neurons, 3 of the teacher"):
        diameter(3, 2)


# --- stars -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("M", "m", "k"), [(2, 3, 2), (2, 4, 3), (3, 4, 2)])
def test_feet_have_a_centre_where_some_minimum_is_next_to_all(M, m, k):
    every = vectors(M, m)
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(every), size=(60, k))
    feet = np.array(every, np.int8)[chosen]
    slow = [any(all(line(c, f) for f in star) for c in every) for star in feet.tolist()]
    assert has_centre(feet, M).tolist() == slow
    assert {True, False} == set(slow)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    M=st.integers(1, 4),
    k=st.integers(1, 4),
    more=st.integers(0, 12),
    zeros=st.floats(0, 0.8),
)
def test_the_matching_finds_a_centre_wherever_there_is_one(seed, M, k, more, zeros):
    rng = np.random.default_rng(seed)
    feet = draw(zeros, teachers=M, neurons=M + more + 2, size=k, rng=rng)
    found = centre_types(feet.types, M)
    assert (found is not None) == has_centre(feet.types, M)
    if found is not None:
        centre = Minima(found, (found > 0).astype(float), M).weights(M + 1)
        middle = 0.5 * (centre + feet.weights(M + 1))
        assert np.abs(risk(middle, M)).max() < 1e-12


def test_a_matching_is_needed_where_one_neuron_would_serve_two_types():
    # The only neuron that a centre may use is zero in all feet: each type could take it.
    feet = np.array([[0, 1, 2], [0, 2, 1]], np.int8)
    assert not has_centre(feet, 2) and centre_types(feet, 2) is None


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), M=st.integers(1, 4), k=st.integers(1, 5), more=st.integers(0, 5))
def test_theorem_11_reaches_every_foot_in_two_pieces(seed, M, k, more):
    rng = np.random.default_rng(seed)
    feet = draw_types("with_zeros", teachers=M, neurons=k * M + more, size=k, rng=rng)
    half_way, centre = merged(feet, M), merged_centre(feet, M)
    assert adjacent(feet, half_way).all() and adjacent(half_way, centre).all()
    for one in (*half_way, centre):
        assert sorted(one[one > 0].tolist()) == list(range(1, M + 1))


def test_theorem_11_says_so_where_neurons_are_too_few():
    feet = np.array([[1, 2], [2, 1]], np.int8)
    with pytest.raises(UsageError, match="2 neurons, 2 feet"):
        merged_centre(feet, 2)


def test_a_star_without_feet_has_no_centre_to_ask_for():
    with pytest.raises(UsageError, match="foot"):
        has_centre(np.zeros((0, 4), np.int8), 2)


# --- bounds ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("M", "m", "k", "bound"),
    [
        *((3, 20, 2, 0.423), (3, 30, 2, 0.822), (3, 45, 2, 0.970)),
        *((2, 16, 3, 0.474), (2, 24, 3, 0.819), (2, 40, 3, 0.979)),
        (3, 5, 2, 0.0),
    ],
)
def test_bounds_are_those_that_were_worked_out(M, m, k, bound):
    assert star_bound(M, m, k) == pytest.approx(bound, abs=5e-4)


def test_a_star_without_feet_is_refused():
    with pytest.raises(UsageError, match="0 feet"):
        star_bound(2, 4, 0)
