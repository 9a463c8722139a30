"""The prediction from one forward pass equals the measured curve of the path from zeros."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from ridgeline.errors import NoLayerIndex, UsageError
from ridgeline.measures import plateau
from ridgeline.nets import fcn
from ridgeline.objective import Objective
from ridgeline.paths import Line, homogeneous_biases, zeros
from ridgeline.profiles import profile
from ridgeline.state import capture
from ridgeline.theory import leaving, zero_start_prediction

law = settings(deadline=None, max_examples=12, derandomize=True)


def trained(*widths, seed=0, activation="relu", spread=2.0):
    """A network whose last bias is like a trained one's: far from zero and unequal."""
    model = fcn(*widths, bias="last", seed=seed, activation=activation).double()
    state = capture(model)
    bias = state[f"fc{len(widths) - 1}.bias"]
    draws = torch.Generator().manual_seed(seed)
    bias.copy_(spread * torch.randn(len(bias), generator=draws, dtype=torch.float64))
    return model, state


def data(count, width, classes, seed=0):
    draws = torch.Generator().manual_seed(seed)
    x = 3 * torch.randn(count, width, generator=draws, dtype=torch.float64)
    return x, torch.randint(classes, (count,), generator=draws)


def same_counts(found, measured):
    """As many samples are wrong at each position; the engine's mean of them is rounded."""
    curve = measured.curve("error")
    predicted, seen = found.error * curve.n, curve.mean * curve.n
    np.testing.assert_allclose(seen, np.rint(seen), atol=1e-11)
    np.testing.assert_array_equal(np.rint(predicted), np.rint(seen))


@law
@given(
    depth=st.integers(1, 6),
    seed=st.integers(0, 1000),
    activation=st.sampled_from(["relu", "linear"]),
)
def test_prediction_is_the_measured_curve_from_zero(depth, seed, activation):
    model, final = trained(*[12] * depth, 5, seed=seed, activation=activation)
    x, y = data(60, 12, 5, seed)
    found = zero_start_prediction(model, final, x, y, 41)
    measured = profile(Line(zeros(final), final), Objective(model, (x, y)), points=41)
    same_counts(found, measured)
    assert found.depth == depth


def test_convolutions_and_pooling_are_predicted_too():
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=1),
        nn.Conv2d(4, 6, 3, bias=False),
        nn.LeakyReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 4),
    ).double()
    final = capture(model)
    final["7.bias"].mul_(3)
    x, y = torch.randn(40, 1, 9, 9).double() * 4, torch.randint(4, (40,))
    found = zero_start_prediction(model, final, x, y, 31)
    measured = profile(Line(zeros(final), final), Objective(model, (x, y)), points=31)
    same_counts(found, measured)
    assert found.depth == 3 and found.classes == 4


def test_the_end_is_where_the_first_sample_leaves():
    model, final = trained(8, 8, 8, 4, seed=3)
    x, y = data(200, 8, 4)
    found = zero_start_prediction(model, final, x, y)
    outputs = model.double()
    outputs.load_state_dict(final)
    bias = final["fc3.bias"]
    signal = outputs(x).detach() - bias

    def labels(t):
        return (t**3 * signal + t * bias).argmax(1)

    assert 0 < found.end < 1 and found.largest == int(bias.argmax())
    assert (labels(found.end * (1 - 1e-9)) == found.largest).all()
    assert (labels(found.end * (1 + 1e-9)) != found.largest).sum() == 1
    for s, leaves in enumerate(found.leaves[:20]):
        if leaves < 1:
            assert labels(leaves * (1 - 1e-9))[s] == found.largest
            assert labels(leaves * (1 + 1e-9))[s] != found.largest


@law
@given(seed=st.integers(0, 1000), degree=st.integers(2, 9))
def test_leaving_times_are_those_of_a_fine_grid(seed, degree):
    rng = np.random.default_rng(seed)
    signal, bias = 5 * rng.standard_normal((7, 4)), rng.standard_normal(4)
    t = np.linspace(1e-4, 1, 2000)
    away = [(s**degree * signal + s * bias).argmax(1) != bias.argmax() for s in t]
    away = np.stack(away)
    first = np.where(away.any(0), t[away.argmax(0)], np.inf)
    found = leaving(signal, bias, degree)
    here = found <= 1
    assert (here == away.any(0)).all()
    np.testing.assert_allclose(found[here], first[here], atol=1e-3)


def test_homogeneous_rates_from_zero_keep_every_label():
    model, final = trained(8, 8, 8, 4, seed=3)
    x, y = data(50, 8, 4)
    rates = homogeneous_biases(model, x[:2])
    path = Line(zeros(final), final, rates=rates)
    error = profile(path, Objective(model, (x, y)), points=21).curve("error").mean
    assert (error[1:] == error[-1]).all()


def test_the_curve_goes_into_the_measures():
    model, final = trained(8, 8, 4, spread=8.0)
    x, y = data(200, 8, 4)
    found = zero_start_prediction(model, final, x, y, 201)
    assert found.curve.chance == 0.75
    assert plateau(found.curve, reference=float(found.error[1])).area > 0


def test_a_signal_that_never_overtakes_leaves_the_end_beyond_the_path():
    model, final = trained(8, 8, 4, spread=1e9)
    x, y = data(20, 8, 4)
    assert zero_start_prediction(model, final, x, y).end > 1
    assert leaving(np.zeros((2, 3)), np.array([0.0, 1.0, 0.5]), 4).tolist() == [np.inf] * 2


def test_other_networks_are_refused():
    x, y = data(6, 8, 4)
    for model in (fcn(8, 8, 4), fcn(8, 8, 4, bias=False), fcn(8, 8, 4, bias="last", norm="batch")):
        with pytest.raises(NoLayerIndex):
            zero_start_prediction(model.double(), capture(model.double()), x, y)
    model, final = trained(8, 8, 4)
    with pytest.raises(UsageError):
        zero_start_prediction(model, final, x, y[:3])


def test_samples_leave_where_the_first_other_class_overtakes():
    signal, bias = np.array([[0.0, 1.0, 4.0], [0.0, -1.0, -2.0]]), np.array([1.0, 0.5, 0.0])
    found = leaving(signal, bias, 3)
    assert found[0] == pytest.approx(min(0.5 / 1.0, 1.0 / 4.0) ** 0.5)
    assert found[1] == np.inf


def test_at_degree_one_labels_are_those_of_the_end_or_never_others():
    signal, bias = np.array([[0.0, 1.0], [0.0, 0.4]]), np.array([0.5, 0.0])
    assert leaving(signal, bias, 1).tolist() == [0.0, np.inf]


@pytest.mark.parametrize("degree", [1, 3])
def test_a_single_class_is_never_left(degree):
    assert leaving(np.zeros((2, 1)), np.ones(1), degree).tolist() == [np.inf, np.inf]


def test_positions_may_be_listed():
    model, state = trained(4, 5, 3)
    x, y = data(9, 4, 3)
    found = zero_start_prediction(model, state, x, y, [0.0, 0.25, 1.0])
    assert found.t.tolist() == [0.0, 0.25, 1.0]
    assert len(zero_start_prediction(model, state, x, y, 7).t) == 7
    assert found.end == found.leaves.min()
    with pytest.raises(UsageError, match=r"one bias for each class.*outputs \(9, 3\).*5 targets"):
        zero_start_prediction(model, state, x, y[:5])
