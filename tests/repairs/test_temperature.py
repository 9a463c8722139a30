import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from torch import nn

from repairs.networks import Normalised, mlp, objective, spread
from ridgeline import state as states
from ridgeline.errors import DataError, UsageError
from ridgeline.objective import Objective
from ridgeline.paths import Line
from ridgeline.profiles import profile
from ridgeline.repairs import Repair, calibrated, repaired, temperature, tempered
from ridgeline.repairs.temperature import COLDEST, HOTTEST


@given(seed=st.integers(0, 50), size=st.sampled_from([0.01, 1.0, 300.0]))
def test_it_is_the_minimum(seed, size):
    torch.manual_seed(seed)
    z, y = size * torch.randn(60, 4).double(), torch.randint(4, (60,))
    z[:20] += size * 3 * F.one_hot(y[:20], 4)
    found = temperature(z, y)
    plain = minimize_scalar(
        lambda s: float(F.cross_entropy(z / np.exp(s), y)),
        bounds=np.log([COLDEST, HOTTEST]),
        method="bounded",
        options={"xatol": 1e-10},
    )
    assert float(F.cross_entropy(z / found, y)) <= plain.fun + 1e-9


def test_a_planted_temperature_is_found():
    torch.manual_seed(0)
    z = torch.randn(40000, 3).double()
    y = torch.distributions.Categorical(logits=z).sample()
    assert temperature(7 * z, y) == pytest.approx(7, rel=0.05)
    assert temperature(7 * z, y) == pytest.approx(7 * temperature(z, y), rel=1e-6)


def test_what_has_no_minimum_ends_at_the_bounds():
    z, y = torch.eye(3).double(), torch.arange(3)
    assert temperature(z, y) == COLDEST
    assert temperature(-z, y) == HOTTEST


def test_ignored_positions_do_not_count():
    torch.manual_seed(0)
    z, y = torch.randn(30, 5, 3), torch.randint(3, (30, 5))
    masked = y.clone()
    masked[:, 3:] = -100
    assert temperature(z, masked) == pytest.approx(temperature(z[:, :3], y[:, :3]))


def test_refusals():
    with pytest.raises(UsageError):
        temperature(torch.randn(4, 3), torch.zeros(5, dtype=torch.long))
    with pytest.raises(DataError):
        temperature(torch.randn(4, 3), torch.full((4,), -100))
    with pytest.raises(DataError):
        temperature(torch.full((4, 3), torch.nan), torch.zeros(4, dtype=torch.long))


def test_a_temperature_goes_into_the_last_layer():
    model = mlp(4, 6, 3)
    goal = objective(model, torch.randn(20, 4).double())
    state = tempered(spread(model, 1), 2.5, goal)
    before = goal.network(spread(model, 1), goal.samples.inputs)
    torch.testing.assert_close(goal.network(state, goal.samples.inputs), before / 2.5)
    with pytest.raises(UsageError, match="positive"):
        tempered(state, 0, goal)
    squashed = nn.Sequential(mlp(4, 3), nn.Tanh()).double()
    with pytest.raises(UsageError, match="linear"):
        tempered(spread(squashed, 1), 2.0, objective(squashed, torch.randn(20, 4).double()))


@pytest.mark.parametrize("mended", [False, True])
def test_along_a_path(mended):
    torch.manual_seed(0)
    model = Normalised()
    a, b = spread(model, 1), spread(model, 2)
    goal = objective(model, torch.randn(40, 2, 7, 7).double())
    repair = Repair() if mended else None
    found = calibrated(Line(a, b), goal, points=5, repair=repair)
    plain = profile(Line(a, b), goal, points=5, repair=repair)
    np.testing.assert_allclose(found.before, plain.curve().mean, rtol=1e-10)
    np.testing.assert_allclose(found.before_error, plain.curve().stderr, rtol=1e-6)
    assert len(str(found).splitlines()) == 6 and "over 40 samples" in str(found)
    assert f"-> {found.loss[2]:.4g} at temperature {found.temperature[2]:.3g}" in str(found)
    assert found.n == 40 and (found.loss_error > 0).all()
    assert (found.loss <= found.before + 1e-9).all()
    state = states.lerp(a, b, 0.5)
    state = repaired(state, a, b, 0.5, goal) if mended else state
    cooled = tempered(state, found.temperature[2], goal)
    assert float(goal(cooled)["loss"].mean()) == pytest.approx(found.loss[2], rel=1e-9)
    other = calibrated(Line(a, b), goal, points=5, repair=repair, data=goal.samples[:20])
    assert (other.loss >= found.loss - 1e-9).all()


@pytest.mark.parametrize("shape", [(), (4,)])
def test_labels_are_read_as_the_loss_reads_them(shape):
    """The label that is ignored, and the axis of the classes: with four of them on axes of four."""
    gen = torch.Generator().manual_seed(0)
    x, y = (
        torch.randn(40, 4, *shape, generator=gen),
        torch.randint(0, 4, (40, *shape), generator=gen),
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Conv1d(4, 4, 1) if shape else nn.Linear(4, 4)
    a = net.state_dict()
    line = Line(a, {k: v + 1 for k, v in a.items()})
    goal = Objective(net, (x, y), loss=nn.CrossEntropyLoss(ignore_index=2))
    found = calibrated(line, goal, points=3)
    with torch.no_grad():
        logits = net(x).movedim(1, -1)
    assert found.temperature[0] == pytest.approx(temperature(logits, y, ignore_index=2), rel=1e-5)
    counted = (y != 2).flatten(1).any(1) if shape else y != 2
    assert found.n == int(counted.sum())
