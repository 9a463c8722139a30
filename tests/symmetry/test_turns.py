"""Elements of a proof: they move every unit, and generate every permutation."""

from itertools import permutations

import numpy as np
import pytest

from ridgeline.symmetry import Group, Place
from ridgeline.symmetry.generator import Permutations
from ridgeline.symmetry.turns import cycles, sets


def group(name, fibres, size):
    return Group(name, (Place("w", 0, np.arange(fibres * size).reshape(fibres, size, 1)),))


def generated(*elements):
    found = {tuple(range(len(elements[0])))}
    waiting = list(found)
    while waiting:
        x = waiting.pop()
        for g in elements:
            y = tuple(x[k] for k in g)
            if y not in found:
                found.add(y)
                waiting.append(y)
    return found


@pytest.mark.parametrize("size", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("name", ["a", "pair", "conv1 blocks"])
def test_the_two_elements_of_a_fibre_generate_every_permutation(size, name):
    for seed in range(3):
        first, second = cycles(group(name, 4, size), seed)
        for f in range(4):
            assert not (first[f] == np.arange(size)).any()
            assert generated(first[f].tolist(), second[f].tolist()) == set(
                permutations(range(size))
            )


def test_any_two_small_fibres_are_told_apart():
    groups = [group("a", 5, 2), group("b", 1, 2), group("wide", 3, 9), group("c", 3, 4)]
    told = {g.name: g.fibres for g in groups if Permutations(g).apart}
    small = [(n, f) for n, count in told.items() for f in range(count)]
    assert [n for n, _ in small] == ["a"] * 5 + ["b"] + ["c"] * 3
    held = [{(n, f) for n, x in one.items() for f in np.flatnonzero(x)} for one in sets(told)]
    for x in small:
        for y in small:
            assert x == y or any((x in one) != (y in one) for one in held)
    assert not any(name == "wide" for one in held for name, _ in one)
