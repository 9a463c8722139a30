"""What is given back computes what it computed, or words say which group does not."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import ridgeline as rl
from ridgeline.errors import NotASymmetry
from ridgeline.graph import Network
from ridgeline.matching import (
    ActivationMatching,
    FrankWolfe,
    OptimalTransport,
    Rescaling,
    SimulatedAnnealing,
    WeightMatching,
    align_many,
)
from ridgeline.symmetry import Group, Place, canonical, rescalable, symmetries
from ridgeline.symmetry.scaling import Rescalable
from ridgeline.symmetry.witness import witnessed

X = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))


def network(seed, act=nn.Tanh, dtype=torch.float32):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(5, 8), act(), nn.Linear(8, 8), act(), nn.Linear(8, 2)).to(
            dtype
        )


def state(seed, dtype=torch.float32, act=nn.Tanh):
    return {n: x.detach().clone() for n, x in network(seed, act, dtype).state_dict().items()}


def false(symmetry):
    """A group that moves units where they are made and not where they are used."""
    at = np.arange(8).reshape(1, 8, 1)
    places = (Place("0.weight", 0, at), Place("0.bias", 0, at))
    return symmetry.without(symmetry.groups[0].name).adding(Group("false", places))


BY = {
    "weights": WeightMatching(),
    "Frank-Wolfe": FrankWolfe(restarts=1, iterations=5),
    "annealing": SimulatedAnnealing(steps=200, initial_temperature=1.0, final_temperature=0.01),
    "transport": OptimalTransport(),
}


@pytest.mark.parametrize("kind", list(BY))
def test_a_function_that_was_compared_is_said_to_be_the_same(kind):
    found = rl.align(state(0), state(1), symmetries(network(0), X), by=BY[kind])
    assert found.same_function is True
    assert found.summary()["same_function"] is True
    model = network(0)
    want, got = (torch.func.functional_call(model, s, X) for s in (state(1), found.state))
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize("kind", list(BY))
def test_a_state_that_computes_something_else_is_never_given_back(kind):
    symmetry = false(symmetries(network(0), X))
    with pytest.raises(NotASymmetry, match="'false'") as error:
        rl.align(state(0), state(1), symmetry, by=BY[kind])
    assert "'2'" not in str(error.value), "a true group is not named"


def test_without_a_network_nothing_is_said_of_the_function():
    symmetry = symmetries(network(0), X)
    for lost in (copy.deepcopy(symmetry), pickle.loads(pickle.dumps(symmetry))):
        found = rl.align(state(0), state(1), lost)
        assert found.same_function is None
        assert found.summary()["same_function"] is None
        assert "was not compared" in str(found)


def test_units_that_were_mixed_are_another_function():
    by = OptimalTransport(soft=True)
    found = rl.align(state(0), state(1), symmetries(network(0), X), by=by)
    assert found.same_function is False


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_states_of_any_type_are_compared(dtype):
    found = rl.align(state(0, dtype), state(1, dtype), symmetries(network(0), X))
    assert found.same_function is True
    assert found.state["0.weight"].dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_factors_are_compared_as_far_as_they_are_rounded(dtype):
    model = network(0, nn.ReLU)
    symmetry = rescalable(symmetries(model, X), model, X)
    states = [state(s, dtype, nn.ReLU) for s in (0, 1)]
    found = rl.align(*states, symmetry, by=Rescaling(by=WeightMatching()))
    assert found.same_function is True
    assert found.matched.transform is not None and not found.matched.transform.permutes


def test_a_false_factor_is_named():
    model = network(0)  # tanh has no factor
    symmetry = symmetries(model, X)
    group = symmetry.groups[0]
    powers = tuple(-1 if p.axis else 1 for p in group.places)
    wrong = type(symmetry)(
        symmetry.groups,
        symmetry.shapes,
        scalings=(Rescalable("made up", group.name, powers),),
        witness=symmetry.witness,
    )
    with pytest.raises(NotASymmetry, match=f"'{group.name}'"):
        rl.align(state(0), state(1), wrong, by=Rescaling())
    with pytest.raises(NotASymmetry, match=f"'{group.name}'"):
        canonical(state(1), wrong)


def test_many_states_are_each_compared():
    symmetry = symmetries(network(0), X)
    given = [state(s) for s in range(3)]
    align_many(given, symmetry)
    with pytest.raises(NotASymmetry, match="'false'"):
        align_many(given, false(symmetry))


def test_a_network_of_one_type_is_compared_in_it():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network(0)

        def forward(self, x):
            assert x.dtype == torch.float32, "takes float32 alone"
            return self.inner(x)

    symmetry = symmetries(network(0), X)
    witness = witnessed(Network(Own()), X)
    before = {f"inner.{n}": x for n, x in state(1).items()}
    after = {f"inner.{n}": x for n, x in symmetry.random(3)(state(1)).items()}
    assert witness.changed(before, after, permuted=True) == 0.0
    after["inner.4.bias"] = after["inner.4.bias"] + 1e-2
    assert witness.changed(before, after, permuted=True) > 1e-4


def test_a_network_that_fails_at_the_states_leaves_it_unsaid():
    class Fails(nn.Module):
        def forward(self, x):
            raise ValueError("never")

    assert witnessed(Network(Fails()), X).changed({}, {}, permuted=True) is None


def test_activation_matching_is_compared_too():
    model = network(0)
    by = ActivationMatching(model=model, data=X)
    assert rl.align(state(0), state(1), symmetries(model, X), by=by).same_function is True


class Doubles(TorchDispatchMode):
    """Remembers the most numbers of a tensor of doubles that was made."""

    most = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor) and made.dtype == torch.float64:
            self.most = max(self.most, made.numel())
        return made


def large():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(800, 1000), nn.ReLU(), nn.Linear(1000, 800))


def test_states_of_large_networks_are_compared_a_part_at_a_time():
    model, x = large(), torch.randn(2, 800)
    witness = witnessed(Network(model), x)
    order = torch.arange(999, -1, -1)
    before = {n: p.detach() for n, p in model.state_dict().items()}
    after = {
        "0.weight": before["0.weight"][order],
        "0.bias": before["0.bias"][order],
        "2.weight": before["2.weight"][:, order],
        "2.bias": before["2.bias"],
    }
    with Doubles() as seen:
        assert witness.changed(before, after, permuted=True) == 0
    assert seen.most < before["0.weight"].numel() / 2
    wrong = {**after, "2.weight": after["2.weight"].clone()}
    wrong["2.weight"][5] += 1e-4  # of whatever units are not silent
    assert (witness.changed(before, wrong, permuted=True) or 0) > 1e-7


class Normed(nn.Module):
    """Writes to its weight at each call, which rounds in the weight's own type."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(large()[0].weight.detach())

    def forward(self, x):
        with torch.no_grad():
            self.weight.div_(self.weight.norm(dim=1, keepdim=True))
        return x @ self.weight.T


def test_a_large_weight_that_is_written_to_is_compared_in_doubles():
    witness = witnessed(Network(Normed()), torch.randn(2, 800))
    before = {"weight": witness.network.tensors["weight"].clone()}
    after = {"weight": before["weight"] * 2}  # exactly
    kept = {n: x.clone() for n, x in (before | {"after": after["weight"]}).items()}
    assert witness.changed(before, after, permuted=False) == 0
    assert torch.equal(before["weight"], kept["weight"])
    assert torch.equal(after["weight"], kept["after"])
