"""Frank-Wolfe matching: exact line search, steps that only climb, planted permutations."""

import numpy as np
import pytest
import torch

from planted import headed, normalised, planted
from ridgeline.errors import UsageError
from ridgeline.matching import align
from ridgeline.matching.frank_wolfe import FrankWolfe, best_step, starts


@pytest.mark.parametrize("power", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("seed", range(5))
def test_the_line_search_finds_the_top_of_a_polynomial(power, seed):
    f = np.polynomial.Polynomial(np.random.default_rng(seed).normal(size=power + 1))
    calls = []

    def along(s):
        calls.append(s)
        return float(f(s))

    step, top = best_step(along, float(f(0)), float(f.deriv()(0)), power)
    assert top == pytest.approx(f(np.linspace(0, 1, 100001)).max(), abs=1e-8)
    assert float(f(step)) == pytest.approx(top, abs=1e-9)
    assert len(calls) <= max(power - 1, 1)


def test_a_permuted_copy_is_carried_back_exactly():
    _, symmetry, a, b, _ = planted()
    found = align(a, b, symmetry, by=FrankWolfe())
    assert found.after == 0
    assert found.before > 1


def test_a_noisy_copy_is_carried_back_to_its_place():
    _, symmetry, a, b, before = planted(noise=0.02)
    found = align(a, b, symmetry, by=FrankWolfe())
    assert all(torch.equal(found.state[n], before[n]) for n in before)


def test_statistics_are_carried_along():
    _, symmetry, a, b = normalised()
    found = align(a, b, symmetry, by=FrankWolfe())
    assert all(torch.equal(found.state[n], a[n]) for n in a)


@pytest.mark.parametrize("seed", range(3))
def test_units_inside_of_units_are_carried_back(seed):
    _, symmetry, a, b = headed(seed)
    assert align(a, b, symmetry, by=FrankWolfe()).after == 0


def test_no_step_goes_down():
    _, symmetry, a, b, _ = planted(noise=0.5)
    history = FrankWolfe(restarts=1).match(a, b, symmetry, seed=0).history
    assert len(history) > 1
    assert (np.diff(history) >= -1e-6 * abs(np.array(history[1:]))).all()


def test_unrelated_networks_are_brought_nearer_and_never_farther():
    _, symmetry, a, _, _ = planted(seed=0)
    _, _, b, _, _ = planted(seed=9)
    found = align(a, b, symmetry, by=FrankWolfe())
    assert found.after < found.before
    assert align(a, a, symmetry, by=FrankWolfe()).after == 0


def test_only_the_seed_decides():
    _, symmetry, a, _, _ = planted(seed=0)
    _, _, b, _, _ = planted(seed=9)
    torch.manual_seed(1)
    one = FrankWolfe().match(a, b, symmetry, seed=3)
    before = torch.random.get_rng_state()
    torch.manual_seed(2)
    two = FrankWolfe().match(a, b, symmetry, seed=3)
    torch.manual_seed(1)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert one.history == two.history


def test_starts_are_doubly_stochastic():
    _, symmetry, *_ = planted()
    for start in starts(symmetry, 3, 0):
        for p in start.values():
            assert torch.allclose(p.sum(1), torch.ones(1))
            assert torch.allclose(p.sum(2), torch.ones(1))


def test_counts_start_at_one():
    with pytest.raises(UsageError, match="from 1"):
        FrankWolfe(restarts=0)
