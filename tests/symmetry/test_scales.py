"""Positive factors of units: what is found, what is not, and that elements keep the function."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ridgeline import nets
from ridgeline.errors import NotASymmetry, UsageError
from ridgeline.graph import Network
from ridgeline.symmetry import Group, Place, prove, symmetries
from ridgeline.symmetry.scales import rescalable, scales
from ridgeline.symmetry.scaling import Rescalable, Scaling
from ridgeline.symmetry.transform import Transform

torch.manual_seed(0)
PLAIN = torch.randn(32, 6, generator=torch.Generator().manual_seed(0))
IMAGES = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def found(model, example):
    symmetry = symmetries(model.eval(), example)
    whole = rescalable(symmetry, model, example)
    return whole, {m.name: powers(whole, m) for m in whole.scalings if not m.signs}


def powers(symmetry, member):
    places = symmetry.group(member.group).places
    return {(p.tensor, p.axis): e for p, e in zip(places, member.powers, strict=True) if e}


def fully_connected(act):
    return nn.Sequential(nn.Linear(6, 8), act, nn.Linear(8, 7), act, nn.Linear(7, 3))


@pytest.mark.parametrize("act", [nn.ReLU(), nn.LeakyReLU(0.2), nn.Identity(), nn.PReLU()])
def test_homogeneous_units_are_scaled_where_made_and_back_where_used(act):
    _, members = found(fully_connected(act), PLAIN)
    assert list(members.values()) == [
        {("0.weight", 0): 1, ("0.bias", 0): 1, ("2.weight", 1): -1},
        {("2.weight", 0): 1, ("2.bias", 0): 1, ("4.weight", 1): -1},
    ]


@pytest.mark.parametrize("act", [nn.Tanh(), nn.GELU(), nn.Sigmoid(), nn.SiLU(), nn.ELU()])
def test_other_units_have_no_factor(act):
    _, members = found(fully_connected(act), PLAIN)
    assert members == {}


def test_batch_norm_gives_its_gain_and_keeps_its_statistics():
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(72, 3),
    )  # fmt: skip
    _, members = found(model, IMAGES)
    assert list(members.values()) == [{("1.weight", 0): 1, ("1.bias", 0): 1, ("5.weight", 1): -1}]


def test_the_square_of_a_unit_has_the_power_two():
    class Square(nn.Module):
        def __init__(self):
            super().__init__()
            self.up, self.down = nn.Linear(6, 5), nn.Linear(5, 2)

        def forward(self, x):
            return self.down(self.up(x) ** 2)

    _, members = found(Square(), PLAIN)
    assert list(members.values()) == [
        {("up.weight", 0): 1, ("up.bias", 0): 1, ("down.weight", 1): -2}
    ]


def test_a_gate_has_two_factors():
    class Gate(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.down = nn.Linear(6, 5), nn.Linear(6, 5), nn.Linear(5, 2)

        def forward(self, x):
            return self.down(self.a(x) * self.b(x).relu())

    _, members = found(Gate(), PLAIN)
    assert len(members) == 2
    for powers_of in members.values():
        down = powers_of.get(("down.weight", 1), 0)
        assert down + powers_of.get(("a.weight", 0), 0) + powers_of.get(("b.weight", 0), 0) == 0


def test_attention_and_layer_norm_have_theirs():
    model = nets.vit(size=8, width=16, depth=1, heads=2)
    whole, members = found(model, IMAGES)
    assert {
        ("blocks.0.norm2.weight", 0): 1, ("blocks.0.norm2.bias", 0): 1,
        ("blocks.0.up.weight", 1): -1,
    } in members.values()  # fmt: skip
    query, key = "blocks.0.attention.query", "blocks.0.attention.key"
    assert {
        (f"{query}.weight", 0): 1, (f"{query}.bias", 0): 1,
        (f"{key}.weight", 0): -1, (f"{key}.bias", 0): -1,
    } in members.values()  # fmt: skip
    holding = {g.inside for g in whole.groups}
    assert not [m for m in whole.scalings if m.group in holding]  # each unit inside has its own


def test_a_tied_head_cannot_absorb_the_last_gain():
    tokens = torch.randint(0, 11, (3, 6), generator=torch.Generator().manual_seed(0))
    _, members = found(nets.transformer(11, 6, width=16, heads=2, depth=1, tied=True), tokens)
    assert not [p for p in members.values() if ("norm.weight", 0) in p]
    _, members = found(nets.transformer(11, 6, width=16, heads=2, depth=1, tied=False), tokens)
    assert {
        ("norm.weight", 0): 1, ("norm.bias", 0): 1, ("head.weight", 1): -1
    } in members.values()  # fmt: skip


def test_what_is_found_is_proved_and_what_is_wrong_is_named():
    model = fully_connected(nn.GELU())
    symmetry = symmetries(model, PLAIN)
    wrong = Rescalable("made up", "0", (1, 1, -1))
    network = Network(model)
    with pytest.raises(NotASymmetry, match="made up"):
        prove(type(symmetry)(symmetry.groups, symmetry.shapes, scalings=(wrong,)), network, PLAIN)
    assert scales(symmetry, network, PLAIN) == ()


class Product(nn.Module):
    """The product of two units: it stays if the signs of both change, and not if that of one."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(6, 2)

    def forward(self, x):
        h = self.a(x)
        return h[:, :1] * h[:, 1:]


@pytest.mark.parametrize("seed", range(6))
def test_signs_that_hold_for_even_flips_alone_are_refused_under_any_name_and_seed(seed):
    model = Product()
    rows = np.arange(2).reshape(1, 2, 1)
    group = Group("a", (Place("a.weight", 0, rows), Place("a.bias", 0, rows)))
    symmetry = symmetries(model, PLAIN)
    symmetry = type(symmetry)((group,), symmetry.shapes)
    prove(symmetry, Network(model), PLAIN, seed=seed)  # the two units may change places
    member = Rescalable(f"signs {seed}", "a", (1, 1), signs=True)
    with pytest.raises(NotASymmetry, match="signs"):
        prove(replace(symmetry, scalings=(member,)), Network(model), PLAIN, seed=seed)


@given(seed=st.integers(0, 1000), size=st.integers(1, 9), fibres=st.integers(1, 4))
def test_a_scaling_that_a_proof_tries_flips_odd_many_signs_and_has_no_factor_near_one(
    seed, size, fibres
):
    index = np.arange(fibres * size).reshape(fibres, size, 1)
    group = Group("g", (Place("w", 0, index),))
    flips = Rescalable("f", "g", (1,), signs=True).moving(group, seed).factors
    assert ((flips < 0).sum(1) % 2 == 1).all() and (np.abs(flips) == 1).all()
    logs = np.log2(Rescalable("s", "g", (1,)).moving(group, seed, 2.0).factors)
    assert (np.abs(logs) >= 0.5).all() and (np.abs(logs) <= 2).all()
    some = np.arange(fibres) % 2 == 0
    part = Rescalable("s", "g", (1,)).moving(group, seed, 2.0, some).factors
    assert ((part != 1).all(1) == some).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000))
def test_elements_keep_the_function_and_have_inverses(seed):
    model = fully_connected(nn.ReLU()).double()
    symmetry = WHOLE
    state = {n: x.detach() for n, x in model.state_dict().items()}
    element = symmetry.random(seed, scalings=True)
    after = element(state)
    x = PLAIN.double()
    torch.testing.assert_close(
        torch.func.functional_call(model, after, x), model(x), rtol=1e-9, atol=1e-11
    )
    back = element.inverse()(after)
    for n in state:
        torch.testing.assert_close(back[n], state[n], rtol=1e-12, atol=1e-14)


WHOLE, _ = found(fully_connected(nn.ReLU()), PLAIN)


def test_random_elements_are_permutations_unless_asked():
    assert len(WHOLE.random(0).actions) == 2
    assert len(WHOLE.random(0, scalings=True).actions) == 4
    assert len(WHOLE.random(0, groups=["0"], scalings=True).actions) == 2


def test_forbidden_groups_take_their_factors_along():
    assert [m.group for m in WHOLE.without("0").scalings] == ["2"]
    assert "positive factor" in str(WHOLE)


def test_factors_are_checked():
    group, member = WHOLE.groups[0], WHOLE.scalings[0]
    with pytest.raises(UsageError, match="not zero"):
        Scaling(group, member, np.zeros((1, 8)))
    with pytest.raises(UsageError, match="a factor for each"):
        Scaling(group, member, np.ones((1, 3)))
    with pytest.raises(UsageError, match="at least one place"):
        Rescalable("none", "0", (0, 0, 0))
    with pytest.raises(UsageError, match="a power for each"):
        Scaling(group, Rescalable("short", "0", (1,)), np.ones((1, 8)))


def test_a_factor_multiplies_what_the_slow_way_multiplies():
    factors = np.arange(1.0, 9.0)[None]
    group, member = WHOLE.groups[0], WHOLE.scalings[0]
    state = {n: x.detach().double() for n, x in fully_connected(nn.ReLU()).state_dict().items()}
    after = Transform((Scaling(group, member, factors),), {})(state)
    s = torch.from_numpy(factors[0])
    assert torch.equal(after["0.weight"], state["0.weight"] * s[:, None])
    assert torch.equal(after["0.bias"], state["0.bias"] * s)
    torch.testing.assert_close(after["2.weight"], state["2.weight"] / s)


# --- what a forward pass keeps from being derived ------------------------------------------------


class Behind(nn.Module):
    """Two layers of ReLU, and something that is computed behind a barrier to derivatives."""

    def __init__(self, run):
        super().__init__()
        self.a, self.b, self.run = nn.Linear(6, 8), nn.Linear(8, 3), run

    def forward(self, x):
        return self.run(self, x)


def _constant(barrier):
    def run(m, x):
        with barrier():
            shift = torch.arange(6).to(x.dtype)
        return m.b(m.a(x + shift).relu())

    return run


def _twice(m, x):
    with torch.no_grad():
        with torch.no_grad():
            shift = torch.arange(6).to(x.dtype)
        shift = 2 * shift
    return m.b(m.a(x + shift).relu())


def _through_weights(m, x):
    with torch.no_grad():
        h = m.a(x).relu()
    return m.b(h)


def _detached(m, x):
    return m.b(m.a(x).relu().detach())


BARRIERS = {
    "no_grad": _constant(torch.no_grad),
    "inference_mode": _constant(torch.inference_mode),
    "set_grad_enabled": _constant(lambda: torch.set_grad_enabled(False)),
    "nested": _twice,
    "weights inside": _through_weights,
    "detach": _detached,
}


@pytest.mark.parametrize("kind", list(BARRIERS))
def test_what_keeps_derivatives_out_of_training_hides_no_factor(kind):
    _, members = found(Behind(BARRIERS[kind]), PLAIN)
    assert list(members.values()) == [{("a.weight", 0): 1, ("a.bias", 0): 1, ("b.weight", 1): -1}]


def test_a_detached_normaliser_takes_a_factor_away_as_an_attached_one_does():
    def run(m, x):
        h = m.a(x).relu()
        return m.b(h / (1 + h.detach().sum(-1, keepdim=True)))

    _, members = found(Behind(run), PLAIN)
    assert members == {}


# --- branches held back by small numbers ---------------------------------------------------------


class Held(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(6, 16), nn.Linear(16, 16), nn.Linear(16, 3)
        self.gamma = nn.Parameter(scale * torch.ones(16))

    def forward(self, x):
        z = self.a(x).relu()
        return self.c(z + self.gamma * self.b(z))


@pytest.mark.parametrize("scale", [1.0, 1e-2, 1e-5, 1e-6, 1e-9])
@pytest.mark.parametrize("seed", range(3))
def test_a_layer_scale_of_any_size_has_the_factors_of_one(scale, seed):
    torch.manual_seed(seed)
    _, members = found(Held(scale), PLAIN)
    assert list(members.values()) == [
        {("gamma", 0): 1, ("b.weight", 0): -1, ("b.bias", 0): -1},
        {("a.weight", 0): 1, ("a.bias", 0): 1, ("b.weight", 0): 1, ("b.weight", 1): -1,
         ("b.bias", 0): 1, ("c.weight", 1): -1},
    ]  # fmt: skip
