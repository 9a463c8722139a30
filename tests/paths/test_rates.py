"""Homogeneous biases: the exponents, and the theorem that they are for."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from torch import nn
from torch.func import functional_call

from ridgeline import state as states
from ridgeline.errors import NoLayerIndex, NotTraceable, UnknownName
from ridgeline.paths import Line, Power, TwoPowers, homogeneous_biases
from ridgeline.testing import check_path


def mlp(*widths):
    layers = []
    for i in range(len(widths) - 1):
        layers += [nn.Linear(widths[i], widths[i + 1]), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def nested():
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Sequential(nn.Conv2d(3, 4, 2, bias=False), nn.LeakyReLU(0.1), nn.Dropout(0.3)),
        nn.Flatten(),
        nn.Sequential(nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 2)),
    )


class Functional(nn.Module):
    """Layers in another order than they are used in, all else by functions."""

    def __init__(self):
        super().__init__()
        self.out, self.hidden = nn.Linear(6, 3), nn.Linear(12, 6)
        self.conv = nn.Conv2d(2, 3, 2)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv(x)), 2)
        return self.out(torch.relu(self.hidden(x.flatten(1))))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.one, self.two = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        x = self.stem(x)
        return x + self.two(F.relu(self.one(x)))


NETS = {
    "mlp": (lambda: mlp(4, 6, 5, 3), (4,)),
    "deep": (lambda: mlp(4, 5, 5, 5, 5, 5, 2), (4,)),
    "linear": (lambda: nn.Linear(4, 2), (4,)),
    "deep linear": (lambda: nn.Sequential(*[nn.Linear(4, 4) for _ in range(4)]), (4,)),
    "conv + maxpool": (nested, (1, 8, 8)),
    "functional": (Functional, (2, 5, 5)),
}


def powers(rates):
    return {name: rate.exponent for name, rate in rates.items()}


def test_exponents_count_layers_from_the_input():
    want = {"0.bias": 1, "2.bias": 2, "4.bias": 3}
    assert powers(homogeneous_biases(mlp(4, 6, 5, 3))) == want
    assert powers(homogeneous_biases(mlp(4, 6, 5, 3), torch.zeros(2, 4))) == want


def test_a_layer_without_bias_counts_too_and_nested_chains_are_read():
    want = {"0.0.bias": 1, "3.0.bias": 3, "3.2.bias": 4}
    assert powers(homogeneous_biases(nested())) == want
    assert powers(homogeneous_biases(nested(), torch.zeros(2, 1, 8, 8))) == want


def test_a_chain_of_one_layer_and_one_inside_another_are_read():
    assert powers(homogeneous_biases(nn.Linear(3, 2))) == {"bias": 1}
    assert powers(homogeneous_biases(nn.Linear(3, 2), torch.zeros(2, 3))) == {"bias": 1}


def test_a_module_of_functions_is_read_by_tracing():
    rates = homogeneous_biases(Functional(), torch.zeros(2, 2, 5, 5))
    assert powers(rates) == {"conv.bias": 1, "hidden.bias": 2, "out.bias": 3}
    with pytest.raises(NoLayerIndex, match=r"Functional at ''.*Pass a batch of inputs"):
        homogeneous_biases(Functional())


def test_a_module_called_in_another_way_is_read_through_its_forward():
    rates = homogeneous_biases(
        mlp(4, 6, 3), {"x": torch.zeros(2, 4)}, forward=lambda model, inputs: model(inputs["x"])
    )
    assert powers(rates) == {"0.bias": 1, "2.bias": 2}


@pytest.mark.parametrize("name", NETS)
@settings(deadline=None, max_examples=8, derandomize=True)
@given(t=st.floats(0.01, 1.5), seed=st.integers(0, 2**16))
def test_from_zero_the_output_is_the_end_output_times_a_power(name, t, seed):
    """f(x; theta(t)) = t**r f(x; theta), so that the predicted labels cannot change."""
    make, shape = NETS[name]
    net = make().double().eval()
    rng = torch.Generator().manual_seed(seed)
    kwargs = {"generator": rng, "dtype": torch.float64}
    end = {n: torch.randn(x.shape, **kwargs) * 0.7 for n, x in net.state_dict().items()}
    zero = {n: torch.zeros_like(x) for n, x in end.items()}
    x = torch.randn(6, *shape, **kwargs)
    rates = homogeneous_biases(net, x)
    depth = max(rate.exponent for rate in rates.values())
    path = Line(zero, end, rates=rates)

    full = functional_call(net, end, (x,))
    part = functional_call(net, path(t), (x,))

    scale = float(full.abs().max()) * max(t**depth, 1e-30)
    assert (part - t**depth * full).abs().max() <= 1e-12 * scale
    if depth > 1:  # at the uniform rate it does not hold
        uniform = functional_call(net, Line(zero, end)(0.5), (x,))
        assert (uniform - 0.5**depth * full).abs().max() > 1e-6 * float(full.abs().max())


def test_the_ends_of_the_homogeneous_path_are_the_states():
    net = mlp(4, 6, 3)
    a, b = (mlp(4, 6, 3).state_dict() for _ in range(2))
    path = Line(a, b, rates=homogeneous_biases(net))
    assert all(x is a[n] for n, x in path(0).items())
    assert all(x is b[n] for n, x in path(1).items())


# --- a start that is not zero ------------------------------------------------------------------


def ends_of(net, seed, dtype=torch.float64):
    draw = torch.Generator().manual_seed(seed)
    make = lambda x: torch.randn(x.shape, generator=draw).to(dtype)  # noqa: E731 (a name for a short function that is read in place)
    return [{n: make(x) for n, x in net.state_dict().items()} for _ in range(2)]


@settings(deadline=None, max_examples=25, derandomize=True)
@given(t=st.floats(-0.5, 1.5), seed=st.integers(0, 2**16))
def test_both_rules_for_the_start_are_their_formulas(t, seed):
    net = mlp(4, 6, 5, 3)
    a, b = ends_of(net, seed)
    odd = lambda s, p: np.sign(s) * abs(s) ** p  # noqa: E731 (beyond the ends the sign is kept)
    kept = Line(a, b, rates=homogeneous_biases(net))(t)
    faded = Line(a, b, rates=homogeneous_biases(net, start="power"))(t)
    for depth, name in enumerate(("0", "2", "4"), start=1):
        a0, b0 = a[f"{name}.bias"], b[f"{name}.bias"]
        grown = odd(t, depth)
        want = (1 - grown) * a0 + grown * b0, odd(1 - t, depth) * a0 + grown * b0
        assert torch.allclose(kept[f"{name}.bias"], want[0], rtol=1e-12, atol=1e-12)
        assert torch.allclose(faded[f"{name}.bias"], want[1], rtol=1e-12, atol=1e-12)
        weight = f"{name}.weight"
        assert torch.equal(faded[weight], kept[weight])
        straight = (1 - t) * a[weight] + t * b[weight]
        assert torch.allclose(faded[weight], straight, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_fading_start_keeps_the_laws_of_paths(dtype):
    net = mlp(4, 6, 5, 3)
    a, b = ends_of(net, 1, dtype)
    a["2.bias"][0] = -0.0
    path = Line(a, b, rates=homogeneous_biases(net, start="power"))
    check_path(path, a=a, b=b)
    assert all(x is a[n] for n, x in path(0).items())
    assert all(x is b[n] for n, x in path(1).items())


def test_zero_is_a_third_basis_state_only_where_a_start_fades():
    net = mlp(4, 6, 5, 3)
    a, b = ends_of(net, 2)
    plain = Line(a, b, rates=homogeneous_biases(net)).combination([0, 0.5, 1])
    assert len(plain.basis) == 2
    fading = Line(a, b, rates=homogeneous_biases(net, start="power")).combination([0, 0.5, 1])
    assert len(fading.basis) == 3
    assert (fading.basis[2]["4.bias"] == 0).all() and fading.basis[2]["0.bias"] is a["0.bias"]
    # the first layer's power is the uniform rate: nothing is missing from its coefficients
    assert powers(homogeneous_biases(net, start="power")) == {"0.bias": 1, "2.bias": 2, "4.bias": 3}
    assert len(Line(a, b, rates={"0.bias": Power(1)}).combination([0.5]).basis) == 2
    one = nn.Linear(4, 2)
    assert homogeneous_biases(one, start="power") == homogeneous_biases(one)
    held = Line(a, b, rates=homogeneous_biases(net, start="power"), layers=["0"])
    assert len(held.combination([0.5]).basis) == 2  # none that fades moves


@settings(deadline=None, max_examples=10, derandomize=True)
@given(t=st.floats(0.01, 1), seed=st.integers(0, 2**16))
def test_toward_zero_a_fading_start_is_homogeneous_in_the_rest(t, seed):
    """f(x; theta(t)) = (1 - t)**r f(x; theta(0)): the other end of the theorem."""
    net = mlp(4, 6, 5, 3).double().eval()
    a, _ = ends_of(net, seed)
    zero = {n: torch.zeros_like(x) for n, x in a.items()}
    x = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    path = Line(a, zero, rates=homogeneous_biases(net, start="power"))
    want = (1 - t) ** 3 * functional_call(net, a, (x,))
    assert torch.allclose(functional_call(net, path(t), (x,)), want, rtol=1e-10, atol=1e-12)


def test_tied_biases_fade_together_and_stay_tied():
    x, y = torch.ones(3), torch.full((3,), 2.0)
    a, b = ({"one": z, "two": z.detach(), "w": z.clone()} for z in (x, y))
    middle = Line(a, b, rates={"one": TwoPowers(2)})(0.5)
    assert middle["one"] is middle["two"] and float(middle["one"][0]) == 0.75


def test_an_unknown_rule_for_the_start_is_refused():
    with pytest.raises(UnknownName, match="complement"):
        homogeneous_biases(mlp(4, 3), start="zero")


@pytest.mark.parametrize("exponent", [1, 1.5, 2, 3, 4.5])
def test_curvature_is_the_derivative_of_the_slope(exponent):
    rate, h = Power(exponent), 1e-6
    for t in (0.1, 0.5, 0.9, 1.4, -0.3):
        want = (rate.slope(t + h) - rate.slope(t - h)) / (2 * h)
        assert rate.curvature(t) == pytest.approx(want, rel=1e-6, abs=1e-8)
    assert rate.curvature(0) == {1: 0, 1.5: float("inf"), 2: 2}.get(exponent, 0)


def test_the_acceleration_of_a_line_is_the_derivative_of_its_tangent():
    net = mlp(4, 6, 5, 3)
    a, b = ends_of(net, 4)
    rates = {**homogeneous_biases(net, start="power"), "2.weight": Power(2.5)}
    path, h = Line(a, b, rates=rates, layers=["0", "2", "4.bias"]), 1e-6
    found = path.acceleration(0.3)
    high, low = path.tangent(0.3 + h), path.tangent(0.3 - h)
    for name, x in found.items():
        assert torch.allclose(x, (high[name] - low[name]) / (2 * h), rtol=1e-6, atol=1e-7)
    assert states.norm(found, names=["4.weight", "0.weight", "0.bias"]) == 0
    assert states.norm(found, names=["2.bias"]) > 0 and states.norm(found, names=["4.bias"]) > 0


def test_a_residual_sum_of_unequal_depth_is_refused_with_the_place():
    with pytest.raises(NoLayerIndex, match=r"indices \[1, 3\] meet at operation 'add'"):
        homogeneous_biases(Residual(), torch.zeros(2, 3))
    with pytest.raises(NoLayerIndex, match="Residual at '1'"):
        homogeneous_biases(nn.Sequential(nn.Linear(3, 3), Residual()))


@pytest.mark.parametrize(
    ("layer", "operation"),
    [(nn.BatchNorm1d(4), "batch_norm"), (nn.LayerNorm(4), "layer_norm"), (nn.Softmax(-1), "softm")],
)
def test_what_is_not_homogeneous_is_refused(layer, operation):
    net = nn.Sequential(nn.Linear(4, 4), layer, nn.Linear(4, 2))
    with pytest.raises(NoLayerIndex, match=f"not homogeneous at operation '_?{operation}"):
        homogeneous_biases(net, torch.zeros(2, 4))
    with pytest.raises(NoLayerIndex, match=f"{type(layer).__name__} at '1'"):
        homogeneous_biases(net)


def test_a_network_that_branches_on_values_is_not_traceable():
    class Branch(nn.Linear):
        def forward(self, x):
            return super().forward(x) if x.sum() > 0 else x

    with pytest.raises(NotTraceable, match="could not be traced"):
        homogeneous_biases(Branch(3, 3), torch.ones(2, 3))


@pytest.mark.parametrize("exponent", [1, 2, 3, 2.5])
def test_a_power_goes_from_zero_to_one_and_its_slope_is_its_derivative(exponent):
    rate, h = Power(exponent), 1e-6
    assert (rate(0), rate(1)) == (0, 1)
    for t in (0.1, 0.5, 0.9, 1.4, -0.3):
        assert rate.slope(t) == pytest.approx((rate(t + h) - rate(t - h)) / (2 * h), rel=1e-6)
    assert rate.slope(0) == (1 if exponent == 1 else 0)
    assert rate(-0.5) == pytest.approx(-(0.5**exponent))
