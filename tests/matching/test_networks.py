"""Matching on symmetries that were discovered, with batch normalisation, heads and streams."""

import pytest
import torch
from torch import nn

import ridgeline as rl
from ridgeline import nets
from ridgeline import state as states
from ridgeline.errors import NonFinite, StateMismatch
from ridgeline.graph import Network
from ridgeline.matching import (
    ActivationMatching,
    FrankWolfe,
    MergeMany,
    SimulatedAnnealing,
    Sinkhorn,
    StraightThrough,
    align,
    align_many,
)
from ridgeline.matching.weights import WeightMatching
from ridgeline.objective import Objective
from ridgeline.symmetry.discovery import discover
from symmetric import seeded
from symmetry.blocks import BLOCKS, answer, lively, sample

IMAGES = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
TOKENS = torch.randint(0, 11, (3, 6), generator=torch.Generator().manual_seed(0))
PLAIN = torch.randn(4, 12, generator=torch.Generator().manual_seed(0))

NETWORKS = {
    "fcn": (lambda seed: nets.fcn(12, 20, 20, 5, seed=seed), PLAIN),
    "resnet20": (lambda seed: nets.resnet20(width=4, seed=seed), IMAGES),
    "resnet20 without norm": (lambda seed: nets.resnet20(width=4, norm=None, seed=seed), IMAGES),
    "vit": (lambda seed: nets.vit(size=8, width=32, depth=1, seed=seed), IMAGES[:, :, :8, :8]),
    "transformer": (lambda seed: nets.transformer(11, 6, seed=seed), TOKENS),
}


def made(name, seed):
    model = NETWORKS[name][0](seed)
    draw = torch.Generator().manual_seed(seed)
    state = states.capture(model)
    drawn = {}
    for n, x in state.items():  # as if trained: statistics and scales that tell channels apart
        noise = torch.rand(x.shape, generator=draw)
        drawn[n] = x + 0.1 * noise if x.is_floating_point() else x
    model.load_state_dict(drawn)
    return model.eval(), states.capture(model)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_a_planted_element_of_a_discovered_symmetry_is_found(name):
    model, a = made(name, 0)
    symmetry = discover(Network(model), NETWORKS[name][1])
    b = symmetry.random(5)(a)
    found = align(a, b, symmetry, by=WeightMatching(restarts=2))
    assert found.before > 1
    assert found.after == 0
    assert all(torch.equal(a[n], found.state[n]) for n in a)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_the_function_is_kept_in_evaluation_mode(name):
    model, b = made(name, 1)
    _, a = made(name, 2)
    example = NETWORKS[name][1]
    symmetry = discover(Network(model), example)
    with torch.no_grad():
        wanted = model(example)
        found = align(a, b, symmetry)
        model.load_state_dict(found.state)
        torch.testing.assert_close(model(example), wanted, atol=2e-4, rtol=2e-4)
    assert found.after < found.before


# --- buffers, names and counts ------------------------------------------------------------------


def blocked(name):
    make, shape, _ = BLOCKS[name]
    model, x = seeded(make)().double().eval(), sample(shape, 12)
    return model, x, discover(Network(model), x[:2])


def strategies(model, x):
    """Every way to an element of the symmetry, short."""
    goal = Objective(model, (x, torch.arange(len(x)) % 2), loss=rl.cross_entropy, dtype=x.dtype)
    return {
        "weights": WeightMatching(restarts=2),
        "activations": ActivationMatching(objective=goal),
        "straight-through": StraightThrough(objective=goal, steps=3),
        "sinkhorn": Sinkhorn(steps=10, every=2),
        "frank-wolfe": FrankWolfe(restarts=1, iterations=10),
        "annealing": SimulatedAnnealing(
            steps=2000, initial_temperature=1.0, final_temperature=0.01
        ),
    }


@pytest.mark.parametrize("name", BLOCKS)
def test_a_planted_element_of_a_real_block_is_found_with_its_buffers(name):
    model, x, symmetry = blocked(name)
    a = lively(model, 1, counts=5)
    b = symmetry.random(4)(a)
    b |= {n: torch.full_like(v, 9) for n, v in b.items() if n.endswith("num_batches_tracked")}
    found = align(a, b, symmetry, by=WeightMatching(restarts=5))
    assert found.after == 0
    for n, value in found.state.items():  # counts differ, are no distance, and stay b's own
        assert torch.equal(value, b[n] if n.endswith("num_batches_tracked") else a[n]), n


@pytest.mark.parametrize(
    "by", ["weights", "activations", "straight-through", "sinkhorn", "frank-wolfe", "annealing"]
)
def test_every_strategy_carries_normalisation_buffers(by):
    model, x, symmetry = blocked("bottleneck")
    a = lively(model, 1)
    b = symmetry.random(9)(states.lerp(a, lively(model, 2), 0.1))
    found = align(a, b, symmetry, by=strategies(model, x)[by])
    assert any(found.moved.values())
    assert torch.allclose(answer(model, found.state, x), answer(model, b, x), rtol=0, atol=1e-10)
    together = align_many([a, b, lively(model, 3)], symmetry, by=MergeMany())
    for before, after in zip((a, b), together.states, strict=False):
        assert torch.allclose(answer(model, after, x), answer(model, before, x), rtol=0, atol=1e-10)


def test_channels_that_their_gains_alone_tell_apart_are_found():
    """Scales and shifts of a normalisation count as the weights that they are."""
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3)).eval()
    symmetry = discover(Network(model), torch.randn(2, 4))
    a = {n: torch.full_like(x, 0.1) for n, x in states.capture(model).items()}
    for told in ("1.weight", "1.bias"):
        one = a | {told: torch.arange(1.0, 7)}
        b = symmetry.random(3)(one)
        found = align(one, b, symmetry)
        assert found.before > 1 and found.after == 0


def test_tensors_go_by_their_names_and_not_their_order():
    model, x, symmetry = blocked("twice")
    a, b = lively(model, 1), lively(model, 2)
    wanted = align(a, b, symmetry)
    turned = dict(reversed(b.items()))
    found = align(a, turned, symmetry)
    assert list(found.state) == list(turned) and found.after == wanted.after
    assert all(torch.equal(found.state[n], wanted.state[n]) for n in a)


def test_tensors_that_the_symmetry_does_not_know_are_passed_on():
    model, x, symmetry = blocked("twice")
    a, b = lively(model, 1), lively(model, 2)
    extra = {"ema.decay": torch.tensor(0.5), "step": torch.tensor(7)}
    found = align(a | extra, b | extra, symmetry)
    assert all(torch.equal(found.state[n], x) for n, x in extra.items())


def test_parameters_are_taken_as_values():
    """States of tensors that require a gradient: nothing holds on to their history."""
    model, x, symmetry = blocked("twice")
    a, b = ({n: v.clone().requires_grad_(v.is_floating_point()) for n, v in s.items()}
            for s in (lively(model, 1), lively(model, 2)))  # fmt: skip
    for by in strategies(model, x).values():
        found = align(a, b, symmetry, by=by)
        assert not any(v.requires_grad for v in found.state.values())
    together = align_many([a, b], symmetry)
    assert not any(v.requires_grad for s in together.states for v in s.values())
    assert all(v.requires_grad for v in b.values() if v.is_floating_point())


def test_many_that_cannot_be_aligned_are_named_by_number():
    model, x, symmetry = blocked("twice")
    a, b, c = (lively(model, k) for k in range(3))
    with pytest.raises(NonFinite, match=r"state 2.*norm\.running_var \(0 NaN, 6 infinite\)"):
        align_many([a, b, c | {"norm.running_var": c["norm.running_var"] / 0}], symmetry)
    with pytest.raises(StateMismatch, match=r"state 1[^0]*a\.bias \(6,\) -> \(7,\)"):
        align_many([a, b | {"a.bias": torch.zeros(7).double()}, c], symmetry)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_states_on_a_gpu_are_aligned_as_those_on_the_cpu():
    model, x, symmetry = blocked("bottleneck")
    a, b = lively(model, 1), lively(model, 2)
    wanted = align(a, b, symmetry, by=WeightMatching(), seed=1)
    there = [states.cast(s, device="cuda") for s in (a, b)]
    found = align(*there, symmetry, by=WeightMatching(), seed=1)
    assert all(v.is_cuda for v in found.state.values())
    assert all(torch.equal(found.state[n].cpu(), v) for n, v in wanted.state.items())
    both = align_many(there, symmetry)
    assert all(v.is_cuda for s in both.states for v in s.values())
