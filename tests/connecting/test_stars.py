"""Stars: the slope of a centre, its starts and draws, and the test on held-out states."""

import numpy as np
import pytest
import torch

import ridgeline as rl
from connecting.networks import NETWORKS, made, objective_of, one_step, slopes, states_of
from ridgeline.connecting.stars import _problem
from ridgeline.errors import NonFinite, StateMismatch, UnknownName, UsageError
from ridgeline.paths import permuted

SHORT = rl.Descent(length="3it", looks=1, batch_size=8, positions=2)


@pytest.mark.parametrize("name", ["plain", "BatchNorm"])
def test_a_step_of_a_centre_is_that_of_autograd_through_its_arms(name):
    feet, objective = states_of(name, 3), objective_of(name)
    problem = _problem(feet, rl.StarFinding(descent=SHORT), 0)
    found, batch, rows = one_step(problem, objective, positions=4)
    model = made(NETWORKS[name][0], 9)
    _, wanted = slopes(model, problem.points, problem.free, rows, batch)
    for n, gradient in wanted[3].items():
        moved = problem.points[3][n] - found.points[3][n]
        torch.testing.assert_close(moved, gradient, rtol=1e-9, atol=1e-12)


def test_positions_of_one_foot_stand_together_and_rows_are_points_of_arms():
    by = rl.StarFinding(descent=rl.Descent(positions=3))
    rows = _problem(states_of("plain", 4), by, 0).rows(np.random.default_rng(0), 300)
    assert np.allclose(rows.sum(1), 1)
    at = rows[:, :4].argmax(1).reshape(-1, 3)
    assert (at == at[:, :1]).all()
    assert set(at[:, 0]) == {0, 1, 2, 3}
    assert ((rows[:, :4] > 0).sum(1) <= 1).all()


@pytest.mark.parametrize(
    ("law", "mean", "spread"),
    [("uniform", 0.5, 12**-0.5), ("beta", 0.5, 20**-0.5), ("constant", 0.5, 0)],
)
def test_shares_of_the_centre_follow_their_law(law, mean, spread):
    shares = rl.StarFinding(sampling=law).shares(np.random.default_rng(0), 20000)
    assert shares.mean() == pytest.approx(mean, abs=0.01)
    assert shares.std() == pytest.approx(spread, abs=0.01)


def test_a_centre_starts_at_the_mean_at_the_first_foot_or_at_noise():
    feet = states_of("BatchNorm", 3)
    starts = {s: rl.StarFinding(start=s).begin(feet) for s in ("mean", "foot", "random")}
    mean = rl.state.mean(feet)
    assert all(torch.equal(x, mean[n]) for n, x in starts["mean"].items())
    assert all(torch.equal(x, feet[0][n]) for n, x in starts["foot"].items())
    assert torch.equal(starts["random"]["1.weight"], mean["1.weight"])
    weight = starts["random"]["4.weight"]
    assert not torch.equal(weight, mean["4.weight"])
    assert float(weight.std()) == pytest.approx(float(feet[0]["4.weight"].std()), rel=0.3)


def test_the_feet_of_a_star_stay_bit_for_bit_and_its_arms_end_at_the_centre():
    feet = states_of("BatchNorm", 3)
    found = rl.star(feet, objective_of("BatchNorm"), by=rl.StarFinding(descent=SHORT))
    for i, foot in enumerate(feet):
        line = found.arm(i)
        assert all(torch.equal(x, foot[n]) for n, x in line(0.0).items())
        assert all(torch.equal(x, found.centre[n]) for n, x in line(1.0).items())
    there = rl.state.distance(feet[0], found.centre) + rl.state.distance(found.centre, feet[1])
    assert found.stretch(0, 1) == pytest.approx(there / rl.state.distance(feet[0], feet[1]))
    assert "as given" in str(found)


def test_feet_are_carried_to_the_first_by_a_symmetry_if_one_is_given():
    a, _ = states_of("plain")
    model = made(NETWORKS["plain"][0], 9).double()
    symmetry = rl.symmetries(model, torch.randn(4, 5, dtype=torch.float64))
    b = permuted(a, ["0", "2"], seed=1)
    found = rl.star(
        [a, b], objective_of("plain"), by=rl.StarFinding(descent=SHORT), symmetry=symmetry
    )
    assert rl.state.distance(found.feet[0], found.feet[1]) == pytest.approx(0, abs=1e-9)
    assert found.aligned


def test_held_out_states_are_measured_beside_the_feet():
    feet = states_of("plain", 4)
    objective = objective_of("plain")
    found = rl.star(feet[:2], objective, by=rl.StarFinding(descent=SHORT))
    tested = rl.star_domain(found, feet[2:], objective, points=5)
    wanted = [rl.profile(rl.Line(x, found.centre), objective, points=5) for x in feet]
    heights = [p.barrier().height for p in wanted]
    assert tested.barriers() == {
        "feet": pytest.approx(heights[:2]),
        "held_out": pytest.approx(heights[2:]),
    }
    mean, error = tested.difference()
    assert mean == pytest.approx(np.mean(heights[2:]) - np.mean(heights[:2]))
    spread = sum(np.var(x, ddof=1) / 2 for x in (heights[:2], heights[2:]))
    assert error == pytest.approx(spread**0.5)


def test_one_foot_is_no_star():
    with pytest.raises(UsageError, match=r"two feet at least.*Got 1.*rl\.star\(\[a, b, c\]"):
        rl.star(states_of("plain", 1), objective_of("plain"))


def test_feet_that_do_not_fit_or_are_not_finite_are_refused():
    a, b = states_of("plain")
    with pytest.raises(StateMismatch, match=r"0\.weight"):
        rl.star([a, b | {"0.weight": torch.zeros(3, 3).double()}], objective_of("plain"))
    with pytest.raises(NonFinite, match=r"0\.bias"):
        rl.star([a, b | {"0.bias": torch.full((7,), torch.nan).double()}], objective_of("plain"))


def test_choices_that_are_not_known_are_refused():
    with pytest.raises(UnknownName, match="start of a centre"):
        rl.StarFinding(start="nowhere")
    with pytest.raises(UnknownName, match="law of positions"):
        rl.StarFinding(sampling="normal")
    with pytest.raises(UsageError, match="`feet` is a whole number from 1"):
        rl.StarFinding(feet=0)
