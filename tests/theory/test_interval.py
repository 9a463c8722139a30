"""The interval of theorem 1: printed digits, exact roots, and networks that obey it."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from scipy.optimize import brentq
from torch import nn

from ridgeline.errors import NoLayerIndex, UsageError
from ridgeline.nets import fcn
from ridgeline.objective import Objective
from ridgeline.paths import Line
from ridgeline.profiles import profile
from ridgeline.state import capture
from ridgeline.theory import loss_floor, network_interval, plateau_interval

law = settings(deadline=None, max_examples=60, derandomize=True)


@pytest.mark.parametrize(
    ("depth", "start", "end", "gap", "ends", "asymptotes"),
    [
        (3, 0.1, 1.5, 1, (0.0015, 0.3958), (0.0014, 0.4577)),
        (3, 0.3, 1.5, 1, None, (0.0382, 0.4577)),
        (4, 0.3, 1.5, 1, (0.0143, 0.3285), (0.0115, 0.5188)),
        (6, 0.1, 1.5, 1, (0.0000, 0.5363), (0.0000, 0.5736)),
        (10, 0.1, 2.5, 2, (0.0000, 0.3463), (0.0000, 0.3755)),
    ],
)
def test_the_calibration_table_to_its_printed_digits(depth, start, end, gap, ends, asymptotes):
    found = plateau_interval(depth=depth, start=start, end=end, gap=gap)
    assert found.asymptotic_start == pytest.approx(asymptotes[0], abs=5.1e-5)
    assert found.asymptotic_end == pytest.approx(asymptotes[1], abs=5.1e-5)
    assert found.empty == (ends is None)
    if ends:
        assert found.start == pytest.approx(ends[0], abs=5.1e-5)
        assert found.end == pytest.approx(ends[1], abs=5.1e-5)
    else:
        assert math.isnan(found.start) and math.isnan(found.end) and found.length == 0


positive = st.floats(0.02, 3)


@law
@given(depth=st.integers(1, 12), start=positive, end=positive, gap=positive, radius=positive)
def test_inside_the_bias_wins_and_outside_it_does_not(depth, start, end, gap, radius):
    found = plateau_interval(depth=depth, start=start, end=end, gap=gap, radius=radius)
    t = np.linspace(0, 1, 4001)
    g = math.sqrt(2) * radius * ((1 - t) * start + t * end) ** depth - t * gap
    near = 1e-9 * (1 + np.abs(g).max())
    inside = np.array([s in found for s in t])
    assert (g[inside] < near).all()
    assert (g[~inside] > -near).all() or (found.end == 1 and (g[~inside][:-1] > -near).all())


@law
@given(depth=st.integers(2, 8), start=st.floats(0.01, 0.2), gap=st.floats(0.5, 3))
def test_ends_are_the_roots_that_bisection_finds(depth, start, gap):
    found = plateau_interval(depth=depth, start=start, end=1.5, gap=gap)
    if found.empty:
        return

    def g(t):
        return math.sqrt(2) * ((1 - t) * start + t * 1.5) ** depth - t * gap

    middle = (found.start + found.end) / 2
    assert found.start == pytest.approx(brentq(g, 0, middle, xtol=1e-15), rel=1e-6)
    last = brentq(g, middle, 1, xtol=1e-15) if g(1) > 0 else 1.0
    assert found.end == pytest.approx(last, rel=1e-9)


def test_the_asymptotes_are_reached_as_the_start_shrinks():
    found = plateau_interval(depth=5, start=1e-8, end=1.5, gap=1)
    assert found.start == pytest.approx(found.asymptotic_start, rel=1e-6, abs=0)
    assert found.end == pytest.approx(found.asymptotic_end, rel=1e-6)
    assert found.start == pytest.approx(math.sqrt(2) * 1e-40, rel=1e-6, abs=0)


def test_with_the_last_signal_fixed_deeper_is_longer():
    ends = [
        plateau_interval(depth=r, start=0.01, end=10 ** (1 / r), gap=1).end for r in range(2, 40)
    ]
    assert (np.diff(ends) > 0).all() and ends[-1] > 0.9


def test_extremes():
    assert plateau_interval(depth=400, start=1, end=1e3, gap=1).empty
    whole = plateau_interval(depth=3, start=0, end=0.1, gap=1)
    assert (whole.start, whole.end) == (0, 1)
    assert plateau_interval(depth=3, start=0.1, end=1.5, gap=0).empty
    assert plateau_interval(depth=3, start=0, end=1.5, gap=1).end == pytest.approx(
        0.45773, abs=1e-5
    )
    shrinking = plateau_interval(depth=2, start=0.5, end=0.1, gap=1)
    assert shrinking.end == 1 and 0 < shrinking.start < 0.5
    one = plateau_interval(depth=1, start=0.1, end=0.2, gap=1)
    assert one.end == 1 and math.isnan(one.asymptotic_end)
    for wrong in ({"depth": 0}, {"start": -1}, {"end": 0}, {"gap": -1}, {"gap": math.nan}):
        with pytest.raises(UsageError):
            plateau_interval(**{"depth": 3, "start": 0.1, "end": 1.5, "gap": 1, **wrong})


# --- networks ----------------------------------------------------------------------------------


def with_norms(depth, start, end, *, classes=5, width=30, seed=0):
    """States of a ReLU chain whose layers all have the spectral norms asked for."""
    widths = [width] * depth + [classes]
    model = fcn(*widths, bias="last", seed=seed).double()
    a, b = capture(model), capture(fcn(*widths, bias="last", seed=seed + 100).double())
    for state, size in ((a, start), (b, end)):
        for name, x in state.items():
            if name.endswith("weight"):
                x.mul_(size / torch.linalg.matrix_norm(x, 2))
    b[f"fc{depth}.bias"].copy_(torch.tensor([-0.4, 1.0, 0.0, -0.9, -0.2], dtype=torch.float64))
    return model, a, b


def balanced(count=50, width=30, classes=5, seed=0):
    x = torch.randn(count, width, generator=torch.Generator().manual_seed(seed)).double()
    return x / x.norm(dim=1, keepdim=True), torch.arange(count) % classes


@pytest.mark.parametrize(("depth", "start", "seed"), [(3, 0.1, 0), (4, 0.3, 1), (6, 0.1, 2)])
def test_random_networks_have_the_error_of_chance_inside_and_the_loss_above_its_floor(
    depth, start, seed
):
    model, a, b = with_norms(depth, start, 1.5, seed=seed)
    data = balanced(seed=seed)
    found = network_interval(model, a, b, data[0])
    assert (found.depth, found.largest) == (depth, 1)
    assert found.start == pytest.approx(start) and found.end == pytest.approx(1.5)
    assert found.gap == pytest.approx(1.0) and found.radius == pytest.approx(1.0)
    curve = profile(Line(a, b), Objective(model, data), points=401)
    inside = np.array([t in found.interval for t in curve.t])
    assert inside.sum() > 50
    assert (np.abs(curve.curve("error").mean[inside] - 0.8) < 1e-12).all()
    args = {"depth": depth, "start": found.start, "end": found.end, "radius": found.radius}
    floor = loss_floor(curve.t, **args, classes=5)
    loss = curve.curve("loss").mean
    assert (loss >= floor - 1e-12).all() and floor.max() > 1
    weaker = loss_floor(curve.t, **args, classes=5, initial=float(loss[0]))
    assert (weaker <= floor + 1e-12).all()


@law
@given(
    seed=st.integers(0, 10**6),
    classes=st.integers(2, 6),
    size=st.floats(0.1, 10),
)
def test_a_bias_alone_cannot_beat_guessing(seed, classes, size):
    b = size * torch.randn(classes, generator=torch.Generator().manual_seed(seed)).double()
    alone = torch.logsumexp(b, 0) - b.mean()
    assert float(alone) >= math.log(classes) - 1e-12


def test_norms_of_convolutions_bound_the_operator():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, stride=2, groups=2, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16, 3),
    ).double()
    b = capture(model)
    a = {name: torch.zeros_like(x) for name, x in b.items()}
    x = torch.randn(5, 2, 8, 8).double()
    found = network_interval(model, a, b, x)
    conv = model[0]
    matrix = torch.stack(
        [conv(e.view(1, 2, 8, 8)).flatten() for e in torch.eye(128, dtype=torch.float64)]
    )
    true = float(torch.linalg.matrix_norm(matrix.detach(), 2))
    assert true <= found.norms["0.weight"][1] <= 3.001 * true
    assert found.norms["4.weight"][1] == pytest.approx(
        float(torch.linalg.matrix_norm(model[4].weight.detach(), 2))
    )
    assert found.depth == 2 and found.start == 0


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 4, bias=False), nn.Linear(4, 3)

    def forward(self, x):
        return self.two(x + self.one(x))


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (fcn(4, 5, 3), "fc1.bias"),
        (fcn(4, 5, 3, bias=False), "no bias"),
        (fcn(4, 5, 3, bias="last", norm="batch"), "batch_norm"),
        (fcn(4, 5, 3, bias="last", norm="layer"), "layer_norm"),
        (fcn(4, 5, 3, bias="last", activation="tanh"), "tanh"),
        (Residual(), "meet"),
        (
            nn.Sequential(
                nn.Unflatten(1, (1, 4)),
                nn.MaxPool1d(2, stride=1),
                nn.Flatten(),
                nn.Linear(3, 3),
            ),
            "max_pool1d",
        ),
        (nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 3))), "weight"),
    ],
)
def test_other_networks_are_refused_with_the_reason(model, why):
    state = capture(model.eval())
    with pytest.raises(NoLayerIndex, match=why):
        network_interval(model, state, state, torch.randn(3, 4))


def test_a_bias_that_starts_elsewhere_is_refused():
    model = fcn(4, 5, 3, bias="last", init="torch")
    with pytest.raises(UsageError, match=r"fc2\.bias"):
        network_interval(model, capture(model), capture(model), torch.randn(3, 4))


def test_the_floor_of_the_loss_is_its_formula_and_never_negative():
    given = {"depth": 3, "start": 0.5, "end": 1.5, "radius": 0.25, "classes": 5}
    found = loss_floor([0.0, 0.5, 1.0], **given)
    signal = 0.25 * np.array([0.5, 1.0, 1.5]) ** 3
    np.testing.assert_allclose(found, np.maximum(0, math.log(5) - 2 * signal))
    assert found[2] == 0 < found[1]
    initial = loss_floor([0.0], **given, initial=1.0)
    np.testing.assert_allclose(initial, 1.0 - 4 * signal[0])


def test_a_floor_is_of_positions_on_the_path_and_of_two_classes_at_least():
    given = {"depth": 3, "start": 0.5, "end": 1.5}
    with pytest.raises(UsageError, match=r"between the two ends, 0 <= t <= 1.*1\.5"):
        loss_floor([0.5, 1.5], **given, classes=3)
    with pytest.raises(UsageError, match=r"between the two ends.*-0\.5"):
        loss_floor([-0.5, 0.5], **given, classes=3)
    with pytest.raises(UsageError, match=r"two classes.*Got 1"):
        loss_floor([0.5], **given, classes=1)
    for wrong in ({"depth": 0}, {"start": -1.0}, {"end": 0.0}, {"end": math.inf}, {"radius": 0.0}):
        with pytest.raises(UsageError):
            loss_floor([0.5], **(given | wrong), classes=3)
