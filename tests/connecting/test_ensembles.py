"""Ensembles: averaged predictions against a plain loop."""

import pytest
import torch
from torch import nn

import ridgeline as rl
from connecting.networks import objective_of, states_of
from ridgeline.errors import UsageError


def test_probabilities_along_a_path_are_averaged():
    a, b = states_of("plain")
    objective = objective_of("plain", rows=7)
    found = rl.ensemble(rl.Bezier(a, rl.state.mean([a, b]), b), objective, points=4)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).double()
    x, y = objective.samples.inputs, objective.samples.targets
    outputs = []
    for t in (0, 1 / 3, 2 / 3, 1):
        model.load_state_dict(rl.Line(a, b)(t))
        outputs.append(model(x).detach())
    p = torch.stack([z.softmax(1) for z in outputs]).mean(0)
    each = -p[torch.arange(len(y)), y].log()
    assert found.values["loss"] == pytest.approx(float(each.mean()))
    assert found.stderr["loss"] == pytest.approx(float(each.std()) / len(y) ** 0.5)
    assert found.values["error"] == pytest.approx(float((p.argmax(1) != y).double().mean()))
    alone = [float(nn.functional.cross_entropy(z, y)) for z in outputs]
    assert found.members["loss"] == pytest.approx(alone)
    assert "mean of probabilities" in str(found)


def test_states_and_points_of_a_simplex_are_members_too():
    a, b = states_of("plain")
    objective = objective_of("plain")
    line = rl.Line(a, b)
    by_states = rl.ensemble([line(0.25), line(0.75)], objective)
    by_table = rl.ensemble(line.combination([0.25, 0.75]), objective)
    assert by_states.values == pytest.approx(by_table.values)


def test_of_one_logit_the_probability_is_averaged_and_else_the_outputs():
    model = nn.Linear(2, 1).double()
    a = rl.state.capture(model)
    b = {n: x + 1 for n, x in a.items()}
    x = torch.randn(9, 2, dtype=torch.float64)
    y = (torch.arange(9) % 2)[:, None].double()
    z = [(x @ s["weight"].T + s["bias"]) for s in (a, b)]
    binary = rl.Objective(model, (x, y), loss=rl.binary_cross_entropy)
    p = (z[0].sigmoid() + z[1].sigmoid()) / 2
    wanted = nn.functional.binary_cross_entropy(p, y)
    assert rl.ensemble([a, b], binary).values["loss"] == pytest.approx(float(wanted))
    squared = rl.Objective(model, (x, y), loss=rl.squared_error)
    found = rl.ensemble([a, b], squared)
    apart = rl.ensemble([rl.state.mean([a, b])], squared)
    assert found.averaged == "outputs"
    assert found.values["loss"] == pytest.approx(apart.values["loss"])


def test_statistics_are_each_members_own():
    a, b = states_of("BatchNorm")
    objective = objective_of("BatchNorm")
    found = rl.ensemble([a, b], objective)
    assert found.members["loss"] == pytest.approx(
        [float(objective(s)["loss"].mean()) for s in (a, b)]
    )


def test_an_ensemble_of_nothing_is_refused():
    with pytest.raises(UsageError, match="one member at least"):
        rl.ensemble([], objective_of("plain"))
