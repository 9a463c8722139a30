"""No strategy ends farther than the identity, nor than plain descent from it."""

import numpy as np
import pytest
import torch
from torch import nn

import ridgeline as rl
from rebasin import algorithm
from ridgeline import data, nets
from ridgeline import state as states
from ridgeline.matching import (
    FrankWolfe,
    OptimalTransport,
    SimulatedAnnealing,
    Sinkhorn,
    WeightMatching,
)
from ridgeline.symmetry import symmetries

BY = {
    "weights": WeightMatching(),
    "weights, no renewals": WeightMatching(renewals=0),
    "weights, restarts": WeightMatching(restarts=3, renewals=0),
    "Frank-Wolfe": FrankWolfe(restarts=1, iterations=5),
    "Sinkhorn": Sinkhorn(steps=3, every=1),
    "annealing": SimulatedAnnealing(steps=50, initial_temperature=1e-3, final_temperature=1e-4),
}
WIDTHS = (64, 24, 24, 24, 10)
X = torch.randn(2, 64, generator=torch.Generator().manual_seed(0))


def state(seed):
    return {n: x.detach().clone() for n, x in nets.fcn(*WIDTHS, seed=seed).state_dict().items()}


def overlap(a, b, symmetry):
    held = {p.tensor for g in symmetry.groups for p in g.places}
    return states.dot(a, b, names=list(held))


@pytest.mark.parametrize("kind", list(BY))
def test_it_ends_no_farther_than_plain_descent_from_the_identity(kind):
    symmetry = symmetries(nets.fcn(*WIDTHS), X)
    a, b = state(1), state(2)
    found = rl.align(a, b, symmetry, by=BY[kind])
    one_layer = min(algorithm(a, b, symmetry, np.random.default_rng(s)) for s in range(5))
    assert overlap(a, found.state, symmetry) >= one_layer - 1e-6


@pytest.mark.parametrize("kind", [*BY, "transport"])
def test_a_network_that_stands_right_stays(kind):
    symmetry = symmetries(nets.fcn(*WIDTHS), X)
    a, draws = state(1), torch.Generator().manual_seed(3)
    b = {n: x + 1e-3 * torch.randn(x.shape, generator=draws) for n, x in a.items()}
    found = rl.align(a, b, symmetry, by=BY.get(kind, OptimalTransport()))
    assert found.after <= found.before


def test_transport_that_leads_astray_is_taken_back():
    """Inputs say nothing of the first layer, so that its pass fits noise."""
    act = nn.Tanh()
    model = nn.Sequential(nn.Linear(3, 6), act, nn.Linear(6, 6), act, nn.Linear(6, 40))
    symmetry = symmetries(model, torch.randn(2, 3))
    draws = torch.Generator().manual_seed(0)
    a = {n: torch.randn(x.shape, generator=draws) for n, x in model.state_dict().items()}
    noise = {n: torch.randn(x.shape, generator=draws) for n, x in a.items()}
    b = {n: 1e-2 * noise[n] if n.startswith("0") else x for n, x in a.items()}
    found = rl.align(a, b, symmetry, by=OptimalTransport())
    assert found.after <= found.before
    assert any("farther than the identity" in note for note in found.matched.notes)


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(64, 24), nn.Linear(24, 10)
        self.up, self.down = nn.Linear(24, 32), nn.Linear(32, 24)

    def forward(self, x):
        h = self.first(x)
        return self.last((h + self.down(self.up(h).relu())).relu())


class Pictures(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Unflatten(1, (1, 8, 8)),
            nn.Conv2d(1, 12, 3), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Linear(16, 10),
        )  # fmt: skip


def trained(make, seed, steps=60):
    digits = data.load("digits")["train"]
    x, y = digits.inputs.float(), digits.targets
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = make().train()
        adam = torch.optim.Adam(model.parameters(), 3e-3)
        for _ in range(steps):
            rows = torch.randint(len(x), (64,))
            adam.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            adam.step()
    return model.eval(), {n: v.detach().clone() for n, v in model.state_dict().items()}


@pytest.mark.parametrize("make", [lambda: nets.fcn(*WIDTHS, seed=torch.initial_seed()), Branches,
                                  Pictures], ids=["MLP", "residual", "CNN"])  # fmt: skip
def test_the_default_is_no_farther_than_the_best_of_thirty_plain_descents(make):
    (model, a), (_, b) = (trained(make, seed) for seed in (0, 1))
    symmetry = symmetries(model, X)
    found = rl.align(a, b, symmetry)
    held = {p.tensor for g in symmetry.groups for p in g.places}
    names = [n for n in held if not states.is_statistic(n)]
    reached = states.dot(a, found.state, names=names)
    best = max(algorithm(a, b, symmetry, np.random.default_rng(seed)) for seed in range(30))
    assert reached >= best - 1e-6 * abs(best)
