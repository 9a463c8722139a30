"""Signal and bias along a path, against the obvious loop, and learning orders that are planted."""

import numpy as np
import pytest
import torch
from torch import nn

import zoo
from ridgeline.errors import NoLayerIndex, UsageError
from ridgeline.nets import fcn, resnet20
from ridgeline.objective import Objective
from ridgeline.paths import Line, homogeneous_biases, zeros
from ridgeline.profiles import profile
from ridgeline.state import capture
from ridgeline.theory import decompose, dominant_share, last_bias


def setting(bias=True, seed=0):
    model = fcn(10, 16, 16, 4, bias=bias, seed=seed).double()
    a, b = capture(model), capture(fcn(10, 16, 16, 4, bias=bias, seed=seed + 1).double())
    draws = torch.Generator().manual_seed(seed)
    for state, scale in ((a, 0.3), (b, 2.0)):
        for name, x in state.items():
            if name.endswith("bias"):
                x.copy_(scale * torch.randn(len(x), generator=draws, dtype=torch.float64))
    x = torch.randn(90, 10, generator=draws, dtype=torch.float64)
    return model, a, b, (x, torch.randint(4, (90,), generator=draws))


@pytest.mark.parametrize("strategy", ["auto", "loop", "batched", "shared"])
@pytest.mark.parametrize("homogeneous", [False, True])
def test_sizes_and_shares_are_those_of_the_obvious_loop(strategy, homogeneous):
    model, a, b, data = setting()
    path = Line(a, b, rates=homogeneous_biases(model, data[0]) if homogeneous else {})
    objective = Objective(model, data, rows=32)
    found = decompose(path, objective, 11, strategy=strategy)
    assert found.bias == "fc3.bias" and found.samples == 90
    assert found.largest == int(b["fc3.bias"].argmax())
    for k, t in enumerate(found.t):
        state = path(float(t))
        out = torch.func.functional_call(model, state, (data[0],)).detach()
        bias = state["fc3.bias"]
        signal = out - bias
        spread = (signal.amax(1) - signal.amin(1)).mean()
        expected = {
            "signal_spread": spread,
            "bias_spread": bias.max() - bias.min(),
            "signal_norm": signal.norm(dim=1).mean(),
            "bias_norm": bias.norm(),
            "dominant": (out.argmax(1) == found.largest).double().mean(),
            "error": (out.argmax(1) != data[1]).double().mean(),
        }
        for name, value in expected.items():
            assert getattr(found, name)[k] == pytest.approx(float(value), rel=1e-10), name


def test_from_zero_the_signal_grows_like_the_power_and_the_bias_like_t():
    model, _, b, data = setting(bias="last")
    found = decompose(Line(zeros(b), b), Objective(model, data), 21)
    np.testing.assert_allclose(
        found.signal_spread, found.t**3 * found.signal_spread[-1], atol=1e-12
    )
    np.testing.assert_allclose(found.bias_spread, found.t * found.bias_spread[-1], atol=1e-12)
    ratio = found.bias_spread[-1] / found.signal_spread[-1]
    if ratio < 1:
        assert found.crossing == pytest.approx(ratio**0.5, abs=0.06)
    assert found.dominant[1] == 1


def test_the_metric_is_the_dominant_share():
    model, a, b, data = setting()
    metric = dominant_share(model, b, data[0][:2])
    objective = Objective(model, data, metrics={"dominant": metric})
    along = profile(Line(a, b), objective, points=11).curve("dominant")
    plain = decompose(Line(a, b), Objective(model, data), 11)
    np.testing.assert_allclose(along.mean, plain.dominant, atol=1e-12)
    sequence = torch.zeros(2, 6, 4)
    sequence[0, :3, plain.largest] = 1
    sequence[..., (plain.largest + 1) % 4] += 0.5
    np.testing.assert_allclose(metric(sequence, None), [0.5, 0.0])


class Added(nn.Module):
    """A bias that is a parameter of its own, and outputs that are averaged over positions."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(6, 3, bias=False)
        self.offset = nn.Parameter(torch.zeros(3))

    def forward(self, x):
        return (self.mix(x) + self.offset).mean(1)


def test_the_last_bias_is_found_by_tracing():
    assert last_bias(fcn(5, 6, 3), torch.randn(2, 5)) == "fc2.bias"
    assert last_bias(zoo.Cnn().eval(), torch.randn(2, 2, 6, 6)) == "8.bias"
    assert last_bias(zoo.Residual(), torch.randn(2, 7)) == "head.bias"
    assert last_bias(Added(), torch.randn(2, 4, 6)) == "offset"
    wrapped = nn.ModuleDict({"body": fcn(5, 6, 3)})
    assert (
        last_bias(wrapped, torch.randn(2, 5), forward=lambda m, x: m["body"](x)) == "body.fc2.bias"
    )
    assert last_bias(resnet20(width=4), torch.randn(2, 3, 16, 16)).endswith("bias")


@pytest.mark.parametrize(
    "model", [fcn(5, 6, 3, bias=False), nn.Sequential(nn.Linear(5, 3), nn.ReLU())]
)
def test_outputs_that_are_not_a_layer_with_a_bias_are_refused(model):
    with pytest.raises(NoLayerIndex):
        last_bias(model, torch.randn(2, 5))


def test_an_objective_called_in_its_own_way_is_traced_in_that_way():
    model, a, b, data = setting()
    wrapped = nn.ModuleDict({"body": model})
    named = [{f"body.{name}": x for name, x in state.items()} for state in (a, b)]
    objective = Objective(wrapped, data, forward=lambda m, x: m["body"](x))
    found = decompose(Line(*named), objective, 5)
    assert found.bias == "body.fc3.bias"
    np.testing.assert_allclose(
        found.signal_norm, decompose(Line(a, b), Objective(model, data), 5).signal_norm
    )


def test_what_is_no_classifier_is_refused():
    model, a, b, data = setting()
    regression = Objective(model, (data[0], torch.zeros(90, 4).double()), loss=nn.MSELoss())
    with pytest.raises(UsageError):
        decompose(Line(a, b), regression, 5)
