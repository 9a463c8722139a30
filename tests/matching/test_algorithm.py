"""Weight matching from the identity is algorithm 1 of Git Re-Basin, done with less work."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from ridgeline import state as states
from ridgeline.matching import WeightMatching, align
from ridgeline.rng import seed_of
from wreaths import CASES, chain, drawn


def algorithm(a, b, symmetry, draws):
    """Algorithm 1 as it is written: every layer in every sweep, everything anew."""
    orders = {g.name: np.arange(g.size) for g in symmetry.groups}
    moved = True
    while moved:
        moved = False
        for i in draws.permutation(len(symmetry.groups)):
            group = symmetry.groups[i]
            rest = {n: o[None] for n, o in orders.items() if n != group.name}
            carried = symmetry.transform(rest)(b)
            gains = np.zeros((group.size, group.size))
            for place in group.places:
                if not states.is_statistic(place.tensor):
                    mine, theirs = (
                        place.units(a[place.tensor])[0],
                        place.units(carried[place.tensor])[0],
                    )
                    gains += (mine @ theirs.T).numpy()
            found = linear_sum_assignment(gains, maximize=True)[1]
            rows = np.arange(group.size)
            if gains[rows, found].sum() > gains[rows, orders[group.name]].sum() + 1e-9:
                orders[group.name], moved = found, True
    carried = symmetry.transform({n: o[None] for n, o in orders.items()})(b)
    held = {p.tensor for g in symmetry.groups for p in g.places}
    names = [n for n in held if not states.is_statistic(n)]
    return states.dot(a, carried, names=names)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("case", ["chain", "joined", "wide"])
def test_it_is_algorithm_1_from_the_identity(case, seed):
    symmetry, shapes = chain(10, 30, 40, 30, 20, 5) if case == "wide" else CASES[case]()
    a, b = drawn(shapes, seed), drawn(shapes, seed + 100)
    by = WeightMatching(init="identity", tolerance=1e-12)
    found = align(a, b, symmetry, by=by, seed=seed).matched.objective["after"]
    draws = np.random.default_rng(seed_of(seed, "weight matching", 0))
    assert found == pytest.approx(algorithm(a, b, symmetry, draws), abs=1e-8)
