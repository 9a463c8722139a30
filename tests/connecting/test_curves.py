"""Curve finding: known passes, networks of several kinds, and what is refused."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given as drawn
from hypothesis import settings
from torch import nn

import ridgeline as rl
from connecting.networks import Transformer, made, objective_of, plain, states_of
from ridgeline.connecting.curves import curve_problem
from ridgeline.errors import NonFinite, StateMismatch, UnknownName, UsageError, WrongKind
from ridgeline.testing.landscapes import Product, given
from ridgeline.testing.potentials import CurvedValley
from ridgeline.training import Adam


def highest(path, objective):
    return float(rl.profile(path, objective, points=201).curve().mean.max())


def test_the_two_branches_of_a_product_meet_at_their_saddle():
    # (1, 1) and (-1, -1) are minima of (uv - 1)^2 / 2; every path crosses u = 0 or v = 0, where
    # the loss is 1/2: the straight line is as low as any, and a curve must not be worse.
    model = Product()
    objective = rl.Objective(model, Product.samples(), loss=given, metrics={})
    by = rl.CurveFinding(
        descent=rl.Descent(length="50it", looks=1, optimiser=Adam(learning_rate=0.01))
    )
    found = rl.connect(Product.at(1, 1), Product.at(-1, -1), objective, by=by)
    assert highest(found.path, objective) == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("bend", [1.0, -1.5])
def test_the_pass_of_a_curved_valley_is_found_within_a_hundredth(bend):
    # The floor of the valley, y = c (1 - x^2), is the Bezier curve with its bend at (0, 2c).
    valley = CurvedValley(bend=bend)
    objective = rl.Objective(valley, valley.samples(), loss=given, metrics={})
    descent = rl.Descent(length="200it", looks=1, positions=8, optimiser=Adam(learning_rate=0.05))
    by = rl.CurveFinding(descent=descent)
    found = rl.connect(valley.at(-1, 0), valley.at(1, 0), objective, by=by)
    assert highest(rl.Line(*found.path.points[::2]), objective) == pytest.approx(valley.straight())
    assert highest(found.path, objective) == pytest.approx(valley.saddle(), rel=0.01)


@drawn(
    kind=st.sampled_from(["bezier", "polygon"]),
    bends=st.integers(1, 4),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=25, deadline=None)
def test_rows_are_coefficients_of_the_curve_and_sum_to_one(kind, bends, seed):
    a, b = ({"w": torch.full((3,), x)} for x in (0.0, 1.0))
    rows = curve_problem(a, b, kind, bends).rows(np.random.default_rng(seed), 20)
    assert rows.shape == (20, bends + 2)
    assert np.allclose(rows.sum(1), 1)
    assert (rows >= 0).all()


@pytest.mark.parametrize("kind", ["bezier", "polygon"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_ends_are_the_given_states_bit_for_bit_and_in_their_type(kind, dtype):
    a, b = (rl.state.cast(s, dtype) for s in states_of("BatchNorm"))
    by = rl.CurveFinding(kind=kind, bends=2, descent=rl.Descent(length="3it", looks=1))
    path = rl.connect(a, b, objective_of("BatchNorm"), by=by).path
    for t, state in ((0.0, a), (1.0, b)):
        assert all(x.dtype == path(t)[n].dtype for n, x in state.items())
        assert all(torch.equal(x, path(t)[n]) for n, x in state.items())


class Residual(nn.Module):
    """A small residual network with BatchNorm."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.block = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8),
        )  # fmt: skip
        self.head = nn.Linear(8 * 16, 10)

    def forward(self, x):
        x = self.stem(x.reshape(-1, 1, 8, 8))
        x = nn.functional.max_pool2d(torch.relu(x + self.block(x)), 2)
        return self.head(x.flatten(1))


def fitted(build, x, y, seed, steps):
    model = made(build, seed).train()
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    draws = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        rows = torch.randint(len(x), (64,), generator=draws)
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return rl.state.capture(model)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["residual", "transformer"])
def test_networks_with_normalisation_and_attention_are_connected(kind):
    if kind == "residual":
        build, split = Residual, rl.data.load("digits")["train"]
        x, y = split.inputs.flatten(1)[:600], split.targets[:600]
    else:
        build, draws = Transformer, torch.Generator().manual_seed(0)
        x = torch.randint(11, (600, 6), generator=draws)
        y = x[:, 2]
    a, b = (fitted(build, x, y, seed, 400) for seed in (0, 1))
    objective = rl.Objective(made(build, 5), (x, y))
    line = rl.profile(rl.Line(a, b), objective, points=21).barrier().height
    descent = rl.Descent(length="800it", optimiser=Adam(learning_rate=0.003), looks=2)
    found = rl.connect(a, b, objective, by=rl.CurveFinding(descent=descent))
    left = rl.profile(found.path, objective, points=21).barrier().height
    assert left < 0.1 * line


def test_ends_that_do_not_fit_are_refused():
    a, b = states_of("plain")
    objective = objective_of("plain")
    with pytest.raises(StateMismatch, match=r"0\.weight"):
        rl.connect(a, b | {"0.weight": torch.zeros(2, 2).double()}, objective)
    with pytest.raises(NonFinite, match=r"2\.bias"):
        rl.connect(a, b | {"2.bias": torch.full((3,), torch.nan).double()}, objective)
    with pytest.raises(StateMismatch, match=r"1\.running_mean"):
        rl.connect(a, b, objective_of("BatchNorm"))


def test_too_few_bends_and_unknown_choices_are_refused():
    with pytest.raises(UsageError, match=r"one bend at least.*bends=0.*rl\.Line"):
        rl.CurveFinding(bends=0)
    with pytest.raises(UnknownName, match="kind of curve"):
        rl.CurveFinding(kind="spline")
    for words, said in (
        ({"length": "0it"}, "one step at least|at least one step"),
        ({"positions": 0}, "`positions` is a whole number from 1"),
        ({"decay": -1.0}, "`decay` is finite and not negative"),
        ({"clip": 0.0}, "`clip` is positive"),
        ({"optimiser": "sgd"}, "optimiser of `ridgeline.training`"),
    ):
        with pytest.raises(UsageError, match=said):
            rl.Descent(**words)


def test_arguments_of_another_kind_are_refused():
    a, b = states_of("plain")
    with pytest.raises(WrongKind, match=r"rl\.connect\(a, b, objective\)"):
        rl.connect(a, b, nn.Linear(2, 2))
    with pytest.raises(WrongKind, match=r"rl\.CurveFinding\(\)"):
        rl.connect(a, b, objective_of("plain"), by=rl.CurveFinding)


def test_a_loss_that_only_jumps_is_refused():
    a, b = states_of("plain")
    x, y = torch.randn(8, 5), torch.arange(8) % 3
    jumps = lambda z, t: (z.argmax(1) != t).double()  # noqa: E731 (a loss in one line)
    objective = rl.Objective(made(plain, 0), (x, y), loss=jumps)
    with pytest.raises(UsageError, match="derivatives"):
        rl.connect(a, b, objective)
