"""Products that are changed are those made anew, and no product is made twice."""

import numpy as np
import pytest

from ridgeline.matching import products
from ridgeline.matching.overlap import Overlap
from ridgeline.symmetry.frame import identities
from wreaths import CASES, chain, drawn


@pytest.mark.parametrize("case", list(CASES))
def test_gains_after_many_small_changes_are_those_of_the_definition(case):
    symmetry, shapes = CASES[case]()
    a, b = drawn(shapes, 0), drawn(shapes, 1)
    kept, orders = Overlap(a, b, symmetry), identities(symmetry)
    draws = np.random.default_rng(0)
    for _ in range(60):
        g = symmetry.groups[draws.integers(len(symmetry.groups))]
        if g.size < 2:
            continue
        order = orders[g.name].copy()
        f, (i, j) = draws.integers(g.fibres), draws.choice(g.size, 2, replace=False)
        order[f, [i, j]] = order[f, [j, i]]
        orders[g.name] = order
        for name in kept.groups:
            found = kept.gains(name, orders)
            np.testing.assert_allclose(found, _gains(symmetry, name, a, b, orders), atol=1e-9)


def _gains(symmetry, name, a, b, orders):
    """Every pair of units by itself, from tensors carried one place after another."""
    group = symmetry.group(name)
    total = np.zeros((group.fibres, group.size, group.size))
    outer_first = sorted(symmetry.groups, key=lambda g: -symmetry.groups.index(g))
    for place in group.places:
        if place.tensor.endswith("running_mean"):
            continue
        x = b[place.tensor]
        for g in outer_first:
            for p in g.places:
                if p.tensor == place.tensor and p is not place:
                    x = p.permute(x, orders[g.name])
        mine, theirs = place.units(a[place.tensor]).numpy(), place.units(x).numpy()
        for f, i, j in np.ndindex(*total.shape):
            total[f, i, j] += mine[f, i] @ theirs[f, j]
    return total


def test_a_product_is_made_anew_only_where_a_neighbour_moved(monkeypatch):
    symmetry, shapes = chain(5, 8, 8, 8, 3)
    overlap = Overlap(drawn(shapes, 0), drawn(shapes, 1), symmetry)
    orders = identities(symmetry)
    made = []
    true = products._products
    monkeypatch.setattr(products, "_products", lambda a, b: made.append(a.shape) or true(a, b))
    overlap.gains("1", orders)
    assert len(made) == 3
    overlap.gains("1", orders)
    assert len(made) == 3
    order = orders["0"].copy()
    order[0, [2, 5]] = 5, 2
    overlap.gains("1", orders | {"0": order})
    assert made[3:] == [(1, 8, 2)]  # two of eight terms of one product
