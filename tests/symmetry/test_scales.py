"""Positive factors of units: what is found, what is not, and that elements keep the function."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ridgeline import nets
from ridgeline.errors import NotASymmetry, UsageError
from ridgeline.symmetry import prove, symmetries
from ridgeline.symmetry.scales import echelon, null_space, rescalable, scales
from ridgeline.symmetry.scaling import Rescalable, Scaling
from ridgeline.symmetry.transform import Transform
from ridgeline.tracing import Network

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
    _, members = found(nets.transformer(11, 6, width=16, heads=2, tied=True), tokens)
    assert not [p for p in members.values() if ("norm.weight", 0) in p]
    _, members = found(nets.transformer(11, 6, width=16, heads=2, tied=False), tokens)
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


def test_null_spaces_have_whole_bases():
    table = np.array([[1.0, -1.0, 2.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    basis = echelon(null_space(table))
    np.testing.assert_allclose(basis, [[1, 0, -0.5, 0], [0, 1, 0.5, 0]], atol=1e-12)
