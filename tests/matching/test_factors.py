"""The factor of a unit that brings it nearest to another, against a fine grid."""

import numpy as np
import pytest
import torch

from ridgeline.matching.factors import factors_of
from ridgeline.symmetry import Group, Place
from ridgeline.symmetry.scaling import Rescalable

INDEX = np.arange(4).reshape(1, 4, 1)
PLACES = (Place("made", 0, INDEX), Place("used", 1, INDEX), Place("bias", 0, INDEX))


def drawn(seed):
    rng = torch.Generator().manual_seed(seed)
    make = lambda *shape: torch.randn(shape, generator=rng, dtype=torch.float64)  # noqa: E731 (short)
    return {"made": make(4, 3), "used": make(2, 4), "bias": make(4)}


def distance(a, b, powers, unit, factor):
    parts = [(s["made"][unit], s["used"][:, unit], s["bias"][unit : unit + 1]) for s in (a, b)]
    pairs = zip(*parts, powers, strict=True)
    return sum(float((x - factor**e * y).square().sum()) for x, y, e in pairs)


@pytest.mark.parametrize("powers", [(1, -1, 1), (1, -1, 0), (2, -1, 0)])
@pytest.mark.parametrize("seed", range(2))
def test_no_factor_of_a_grid_is_better(powers, seed):
    a, b = drawn(seed), drawn(seed + 10)
    found = factors_of(a, b, Group("g", PLACES), Rescalable("m", "g", powers))
    assert found.shape == (1, 4) and (found > 0).all()
    for unit in range(4):
        best = min(distance(a, b, powers, unit, f) for f in np.geomspace(1e-2, 1e2, 150))
        assert distance(a, b, powers, unit, float(found[0, unit])) <= best + 1e-9


def test_a_planted_factor_is_found():
    b = drawn(0)
    planted = torch.tensor([0.5, 2.0, 3.0, 1.0], dtype=torch.float64)
    a = {
        "made": b["made"] * planted[:, None],
        "used": b["used"] / planted,
        "bias": b["bias"] * planted,
    }
    found = factors_of(a, b, Group("g", PLACES), Rescalable("m", "g", (1, -1, 1)))
    np.testing.assert_allclose(found[0], planted.numpy(), rtol=1e-6)


def test_a_unit_that_no_positive_factor_brings_nearer_stays():
    b = drawn(0)
    a = b | {"made": -b["made"]}
    found = factors_of(a, b, Group("g", PLACES), Rescalable("m", "g", (1, 0, 0)))
    assert found.tolist() == [[1.0] * 4]


def test_signs_are_those_of_the_overlap_of_odd_powers():
    b = drawn(0)
    signs = torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64)
    a = {"made": b["made"] * signs[:, None], "used": b["used"] * signs, "bias": -b["bias"] * 9}
    member = Rescalable("m", "g", (1, 1, 2), signs=True)
    assert factors_of(a, b, Group("g", PLACES), member)[0].tolist() == signs.tolist()


def test_units_of_no_size_stay():
    zero = {n: torch.zeros_like(x) for n, x in drawn(0).items()}
    found = factors_of(drawn(1), zero, Group("g", PLACES), Rescalable("m", "g", (1, -1, 1)))
    assert np.isfinite(found).all()


def test_statistics_do_not_count():
    index = np.arange(4).reshape(1, 4, 1)
    group = Group("g", (PLACES[0], Place("norm.running_mean", 0, index)))
    b = {"made": drawn(0)["made"], "norm.running_mean": torch.ones(4, dtype=torch.float64)}
    a = {"made": 2 * b["made"], "norm.running_mean": -100 * b["norm.running_mean"]}
    found = factors_of(a, b, group, Rescalable("m", "g", (1, 1)))
    np.testing.assert_allclose(found, 2)
