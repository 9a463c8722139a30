"""Starts that are built up from what is known."""

import numpy as np
import pytest

from ridgeline.matching import align
from ridgeline.matching.outward import outward
from ridgeline.matching.overlap import Overlap
from ridgeline.matching.weights import WeightMatching
from wreaths import CASES, chain, drawn, stream


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_a_planted_element_is_found_before_any_descent(case, seed):
    symmetry, shapes = CASES[case]()
    a = drawn(shapes, 0)
    overlap = Overlap(a, symmetry.random(2)(a), symmetry)
    found = outward(overlap, None if seed is None else np.random.default_rng(seed))
    assert overlap.value(found) == pytest.approx(
        sum(float((x * x).sum()) for x in overlap.a.values())
    )


def test_the_group_of_which_most_is_known_goes_first(monkeypatch):
    symmetry, shapes = chain(2, 5, 5, 50)  # the outputs say more than the inputs
    overlap = Overlap(drawn(shapes, 0), drawn(shapes, 1), symmetry)
    turns = []
    from ridgeline.matching import outward as module

    true = module.solve
    monkeypatch.setattr(
        module, "solve", lambda o, n, *x: turns.append((n, sorted(x[1]))) or true(o, n, *x)
    )
    outward(overlap)
    assert [n for n, _ in turns] == ["1", "0"]
    assert turns[0][1] == ["1.shift", "2.kernel"]
    assert turns[1][1] == ["0.kernel", "0.shift", "1.kernel"]


def test_a_groups_own_square_is_not_known():
    symmetry, shapes = stream()
    a, b = drawn(shapes, 0), drawn(shapes, 1)
    other = {n: x if n != "mix" else 1e6 * x for n, x in b.items()}
    one, two = (outward(Overlap(a, x, symmetry)) for x in (b, other))
    assert (one["stream"] == two["stream"]).all()


def test_networks_that_are_near_already_are_left_in_place():
    symmetry, shapes = chain(2, 30, 30, 2)
    a = drawn(shapes, 0)
    b = {n: x + 0.05 * drawn(shapes, 1)[n] for n, x in a.items()}
    found = align(a, b, symmetry, by=WeightMatching())
    assert not any(found.moved.values())
