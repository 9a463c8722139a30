"""Weight matching from the identity is algorithm 1 of Git Re-Basin, done with less work."""

import numpy as np
import pytest

from rebasin import algorithm
from ridgeline.matching import WeightMatching, align
from ridgeline.rng import seed_of
from wreaths import CASES, chain, drawn


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("case", ["chain", "joined", "wide"])
def test_it_is_algorithm_1_from_the_identity(case, seed):
    symmetry, shapes = chain(10, 30, 40, 30, 20, 5) if case == "wide" else CASES[case]()
    a, b = drawn(shapes, seed), drawn(shapes, seed + 100)
    by = WeightMatching(init="identity", tolerance=1e-12)
    found = align(a, b, symmetry, by=by, seed=seed).matched.objective["after"]
    draws = np.random.default_rng(seed_of(seed, "weight matching", 0))
    assert found == pytest.approx(algorithm(a, b, symmetry, draws), abs=1e-8)
