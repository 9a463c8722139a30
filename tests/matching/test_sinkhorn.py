"""Sinkhorn matching: the scaling against its definition, gradients, planted permutations."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from planted import headed, normalised, planted
from ridgeline.errors import UnknownName, UsageError
from ridgeline.matching import align
from ridgeline.matching.sinkhorn import Sinkhorn, doubly_stochastic
from ridgeline.objective import Objective

law = settings(deadline=None, max_examples=30, derandomize=True)


def unrolled(x, times=400):
    p = x.exp()
    for _ in range(times):
        p = p / p.sum(-1, keepdim=True)
        p = p / p.sum(-2, keepdim=True)
    return p


@law
@given(seed=st.integers(0, 999), size=st.integers(1, 6))
def test_scaling_and_its_gradient_are_those_of_the_unrolled_loop(seed, size):
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(2, size, size, generator=draw, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, size, size, generator=draw, dtype=torch.float64)
    slow, fast = unrolled(x), doubly_stochastic(x, iterations=400, tolerance=1e-13)
    assert torch.allclose(slow, fast, atol=1e-10)
    (one,) = torch.autograd.grad((slow * weight).sum(), x)
    (two,) = torch.autograd.grad((fast * weight).sum(), x)
    assert torch.allclose(one, two, atol=1e-7)


def test_large_numbers_neither_overflow_nor_give_nan():
    x = (1e4 * torch.randn(3, 7, 7, generator=torch.Generator().manual_seed(0))).requires_grad_()
    p = doubly_stochastic(x)
    (g,) = torch.autograd.grad((p * torch.randn(3, 7, 7)).sum(), x)
    assert torch.isfinite(p).all()
    assert torch.isfinite(g).all()


def test_a_permuted_copy_is_carried_back_exactly():
    _, symmetry, a, b, _ = planted()
    found = align(a, b, symmetry, by=Sinkhorn())
    assert found.after == 0
    assert found.matched.objective["after"] == 0
    assert found.matched.objective["before"] > 0


def test_a_noisy_copy_is_carried_back_to_its_place():
    _, symmetry, a, b, before = planted(noise=0.02)
    found = align(a, b, symmetry, by=Sinkhorn())
    assert all(torch.equal(found.state[n], before[n]) for n in before)


@pytest.mark.parametrize("kind", ["midpoint", "random"])
def test_the_loss_halfway_falls(kind):
    model, symmetry, a, b, _ = planted(scale=3.0)
    draw = torch.Generator().manual_seed(5)
    x = torch.randn(400, 6, generator=draw)
    with torch.no_grad():
        model.load_state_dict(a)
        y = model(x).argmax(1)
    objective = Objective(model, (x, y))
    by = Sinkhorn(kind=kind, objective=objective, steps=150, temperature=0.3, batch=200)
    found = align(a, b, symmetry, by=by).matched
    assert found.objective["after"] < 0.6 * found.objective["before"]
    assert found.sweeps == len(found.history) == 150


def test_statistics_are_carried_along():
    _, symmetry, a, b = normalised()
    found = align(a, b, symmetry, by=Sinkhorn())
    assert all(torch.equal(found.state[n], a[n]) for n in a)


def test_units_inside_of_units_are_carried_back():
    _, symmetry, a, b = headed(1)
    assert align(a, b, symmetry, by=Sinkhorn()).after == 0


@pytest.mark.parametrize("statistics", ["keep", "recompute"])
def test_the_loss_halfway_of_normalised_networks_falls(statistics):
    model, symmetry, a, b = normalised()
    x = torch.randn(100, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        y = model(x).argmax(1)
    objective = Objective(model, (x, y), statistics=statistics)
    by = Sinkhorn(kind="midpoint", objective=objective, steps=60, temperature=0.2)
    found = by.match(a, b, symmetry).objective
    assert found["after"] < found["before"]


def test_only_the_seed_decides_and_nothing_is_drawn():
    model, symmetry, a, b, _ = planted(seed=3)
    x = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    objective = Objective(model, (x, torch.arange(50) % 4))
    by = Sinkhorn(kind="random", objective=objective, steps=5, batch=20)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one = by.match(a, b, symmetry, seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert by.match(a, b, symmetry, seed=3).history == one.history
    assert by.match(a, b, symmetry, seed=4).history != one.history


def test_bad_settings_are_refused():
    with pytest.raises(UnknownName, match="distance"):
        Sinkhorn(kind="distanc")
    with pytest.raises(UsageError, match="objective"):
        Sinkhorn(kind="midpoint")
    with pytest.raises(UsageError, match="positive"):
        Sinkhorn(temperature=0)
