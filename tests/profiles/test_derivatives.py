"""Velocity and acceleration of outputs along a line, against formulas in float64."""

import pytest
import torch
from torch import nn

import ridgeline as rl
from ridgeline.engine.evaluation import sample_order
from ridgeline.errors import ForwardFailed, UsageError
from ridgeline.paths import Line, Polygon, Power
from ridgeline.profiles.derivatives import velocities

X, Y = torch.randn(9, 1, generator=torch.Generator().manual_seed(0)), torch.zeros(9, 1)
A, B = {"w": torch.tensor([0.5])}, {"w": torch.tensor([2.0])}


class Bent(nn.Module):
    """w -> exp(w x), of which all derivatives are known."""

    def __init__(self, function=torch.exp):
        super().__init__()
        self.w, self.function = nn.Parameter(torch.ones(1)), function

    def forward(self, x):
        return self.function(self.w * x)


def goal(model=None, **options):
    options = {"loss": "mse", "dtype": torch.float64} | options
    return rl.Objective(model or Bent(), (X, Y), **options)


@pytest.mark.parametrize("exponent", [1, 2, 3.5])
def test_both_derivatives_are_the_chain_rules(exponent):
    rate = Power(exponent)
    path = Line(A, B, rates={"w": rate})
    x = X[sample_order(9, 0, None)[:5]].double()
    t = [0.25, 0.75]
    found = list(velocities(path, goal(rows=16), t, 5))
    for s, (first, second) in zip(t, found, strict=True):
        out = torch.exp((0.5 + 1.5 * rate(s)) * x)
        speed = 1.5 * rate.slope(s) * x
        assert torch.allclose(first, out * speed)
        assert torch.allclose(second, out * (speed**2 + 1.5 * rate.curvature(s) * x))


def test_chunks_are_put_together():
    objective = goal()
    path = Line(A, B)
    whole = next(velocities(path, objective, [0.5], 9))
    objective.rows = 2
    parts = next(velocities(path, objective, [0.5], 9))
    assert all(torch.allclose(x, y) for x, y in zip(whole, parts, strict=True))
    assert whole[0].shape == (9, 1)


def test_only_a_line_is_differentiated():
    with pytest.raises(UsageError, match=r"along a Line only\. Got a Polygon") as caught:
        next(velocities(Polygon(A, B), goal(), [0.5], 5))
    assert caught.value.remedy == "Use method='turning', which takes every path."


def test_a_rate_without_a_second_derivative_at_a_position_is_refused_there():
    path = Line(A, B, rates={"w": Power(1.5)})
    next(velocities(path, goal(), [0.5], 5))
    with pytest.raises(UsageError, match="second derivative of the path must be finite") as caught:
        next(velocities(path, goal(), [0.0], 5))
    assert "at t = 0," in caught.value.got and "out of the grid" in caught.value.remedy


def test_outputs_are_one_tensor():
    class Several(Bent):
        def forward(self, x):
            return {"a": super().forward(x), "b": x}

    objective = goal(Several(), loss=lambda o, t: o["a"][:, 0], metrics={})
    with pytest.raises(UsageError, match=r"Outputs must be one tensor\. Got dict"):
        next(velocities(Line(A, B), objective, [0.5], 5))


def test_a_model_that_raises_is_named_with_the_position():
    def function(x):
        if float(x.detach().max()) > 0 and torch._C._functorch.maybe_current_level():
            raise KeyError("mine")
        return x

    with pytest.raises(ForwardFailed, match=r"differentiated at t = 0\.5"):
        next(velocities(Line(A, B), goal(Bent(function)), [0.5], 5))
