"""Gauss lengths of planted curves, by both methods, and of networks where the methods agree."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

import zoo
from ridgeline import rng
from ridgeline.errors import ForwardFailed, RidgelineWarning, UnknownName, UsageError
from ridgeline.nets import fcn
from ridgeline.objective import Objective, squared_error
from ridgeline.objective.plain import Plain
from ridgeline.paths import Line, Polygon, Power, TwoPowers, homogeneous_biases
from ridgeline.profiles.derivatives import velocities
from ridgeline.theory import gauss_length

METHODS = ["turning", "ad"]


class Planted(nn.Module):
    """Outputs that are a curve of its one weight, times the input."""

    def __init__(self, curve):
        super().__init__()
        self.angle = nn.Parameter(torch.zeros((), dtype=torch.float64))
        self.curve = curve

    def forward(self, x):
        return x * torch.stack(self.curve(self.angle))


def planted(curve, to, size=3, **more):
    x = torch.arange(1.0, size + 1, dtype=torch.float64)[:, None]
    goal = Objective(Planted(curve), (x, torch.zeros(size, 2)), loss=squared_error, **more)
    ends = [{"angle": torch.tensor(v, dtype=torch.float64)} for v in (0.0, to)]
    return goal, ends


def circle(s):
    return torch.sin(s), torch.cos(s)


def straight(s):
    return 2 * s, -3 * s + 1


def trained_like(net, seed=0, size=0.4):
    draw = torch.Generator().manual_seed(seed)
    return {
        n: x + size * torch.randn(x.shape, generator=draw, dtype=x.dtype)
        for n, x in net.state_dict().items()
    }


@pytest.mark.parametrize("method", METHODS)
def test_a_half_circle_is_pi_whatever_its_size(method):
    goal, ends = planted(circle, np.pi)
    points = 5001 if method == "turning" else 51
    found = gauss_length(Line(*ends), goal, points=points, method=method)
    np.testing.assert_allclose(found.values, np.pi, atol=1e-3)
    assert found.method == method and found.still == 0 and found.samples == 3
    assert found.mean == pytest.approx(np.pi, abs=1e-3) and found.stderr < 1e-6


def test_a_half_circle_by_differentiation_needs_no_fine_grid():
    goal, ends = planted(circle, np.pi)
    assert gauss_length(Line(*ends), goal, points=9, method="ad").mean == pytest.approx(np.pi)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rate", [Power(1), Power(2), Power(3.5)])
def test_a_straight_line_does_not_turn(method, rate):
    goal, ends = planted(straight, 1.0)
    found = gauss_length(Line(*ends, rates={"angle": rate}), goal, points=40, method=method)
    np.testing.assert_allclose(found.values, 0, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_the_length_does_not_depend_on_the_pace(method):
    goal, ends = planted(circle, 2.5)
    points = 2001 if method == "turning" else 101
    found = [
        gauss_length(Line(*ends, rates={"angle": Power(p)}), goal, points=points, method=method)
        for p in (1, 2, 3)
    ]
    np.testing.assert_allclose([f.mean for f in found], 2.5, atol=6e-3)


@pytest.mark.parametrize("exponent", [2, 3])
def test_a_start_without_velocity_is_reported_and_does_not_turn(exponent):
    goal, ends = planted(straight, 1.0)
    path = Line(*ends, rates={"angle": Power(exponent)})
    found = gauss_length(path, goal, points=11, method="ad")
    assert found.still == pytest.approx(1 / 11) and abs(found.mean) < 1e-12
    assert gauss_length(path, goal, points=11).still == 0  # every chord has a length


@pytest.mark.parametrize("method", METHODS)
def test_outputs_that_never_move_are_still_throughout(method):
    goal, ends = planted(circle, np.pi)
    with pytest.warns(RidgelineWarning, match="the same tensors"):
        still = Line(ends[0], ends[0])
    found = gauss_length(still, goal, points=7, method=method)
    assert (found.mean, found.still) == (0, 1)


def test_some_samples_may_stand_still():
    goal, ends = planted(circle, np.pi)
    x = goal.samples.inputs.clone()
    x[0] = 0
    some = Objective(Planted(circle), (x, torch.zeros(3, 2)), loss=squared_error)
    for method in METHODS:
        found = gauss_length(Line(*ends), some, points=21, method=method)
        assert found.still == pytest.approx(1 / 3) and (found.values == 0).sum() == 1


@pytest.mark.parametrize("norm", [None, "layer"])
def test_for_a_tanh_network_both_methods_agree(norm):
    net = fcn(8, 24, 24, 5, activation="tanh", norm=norm).double()
    a, b = (trained_like(net, s) for s in (1, 2))
    x = torch.randn(50, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    goal = Objective(net, (x, torch.zeros(50, dtype=torch.long)))
    turning = gauss_length(Line(a, b), goal, points=401)
    ad = gauss_length(Line(a, b), goal, points=51, method="ad")
    assert ad.mean > 0.3
    np.testing.assert_allclose(ad.values, turning.values, rtol=0.05)
    assert ad.mean == pytest.approx(turning.mean, rel=0.02)


def test_at_a_kink_differentiation_sees_nothing():
    """The outputs of a ReLU turn by a quarter at t = 1/2, and go straight otherwise."""
    goal, ends = planted(lambda s: (torch.relu(s), torch.relu(-s)), 1.0)
    ends[0] = {"angle": torch.tensor(-1.0, dtype=torch.float64)}
    path = Line(*ends)
    assert gauss_length(path, goal, points=10, method="ad").mean == 0
    turned = gauss_length(path, goal, points=11).mean
    assert turned == pytest.approx(np.pi / 2)


# --- derivatives against central differences ---------------------------------------------------


def differences(path, goal, t, h=1e-5):
    """Velocity and acceleration by five-point differences, one state after another."""
    samples = goal.samples.inputs

    def outputs(s):
        state = goal.tensors(path(s))
        state |= goal.recomputed(goal.tensors(path(t)))  # constants in the derivative
        with torch.no_grad():
            return functional_call(goal.network.module, state, (samples,)).flatten(1)

    two, one, zero, plus, far = (outputs(t + k * h) for k in (-2, -1, 0, 1, 2))
    first = (two - 8 * one + 8 * plus - far) / (12 * h)
    second = (-two + 16 * one - 30 * zero + 16 * plus - far) / (12 * h * h)
    return first, second


NAMES = ["mlp", "cnn-batchnorm", "residual", "transformer-tied", "lstm"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["line", "rates", "both", "layer"])
def test_derivatives_are_those_of_differences(name, kind):
    model, data, a, b = zoo.build(name, n=12)
    a, b = ({n: x.double() if x.is_floating_point() else x for n, x in s.items()} for s in (a, b))
    model = model.double()
    wide = data[0].double() if data[0].is_floating_point() else data[0]
    goal = Objective(model, (wide, data[1]), rows=5)
    bias = next(n for n in reversed(a) if n.endswith("bias"))
    first = next(n for n in a if n.endswith("weight") and "token" not in n)
    path = {
        "line": Line(a, b),
        "rates": Line(a, b, rates={bias: Power(3)}),
        "both": Line(a, b, rates={bias: TwoPowers(2), first: Power(2.5)}),
        "layer": Line(a, b, layers=[first]),
    }[kind]
    t = np.array([0.31, 0.62])
    order = torch.randperm(len(goal), generator=_stream())
    for s, (v, w) in zip(t, velocities(path, goal, t, 12), strict=True):
        slope, bend = (x[order] for x in differences(path, goal, s))
        assert torch.allclose(v, slope, rtol=1e-7, atol=1e-8 * float(slope.abs().max()))
        assert torch.allclose(w, bend, rtol=1e-4, atol=5e-5 * float(bend.abs().max() + 1))


OPERATIONS = {
    "layer_norm": lambda x, w: F.layer_norm(x, (8,), w[:8], w[8:16]),
    "rms_norm": lambda x, w: F.rms_norm(x, (8,), w[:8]),
    "group_norm": lambda x, w: F.group_norm(x, 3, w[:6], w[6:12]),
    "instance_norm": lambda x, w: F.instance_norm(x, weight=w[:6], bias=w[6:12]),
    "batch_norm": lambda x, w: F.batch_norm(x, w[:6], w[6:12] ** 2 + 1, w[3:9], w[8:14]),
    "layer_norm, bare": lambda x, w: torch.layer_norm(x * w[:8], (6, 8)),
    "rms_norm, bare": lambda x, w: torch.rms_norm(x * w[:8], (8,)),
    "group_norm, bare": lambda x, w: torch.group_norm(x * w[:8], 2),
    "silu": lambda x, w: F.silu(x * w[:8]),
    "softmax": lambda x, w: torch.softmax(x * w[:8], -1),
    "gelu": lambda x, w: F.gelu(x * w[:8]),
    "attention": lambda x, w: F.scaled_dot_product_attention(x * w[:8], x, x + w[8:16]),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_second_derivatives_of_operations_are_those_of_differences(name):
    """Of torch's own layer_norm it is wrong: what the plain one is for."""

    class Operation(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.zeros(16, dtype=torch.float64))

        def forward(self, x):
            return OPERATIONS[name](x, self.w).flatten(1)

    draw = torch.Generator().manual_seed(0)
    make = lambda *shape: torch.randn(shape, generator=draw, dtype=torch.float64)  # noqa: E731 (a name for a short function that is read in place)
    x, a, b = make(5, 6, 8), {"w": make(16)}, {"w": make(16)}
    goal = Objective(Operation(), (x, torch.zeros(5, 48)), loss=squared_error)
    path, t = Line(a, b, rates={"w": Power(2)}), np.array([0.4, 0.5])
    order = torch.randperm(5, generator=_stream())
    for s, (v, w) in zip(t, velocities(path, goal, t, 5), strict=True):
        slope, bend = (x[order] for x in differences(path, goal, s, h=1e-3))
        assert torch.allclose(v, slope, rtol=1e-8, atol=1e-8)
        assert torch.allclose(w, bend, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", OPERATIONS)
def test_plain_operations_give_the_values_of_torchs_own(name):
    draw = torch.Generator().manual_seed(1)
    x, w = (torch.randn(s, generator=draw, dtype=torch.float64) for s in ((5, 6, 8), (16,)))
    want = OPERATIONS[name](x, w)
    with Plain():
        assert torch.allclose(OPERATIONS[name](x, w), want, rtol=1e-12, atol=1e-12)


def _stream():
    return rng.stream(0, "samples")


def test_samples_are_the_same_by_both_methods_and_may_be_fewer():
    net = fcn(8, 24, 24, 5, activation="tanh").double()
    a, b = (trained_like(net, s) for s in (1, 2))
    x = torch.randn(64, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    goal = Objective(net, (x * torch.rand(64, 1).double(), torch.zeros(64, dtype=torch.long)))
    one, two = (gauss_length(Line(a, b), goal, samples=20, method=m) for m in METHODS)
    assert one.samples == two.samples == 20
    assert np.corrcoef(one.values, two.values)[0, 1] > 0.99


def test_a_homogeneous_path_from_zero_is_straight_in_outputs():
    net = fcn(6, 12, 12, 4).double()
    b = trained_like(net)
    zero = {n: torch.zeros_like(x) for n, x in b.items()}
    x = torch.randn(20, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    goal = Objective(net, (x, torch.zeros(20, dtype=torch.long)))
    path = Line(zero, b, rates=homogeneous_biases(net, x))
    found = gauss_length(path, goal, points=21, method="ad")
    assert found.mean < 1e-9 and found.still == pytest.approx(1 / 21)
    assert gauss_length(path, goal, points=21).mean < 1e-6


# --- refusals ----------------------------------------------------------------------------------


class OwnRate:
    def __call__(self, t):
        return t**2

    def slope(self, t):
        return 2 * t


def test_what_cannot_be_differentiated_is_refused():
    goal, (a, b) = planted(circle, 1.0)
    with pytest.raises(UsageError, match=r"along a Line only.*a Polygon.*turning"):
        gauss_length(Polygon(a, a, b), goal, method="ad")
    with pytest.raises(UsageError, match=r"OwnRate without `curvature`"):
        gauss_length(Line(a, b, rates={"angle": OwnRate()}), goal, method="ad")
    with pytest.raises(UsageError, match=r"must be finite.*at t = 0"):
        gauss_length(Line(a, b, rates={"angle": Power(1.5)}), goal, method="ad")
    with pytest.raises(UnknownName, match="turning"):
        gauss_length(Line(a, b), goal, method="angles")
    assert gauss_length(Polygon(a, a, b), goal).mean > 0


def test_a_model_without_forward_derivatives_is_told():
    class Backward(torch.autograd.Function):
        @staticmethod
        def forward(x):
            return x.clone()

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def backward(ctx, g):
            return g

    goal, (a, b) = planted(lambda s: (Backward.apply(s), s), 1.0)
    with pytest.raises((UsageError, ForwardFailed), match=r"differentia|forward derivative"):
        gauss_length(Line(a, b), goal, method="ad")


@pytest.mark.parametrize("statistics", ["recompute", "keep"])
def test_the_callers_model_is_untouched(statistics):
    model, data, a, b = zoo.build("cnn-batchnorm", n=12)
    model.train()
    before = {n: x.clone() for n, x in model.state_dict().items()}
    goal = Objective(model, data, statistics=statistics)
    found = gauss_length(Line(a, b), goal, points=5, method="ad")
    assert np.isfinite(found.values).all() and model.training
    assert all(torch.equal(x, before[n]) for n, x in model.state_dict().items())
