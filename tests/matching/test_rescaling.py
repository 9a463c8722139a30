"""Rescaling: closed forms against search, planted factors, and a distance that never grows."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ridgeline import nets
from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.matching import WeightMatching, align
from ridgeline.matching.factors import factors_of
from ridgeline.matching.rescaling import Rescaling, rescaled
from ridgeline.symmetry import symmetries
from ridgeline.symmetry.scales import rescalable
from ridgeline.symmetry.scaling import Rescalable, Scaling

torch.manual_seed(0)
PLAIN = torch.randn(32, 6, generator=torch.Generator().manual_seed(0))
RELU = nets.fcn(6, 12, 10, 3)
SYMMETRY = rescalable(symmetries(RELU, PLAIN), RELU, PLAIN)
TANH = nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 3))
SIGNS = rescalable(symmetries(TANH, PLAIN), TANH, PLAIN)


def drawn(model, seed):
    draws = torch.Generator().manual_seed(seed)
    return {
        n: torch.randn(x.shape, generator=draws, dtype=torch.float64)
        for n, x in states.capture(model).items()
    }


@pytest.mark.parametrize("seed", range(3))
def test_planted_factors_and_permutations_are_found(seed):
    a = drawn(RELU, 0)
    b = SYMMETRY.random(seed, scalings=True)(a)
    found = align(a, b, SYMMETRY, by=Rescaling(by=WeightMatching()))
    assert found.before > 1
    assert found.after < 1e-8


@pytest.mark.parametrize("seed", range(3))
def test_planted_signs_are_found(seed):
    a = drawn(TANH, 0)
    element = SIGNS.random(seed, scalings=True)
    noisy = {n: x + 0.01 * y for (n, x), y in zip(a.items(), drawn(TANH, 1).values(), strict=True)}
    found = align(a, element(noisy), SIGNS, by=Rescaling(by=WeightMatching()))
    assert found.after == pytest.approx(states.distance(a, noisy), rel=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), used=st.sampled_from([-1, -2]))
def test_a_units_factor_is_the_best_of_a_fine_grid(seed, used):
    group = SYMMETRY.groups[0]
    member = Rescalable("one", group.name, (1, 1, used))
    a, b = drawn(RELU, seed), drawn(RELU, seed + 1)
    factors = factors_of(a, b, group, member)

    def off(s):
        after = b | Scaling(group, member, s).changed(b)
        return sum(
            (p.units(a[p.tensor]) - p.units(after[p.tensor])).square().sum(-1).numpy()
            for p in group.places
        )

    reached = off(factors)
    for s in np.geomspace(1e-3, 1e3, 400):
        assert (reached <= off(np.full(factors.shape, s)) + 1e-9).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_distance_never_grows_and_the_function_stays(seed):
    a, b = drawn(RELU, seed), drawn(RELU, seed + 1)
    before, x = states.distance(a, b), PLAIN.double()
    distances = [before]
    for sweeps in (1, 2, 4):
        after = rescaled(a, b, SYMMETRY, sweeps=sweeps)(b)
        distances.append(states.distance(a, after))
        torch.testing.assert_close(
            torch.func.functional_call(RELU, after, x), torch.func.functional_call(RELU, b, x),
            rtol=1e-8, atol=1e-10,
        )  # fmt: skip
    assert all(y <= x + 1e-12 for x, y in pairwise(distances))


def test_rescaling_is_no_farther_than_the_permutation_alone():
    a, b = drawn(RELU, 3), drawn(RELU, 4)
    plain = align(a, b, SYMMETRY)
    both = align(a, b, SYMMETRY, by=Rescaling(by=WeightMatching()))
    assert both.after < plain.after
    assert list(both.matched.history) == sorted(both.matched.history, reverse=True)


def test_a_symmetry_without_factors_is_refused():
    a = drawn(RELU, 0)
    with pytest.raises(UsageError, match="rescalable"):
        align(a, a, symmetries(RELU, PLAIN), by=Rescaling())


def test_renewals_are_paid_first_and_last_alone(monkeypatch):
    asked = []
    match = WeightMatching.match

    def counted(self, *args, **options):
        asked.append(self.renewals)
        return match(self, *args, **options)

    monkeypatch.setattr(WeightMatching, "match", counted)
    a, b = drawn(RELU, 3), drawn(RELU, 4)
    found = align(a, b, SYMMETRY, by=Rescaling(by=WeightMatching(), rounds=10))
    assert found.after < found.before
    assert asked[0] is None and asked[-1] is None and asked.count(None) < asked.count(0)
