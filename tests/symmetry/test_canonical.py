"""Canonical forms: the same for all states of one function, and with that function."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ridgeline import nets
from ridgeline import state as states
from ridgeline.errors import UnknownName
from ridgeline.symmetry import symmetries
from ridgeline.symmetry.canonical import canonical, canonically, squares
from ridgeline.symmetry.scales import rescalable

torch.manual_seed(0)
PLAIN = torch.randn(32, 6, generator=torch.Generator().manual_seed(0))
IMAGES = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Branches(nn.Module):
    """Experts behind a router, in a list: modules that may be exchanged as a whole."""

    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(6, 3)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3)) for _ in range(3)
        )

    def forward(self, x):
        shares = self.gate(x).softmax(-1)
        return sum(shares[:, k, None] * one(x) for k, one in enumerate(self.experts))


NETWORKS = {
    "experts": (Branches(), PLAIN),
    "relu": (nets.fcn(6, 8, 7, 3), PLAIN),
    "tanh": (nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)), PLAIN),
    "batch norm": (
        nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(),
                      nn.Linear(216, 3)), IMAGES,
    ),
    "vit": (nets.vit(size=8, width=16, depth=1, heads=2), IMAGES),
}  # fmt: skip
WHOLE = {name: rescalable(symmetries(m.eval(), x), m, x) for name, (m, x) in NETWORKS.items()}


def drawn(name, seed=0):
    """A state in float64, with noise, so that nothing is equal by chance."""
    draws = torch.Generator().manual_seed(seed)
    state = states.capture(NETWORKS[name][0])
    return {
        n: x.double() + 0.1 * torch.rand(x.shape, generator=draws).double()
        if x.is_floating_point() else x for n, x in state.items()
    }  # fmt: skip


@pytest.mark.parametrize("norm", ["balanced", "unit"])
@pytest.mark.parametrize("name", list(NETWORKS))
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000))
def test_symmetric_states_have_one_canonical_form(name, norm, seed):
    symmetry, a = WHOLE[name], drawn(name)
    b = symmetry.random(seed, scalings=True)(a)
    one, other = (canonical(x, symmetry, norm=norm, sort=True) for x in (a, b))
    assert states.distance(a, b) > 0.1
    assert states.distance(one, other) < 1e-9
    assert states.distance(one, canonical(one, symmetry, norm=norm, sort=True)) < 1e-9


@pytest.mark.parametrize("name", list(NETWORKS))
def test_the_function_is_the_same(name):
    model, example = NETWORKS[name]
    state, x = drawn(name), example.double()
    before = torch.func.functional_call(model, state, x)
    for norm in ("balanced", "unit"):
        after = torch.func.functional_call(
            model, canonical(state, WHOLE[name], norm=norm, sort=True), x
        )
        torch.testing.assert_close(after, before, rtol=1e-9, atol=1e-11)


def test_balanced_units_weigh_the_same_on_both_sides_and_the_whole_is_least():
    symmetry, state = WHOLE["relu"], drawn("relu")
    form = canonical(state, symmetry)
    for member in symmetry.scalings:
        norms = squares(form, symmetry.group(member.group))
        made = sum(n for n, e in zip(norms, member.powers, strict=True) if e > 0)
        used = sum(n for n, e in zip(norms, member.powers, strict=True) if e < 0)
        assert abs(made - used).max() < 1e-9
    size = sum(float(x.square().sum()) for x in form.values())
    for seed in range(5):
        other = symmetry.random(seed, scalings=True)(form)
        assert size < sum(float(x.square().sum()) for x in other.values())


def test_unit_norm_is_one_where_units_are_made():
    symmetry = WHOLE["relu"]
    form = canonical(drawn("relu"), symmetry, norm="unit")
    for member in symmetry.scalings:
        norms = squares(form, symmetry.group(member.group))
        made = sum(n for n, e in zip(norms, member.powers, strict=True) if e > 0)
        assert abs(made - 1).max() < 1e-9


def test_a_silent_unit_is_left_as_it_is():
    symmetry, state = WHOLE["relu"], drawn("relu")
    first, bias = symmetry.groups[0].places[0].tensor, symmetry.groups[0].places[1].tensor
    state[first][2], state[bias][2] = 0.0, 0.0
    for norm in ("balanced", "unit"):
        factors = canonically(state, symmetry, norm=norm).actions[0].factors
        assert factors[0, 2] == 1
        assert all(x.isfinite().all() for x in canonical(state, symmetry, norm=norm).values())


def test_an_unknown_norm_is_refused():
    with pytest.raises(UnknownName, match="balanced"):
        canonical(drawn("relu"), WHOLE["relu"], norm="largest")
