"""Signs of units: followed through the trace, against trying every choice."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ridgeline import nets
from ridgeline.graph import Network
from ridgeline.symmetry import symmetries
from ridgeline.symmetry.bits import Equations, parity_space
from ridgeline.symmetry.proof import Residual
from ridgeline.symmetry.scales import rescalable
from ridgeline.symmetry.scaling import Rescalable, Scaling
from ridgeline.symmetry.signs import signs
from ridgeline.symmetry.transform import Transform

torch.manual_seed(0)
PLAIN = torch.randn(32, 6, generator=torch.Generator().manual_seed(0))
IMAGES = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Sine(nn.Module):
    def forward(self, x):
        return torch.sin(x)


class Residual2(nn.Module):
    """An odd branch added to a stream, read by a layer norm."""

    def __init__(self):
        super().__init__()
        self.first, self.up, self.down = nn.Linear(6, 4), nn.Linear(4, 5), nn.Linear(5, 4)
        self.norm, self.head = nn.RMSNorm(4), nn.Linear(4, 2)

    def forward(self, x):
        x = self.first(x)
        return self.head(self.norm(x + self.down(torch.tanh(self.up(x)))))


def normed(act):
    return nn.Sequential(
        nn.Linear(6, 5), nn.BatchNorm1d(5), act, nn.Linear(5, 4), act, nn.Linear(4, 2)
    )


NETWORKS = {
    "tanh": (nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)), PLAIN),
    "sine": (nn.Sequential(nn.Linear(6, 5), Sine(), nn.Linear(5, 3)), PLAIN),
    "relu": (nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)), PLAIN),
    "gelu": (nn.Sequential(nn.Linear(6, 5), nn.GELU(), nn.Linear(5, 3)), PLAIN),
    "batch norm and relu": (normed(nn.ReLU()), PLAIN),
    "batch norm and tanh": (normed(nn.Tanh()), PLAIN),
    "stream": (Residual2(), PLAIN),
    "vit": (nets.vit(size=8, patch=4, width=8, depth=1, heads=2), IMAGES),
}


def by_trial(group, symmetry, residual):
    """All choices of places at which signs may change, by evaluating the network at each."""
    kept = set()
    draws = np.random.default_rng(0).choice([-1.0, 1.0], size=(group.fibres, group.size))
    for powers in product((0, 1), repeat=len(group.places)):
        if any(powers):
            action = Scaling(group, Rescalable("trial", group.name, powers, True), draws)
            if not residual.small(residual(Transform((action,), symmetry.ties))):
                continue
        kept.add(powers)
    return kept


def spanned(members, places):
    total = {(0,) * places}
    for m in members:
        total |= {tuple(x ^ y for x, y in zip(t, m.powers, strict=True)) for t in total}
    return total


@pytest.mark.parametrize("name", list(NETWORKS))
def test_the_signs_found_are_all_there_are(name):
    model, example = NETWORKS[name]
    model.eval()
    symmetry, network = symmetries(model, example), Network(model)
    members = signs(symmetry, network, example)
    residual = Residual(network, example, 1)
    for group in symmetry.groups:
        mine = [m for m in members if m.group == group.name]
        if len(group.places) <= 10 and "attention" not in group.name:
            assert spanned(mine, len(group.places)) == by_trial(group, symmetry, residual)
        for m in mine:
            element = Transform((m.random(group, 0),), symmetry.ties)
            assert residual.small(residual(element)), m.name


def test_an_odd_unit_may_turn_and_a_relu_may_not():
    for name, count in (("tanh", 1), ("sine", 1), ("relu", 0), ("gelu", 0)):
        model, example = NETWORKS[name]
        found = signs(symmetries(model, example), Network(model), example)
        assert len(found) == count
        assert all(m.powers == (1, 1, 1) and m.signs for m in found)


@given(rows=st.lists(st.integers(0, 63), max_size=6))
def test_equations_modulo_two_have_the_solutions_that_trial_finds(rows):
    equations = Equations()
    for row in rows:
        equations.add(row)
    basis = equations.solutions(6)
    total = {0}
    for member in basis:
        total |= {member ^ x for x in total}
    wanted = {x for x in range(64) if all((x & r).bit_count() % 2 == 0 for r in rows)}
    assert total == wanted
    assert len(total) == 2 ** len(basis)
    assert all(equations.reduce(r) == 0 for r in rows)


def test_a_space_is_a_space():
    assert parity_space({0, 3}).basis == [3]
    assert parity_space({0, 1, 2}).basis == [1]  # without their sum they are not both in it
    assert parity_space({0, 3}).excluded(2) == [3]


class Summed(nn.Module):
    """Branches with few ReLU units each, of which two samples often leave half silent."""

    def __init__(self):
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 6)) for _ in range(4)
        )
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        return self.head(sum(branch(x) for branch in self.branches).tanh())


def test_units_that_are_silent_at_the_example_have_no_signs():
    for seed in range(3):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model, x = Summed().eval(), torch.randn(2, 6)
        found = rescalable(symmetries(model, x), model, x)
        signed = [m for m in found.scalings if m.signs]
        assert len(signed) == 1 and set(signed[0].powers) == {1}  # all that the tanh meets
