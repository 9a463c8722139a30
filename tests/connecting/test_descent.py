"""The trainer: its gradient, its snapshots, and what it does with a loss that runs away."""

import numpy as np
import pytest
import torch
from torch import nn

import ridgeline as rl
from connecting.networks import NETWORKS, made, objective_of, one_step, slopes, states_of
from ridgeline.connecting import Problem, descend
from ridgeline.connecting.curves import curve_problem
from ridgeline.errors import UsageError
from ridgeline.training import SGD, Adam, HeldThenLinear

close = {"rtol": 1e-9, "atol": 1e-12}


def any_rows(draws, count):
    """Coefficients of all signs, as outside of [0, 1], with the sum one."""
    rows = draws.normal(size=(count, 4))
    rows[:, 0] += 1 - rows.sum(1)
    return rows


def problem_of(kind, points):
    if kind == "free":
        paths = lambda p: (rl.Line(p[0], p[1]),)  # noqa: E731 (the paths are not what is tested)
        return Problem(points=(*points[:2], *points[:2]), free=(1, 3), rows=any_rows, paths=paths)
    return curve_problem(*points[:2], *kind)


@pytest.mark.parametrize(
    "kind", [("bezier", 1), ("bezier", 3), ("polygon", 1), ("polygon", 2), "free"]
)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_is_that_of_autograd_through_the_combination(kind, name):
    points, objective = states_of(name), objective_of(name)
    problem = problem_of(kind, points)
    found, batch, rows = one_step(problem, objective, positions=2, decay=0.01)
    model = made(NETWORKS[name][0], 9)
    loss, wanted = slopes(model, problem.points, problem.free, rows, batch, decay=0.01)
    assert found.losses == pytest.approx([loss], rel=1e-10)
    for j, held in wanted.items():
        for n, gradient in held.items():
            moved = problem.points[j][n] - found.points[j][n]
            torch.testing.assert_close(moved, gradient, **close)


def test_fixed_states_and_statistics_stay_as_they_are():
    a, b = states_of("BatchNorm")
    before = [{n: x.clone() for n, x in s.items()} for s in (a, b)]
    objective = objective_of("BatchNorm")
    modes = [m.training for m in objective.network.module.modules()]
    found, *_ = one_step(curve_problem(a, b, "bezier", 1), objective)
    for state, was, point in zip((a, b), before, (found.points[0], found.points[2]), strict=True):
        assert all(torch.equal(x, was[n]) and torch.equal(point[n], x) for n, x in state.items())
    half = rl.Line(a, b)(0.5)
    assert torch.equal(found.points[1]["1.running_mean"], half["1.running_mean"])
    assert [m.training for m in objective.network.module.modules()] == modes


def test_under_kept_statistics_a_step_uses_those_between_the_states():
    a, b = states_of("BatchNorm")
    for i, s in enumerate((a, b)):
        s["1.running_mean"] = torch.linspace(-1, 1, 4).double() * (i + 1)
        s["1.running_var"] = torch.linspace(1, 2, 4).double() + i
    objective = objective_of("BatchNorm", statistics="keep")
    problem = curve_problem(a, b, "bezier", 1)
    found, batch, rows = one_step(problem, objective)
    with torch.no_grad():
        at = {
            n: sum(c * p[n] for c, p in zip(rows[0], problem.points, strict=True))
            for n in a
            if a[n].is_floating_point()
        }
        outputs = torch.func.functional_call(
            made(NETWORKS["BatchNorm"][0], 9).double().eval(), at, (batch.inputs,)
        )
    wanted = nn.functional.cross_entropy(outputs, batch.targets)
    assert found.losses == pytest.approx([float(wanted)], rel=1e-10)


def test_names_of_one_tensor_stay_one():
    found, *_ = one_step(
        curve_problem(*states_of("transformer"), "bezier", 1), objective_of("transformer")
    )
    bend = found.points[1]
    assert bend["embed.weight"] is bend["head.weight"]


def test_what_is_frozen_and_alike_stays_and_what_is_frozen_and_differs_moves():
    model = made(NETWORKS["plain"][0], 0)
    model[0].weight.requires_grad_(False)
    model[0].bias.requires_grad_(False)
    a, b = states_of("plain")
    b["0.weight"] = a["0.weight"]
    objective = rl.Objective(model, (torch.randn(12, 5), torch.arange(12) % 3), dtype=torch.float64)
    bend = one_step(curve_problem(a, b, "bezier", 1), objective)[0].points[1]
    assert torch.equal(bend["0.weight"], a["0.weight"])
    assert not torch.equal(bend["0.bias"], rl.Line(a, b)(0.5)["0.bias"])


def test_vectors_of_spectral_normalisation_are_those_of_the_weight_at_the_point():
    build = lambda: nn.Sequential(  # noqa: E731 (one line, used twice)
        nn.utils.parametrizations.spectral_norm(nn.Linear(5, 3)), nn.Tanh()
    )
    a, b = (rl.state.cast(rl.state.capture(made(build, i)), torch.float64) for i in range(2))
    x, y = torch.randn(10, 5, dtype=torch.float64), torch.arange(10) % 3
    objective = rl.Objective(made(build, 2), (x, y), dtype=torch.float64)
    problem = curve_problem(a, b, "bezier", 1)
    found, batch, rows = one_step(problem, objective)
    key = "0.parametrizations.weight.original"
    weight = sum(c * p[key] for c, p in zip(rows[0], problem.points, strict=True))
    bias = sum(c * p["0.bias"] for c, p in zip(rows[0], problem.points, strict=True))
    unit = weight / torch.linalg.matrix_norm(weight, 2)
    wanted = nn.functional.cross_entropy(torch.tanh(batch.inputs @ unit.T + bias), batch.targets)
    assert found.losses == pytest.approx([float(wanted)], rel=1e-9)


def test_the_norm_of_a_step_is_clipped_over_all_states():
    points = states_of("plain")
    problem = curve_problem(*points, "polygon", 3)
    found, *_ = one_step(problem, objective_of("plain"), positions=4, clip=1e-3)
    moved = [
        (found.points[j][n] - problem.points[j][n]).square().sum()
        for j in (1, 2, 3)
        for n in points[0]
    ]
    assert float(sum(moved).sqrt()) == pytest.approx(1e-3, rel=1e-6)


class Killed(Exception):
    """In place of a signal."""


@pytest.mark.parametrize(
    ("name", "optimiser"),
    [
        ("BatchNorm", Adam(learning_rate=0.01)),
        ("transformer", SGD(learning_rate=0.1, momentum=0.9)),
    ],
    ids=["BatchNorm, Adam", "transformer, SGD"],
)
def test_killed_half_way_it_goes_on_to_the_same_bytes(tmp_path, name, optimiser):
    a, b = states_of(name)
    descent = rl.Descent(length="30it", batch_size=7, looks=3, positions=2, optimiser=optimiser)
    by = rl.CurveFinding(bends=2, descent=descent)

    def kill(_, done, __):
        if done >= 20:
            raise Killed

    whole = rl.connect(a, b, objective_of(name), by=by, seed=2)
    file = tmp_path / "curve.safetensors"
    with pytest.raises(Killed):
        rl.connect(a, b, objective_of(name), by=by, seed=2, keep=file, progress=kill)
    told = []
    tell = lambda _, done, __: told.append(done)  # noqa: E731 (a list's method takes one)
    again = rl.connect(a, b, objective_of(name), by=by, seed=2, keep=file, progress=tell)
    assert min(told) == 10
    for p, q in zip(whole.path.points, again.path.points, strict=True):
        assert all(torch.equal(x, q[n]) for n, x in p.items())
    assert np.array_equal(whole.losses, again.losses)
    assert whole.looks == again.looks
    assert [p.name for p in tmp_path.iterdir()] == ["curve.safetensors"]


def test_a_snapshot_of_something_else_is_refused(tmp_path):
    a, b = states_of("plain")
    file = tmp_path / "curve.safetensors"
    by = rl.CurveFinding(descent=rl.Descent(length="2it", looks=1))
    rl.connect(a, b, objective_of("plain"), by=by, keep=file)
    with pytest.raises(UsageError, match=r"same ends, data, numbers and seed.*curve\.safetensors"):
        rl.connect(a, b, objective_of("plain"), by=by, keep=file, seed=1)


def test_a_run_that_diverges_is_told_and_the_last_good_state_kept():
    build = lambda: nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3))  # noqa: E731
    a, b = (rl.state.capture(made(build, seed)) for seed in range(2))
    objective = rl.Objective(made(build, 2), (torch.randn(12, 5), torch.arange(12) % 3))
    wild = rl.Descent(length="40it", looks=4, optimiser=SGD(learning_rate=1e20))
    found = rl.connect(a, b, objective, by=rl.CurveFinding(descent=wild))
    assert found.diverged is not None
    assert found.steps <= found.diverged
    assert np.isfinite(found.after)
    assert all(bool(x.isfinite().all()) for x in found.path.points[1].values())
    assert f"ceased to be finite at step {found.diverged}" in str(found)


def test_the_schedule_of_the_paper_is_held_then_falls_and_is_held_again():
    factor = [HeldThenLinear().factor(s, 100, 1) for s in (0, 50, 70, 90, 99)]
    assert factor == pytest.approx([1, 1, 0.505, 0.01, 0.01])


def test_descend_takes_the_same_steps_whatever_else_is_drawn():
    a, b = states_of("plain")
    problem = curve_problem(a, b, "bezier", 1)
    by = rl.Descent(length="70it", looks=2)
    first = descend(problem, objective_of("plain"), by)
    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    second = descend(problem, objective_of("plain"), by)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(x, second.points[1][n]) for n, x in first.points[1].items())
