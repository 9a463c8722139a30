"""Simulated annealing keeps the best it saw, by true energies."""

import pytest
import torch

from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.matching import align
from ridgeline.matching.annealing import SimulatedAnnealing
from wreaths import CASES, chain, drawn


@pytest.mark.parametrize("case", list(CASES))
def test_the_energy_it_keeps_is_the_true_one(case):
    symmetry, shapes = CASES[case]()
    a, b = drawn(shapes, 0), drawn(shapes, 1)
    by = SimulatedAnnealing(steps=300, initial_temperature=5.0, final_temperature=0.01)
    found = align(a, b, symmetry, by=by)
    told = found.matched.objective
    assert told["after"] == pytest.approx(found.after**2) and told["after"] < told["before"]
    assert min(found.matched.history) >= told["after"] - 1e-9


@pytest.mark.parametrize("case", list(CASES))
def test_swaps_of_the_distance_are_those_of_any_energy(case):
    symmetry, shapes = CASES[case]()
    a, b = drawn(shapes, 0), drawn(shapes, 1)
    slow = SimulatedAnnealing(
        energy=lambda x: states.distance(a, x) ** 2,
        steps=100,
        initial_temperature=5.0,
        final_temperature=0.1,
    )
    fast = SimulatedAnnealing(
        steps=100, initial_temperature=5.0, final_temperature=0.1, settle=False
    )
    # Statistics are no coordinates, so that the two agree wherever there are none or some.
    one, two = (align(a, b, symmetry, by=by, seed=3) for by in (slow, fast))
    assert one.matched.history == pytest.approx(two.matched.history)
    assert all(torch.equal(one.state[n], two.state[n]) for n in a)


def test_a_small_planted_element_is_found():
    symmetry, shapes = chain(4, 3, 3, 2)
    a = drawn(shapes, 0)
    by = SimulatedAnnealing(steps=3000, initial_temperature=10.0, final_temperature=0.05)
    assert align(a, symmetry.random(1)(a), symmetry, by=by).after == 0


def test_it_is_never_worse_and_seeded():
    symmetry, shapes = chain(4, 6, 5, 2)
    a, b = drawn(shapes, 0), drawn(shapes, 1)
    hot = SimulatedAnnealing(steps=50)
    same = align(a, a, symmetry, by=hot)
    assert same.after == 0 and not any(same.moved.values())
    runs = [align(a, b, symmetry, by=hot, seed=s).matched.history for s in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_what_cannot_be_is_refused():
    with pytest.raises(UsageError, match="Temperatures are positive and fall"):
        SimulatedAnnealing(initial_temperature=1.0, final_temperature=2.0)
    with pytest.raises(UsageError, match="steps is at least 1"):
        SimulatedAnnealing(steps=0)
    shapes = chain(4, 1, 2)[1]
    with pytest.raises(UsageError, match="a group of two units"):
        align(drawn(shapes, 0), drawn(shapes, 1), chain(4, 1, 2)[0], by=SimulatedAnnealing(steps=1))


def test_a_walk_that_never_cools_says_which_temperatures_to_lower():
    symmetry, shapes = chain(4, 6, 5, 2)
    a, b = drawn(shapes, 0), drawn(shapes, 1)
    notes = lambda **heat: align(a, b, symmetry, by=SimulatedAnnealing(**heat)).matched.notes[0]  # noqa: E731 (a name for a short function that is read in place)
    hot = notes(steps=2000, final_temperature=2500.0)
    assert "of the last 200" in hot and "`initial_temperature` and `final_temperature`" in hot
    assert "random walk" not in notes(steps=2000, initial_temperature=5.0, final_temperature=0.01)
