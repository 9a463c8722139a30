"""Geodesics: the penalty on length, and the whole curve over it."""

from itertools import pairwise

import pytest
import torch

import ridgeline as rl
from connecting.networks import objective_of, states_of
from ridgeline.connecting.geodesics import SquaredSegments
from ridgeline.errors import UsageError
from ridgeline.testing.landscapes import given
from ridgeline.testing.potentials import EggCarton
from ridgeline.training import Adam


@pytest.mark.parametrize("bends", [1, 3])
def test_the_slope_of_the_penalty_is_that_of_autograd(bends):
    rows = torch.randn(bends + 2, 6, dtype=torch.float64, requires_grad=True)
    straight = (rows[-1] - rows[0]).detach().square().sum()
    segments = sum((q - p).square().sum() for p, q in pairwise(rows))
    wanted = 0.7 * (bends + 1) / 4 * segments / straight
    wanted.backward()
    penalty, out = SquaredSegments(0.7), [torch.zeros(6).double() for _ in range(bends)]
    penalty.add_gradient(rows.detach(), out)
    torch.testing.assert_close(torch.stack(out), rows.grad[1:-1])
    assert penalty.value(rows.detach()) == pytest.approx(float(wanted.detach()))


def test_with_one_bend_it_is_the_mean_squared_distance_to_the_ends():
    rows = torch.randn(3, 4, dtype=torch.float64)
    a, x, b = rows
    mean = ((x - a).square().sum() + (x - b).square().sum()) / 2
    assert SquaredSegments(1.0).value(rows) == pytest.approx(float(mean / (b - a).square().sum()))


def test_chains_are_longer_and_lower_the_smaller_the_penalty():
    # A hill between two states: a cosine bump that is passed on either side.
    hill = EggCarton()
    objective = rl.Objective(hill, hill.samples(2), loss=given, metrics={})
    a, b = EggCarton.at(0.0, 0.05), EggCarton.at(1.0, 1.0)
    by = rl.Descent(length="150it", looks=2, positions=6, optimiser=Adam(learning_rate=0.01))
    found = rl.geodesic(a, b, objective, penalties=[0.0, 3.0, 1000.0], by=by)
    lengths = [c.length for c in found.chains]
    assert lengths[0] > lengths[1] > lengths[2] >= 1
    assert lengths[2] == pytest.approx(1, abs=1e-3)
    left = [c.profile.barrier().height for c in found.chains]
    assert left[0] < left[1] < left[2]
    assert found.removed(found.chains[2]) == pytest.approx(0, abs=0.02)
    assert found.shortest(0.3) is found.chains[0] or found.removed(found.chains[1]) >= 0.3
    assert found.shortest(2.0) is None
    assert [r["penalty"] for r in found.rows()] == [0.0, 3.0, 1000.0]
    assert "ends as given" in str(found)


def test_ends_that_are_one_state_and_penalties_that_are_none_are_refused():
    a, b = states_of("plain")
    objective = objective_of("plain")
    with pytest.raises(UsageError, match="not negative, one at least"):
        rl.geodesic(a, b, objective, penalties=[])
    with pytest.raises(UsageError, match="not negative, one at least"):
        rl.geodesic(a, b, objective, penalties=[-1.0])
    with (
        pytest.warns(rl.errors.RidgelineWarning),
        pytest.raises(UsageError, match="ends that differ"),
    ):
        rl.geodesic(a, a, objective)
