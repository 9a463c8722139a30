"""Assignment: the best order, and the current one where others are as good."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.matching.assignment import assign, value


@given(st.integers(1, 5), st.integers(1, 3), st.integers(0, 2**31))
def test_law_nothing_gains_more(size, fibres, seed):
    gain = np.random.default_rng(seed).standard_normal((fibres, size, size))
    order = assign(gain)
    rows = np.arange(size)
    best = sum(max(one[rows, list(p)].sum() for p in itertools.permutations(rows)) for one in gain)
    assert abs(value(gain, order) - best) < 1e-9


def test_among_equals_what_stands_stays():
    current = np.array([[2, 0, 1, 4, 3]])
    assert (assign(np.ones((1, 5, 5)), current) == current).all()
    assert (assign(np.zeros((1, 5, 5)), current) == current).all()


@given(st.integers(2, 6), st.integers(0, 2**31), st.floats(1, 1e6))
def test_law_loud_units_hold_no_others_in_place(size, seed, loud):
    draws = np.random.default_rng(seed)
    gain = draws.standard_normal((1, size, size))
    gain[0, 0] *= loud  # ReLU units that were rescaled, in a and in b
    gain[0, :, -1] *= loud
    order = assign(gain, np.arange(size)[None])
    assert (order == assign(gain)).all()


def test_equal_units_stay_while_others_move():
    gain = np.diag([0.0, 0.0, 0.0, 1e8, 1.0, 2.0])[[0, 1, 2, 3, 5, 4]][None]
    assert assign(gain, np.arange(6)[None])[0].tolist() == [0, 1, 2, 3, 5, 4]


def test_sums_are_in_float64():
    gain = np.zeros((1, 2000, 2000), np.float32)
    gain[0, range(2000), range(2000)] = 0.1
    gain[0, 0, 0] = 1e8
    expected = 1e8 + 1999 * float(np.float32(0.1))
    assert abs(value(gain, np.arange(2000)[None]) - expected) < 1e-3
