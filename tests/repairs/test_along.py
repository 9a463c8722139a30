"""Repair along a path, and of single states."""

from types import SimpleNamespace

import pytest
import torch

from repairs.networks import Normalised, mlp, objective, spread
from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.paths import Line
from ridgeline.repairs import Repair
from ridgeline.repairs.along import (
    _constant,
    along,
    check_one_network,
    midpoint,
    repaired,
    repaired_among,
)

X = torch.randn(24, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def parts():
    model = mlp(4, 6, 3)
    return objective(model, X), spread(model, 1), spread(model, 2)


def test_the_midpoint_is_plain_unless_a_repair_is_asked_for(parts):
    goal, a, b = parts
    plain = midpoint(a, b)
    assert all(torch.equal(x, states.lerp(a, b, 0.5)[n]) for n, x in plain.items())
    mended = midpoint(a, b, goal, repair=Repair())
    want = repaired(plain, a, b, 0.5, goal)
    assert all(torch.equal(x, want[n]) for n, x in mended.items())
    assert not torch.equal(mended["0.weight"], plain["0.weight"])


def test_a_repair_needs_the_objective(parts):
    with pytest.raises(UsageError, match=r"A repair runs the network\. Got none") as caught:
        midpoint(parts[1], parts[2], repair=Repair())
    assert caught.value.remedy == "Give the objective as well."


def test_along_a_line_each_position_is_the_repaired_state(parts):
    goal, a, b = parts
    t = [0.0, 0.25, 0.5, 1.0]
    path = Line(a, b)
    combination = path.combination(t)
    found, about = along(Repair(), path, t, combination, goal)
    for k, s in enumerate(t):
        want = repaired(combination.state(k), a, b, s, goal)
        for name, tensor in found.items():
            assert torch.allclose(tensor[k], want[name], atol=1e-12)
    assert about["kind"] == "forward" and about["constant"] == {}


def test_shares_of_two_ends_are_a_position(parts):
    goal, a, b = parts
    middle = states.lerp(a, b, 0.25)
    one = repaired(middle, a, b, 0.25, goal)
    other = repaired_among(middle, [a, b], [3, 1], goal)
    assert all(torch.allclose(x, other[n]) for n, x in one.items())


def test_the_repair_that_is_given_is_taken(parts):
    goal, a, b = parts
    middle = states.lerp(a, b, 0.5)
    some = repaired(middle, a, b, 0.5, goal, Repair(at="0"))
    assert torch.equal(some["2.weight"], middle["2.weight"])
    assert not torch.equal(some["0.weight"], middle["0.weight"])


def test_statistics_are_set_at_all_positions():
    model = Normalised()
    goal = objective(model, torch.randn(16, 2, 6, 6, dtype=torch.float64))
    a, b = spread(model, 1), spread(model, 2)
    path, t = Line(a, b), [0.0, 0.5, 1.0]
    found, _ = along(Repair(), path, t, path.combination(t), goal)
    names = [n for n in found if "running" in n]
    assert names and all(found[n][0].shape == found[n][1].shape for n in names)


def layer(weight, constant):
    return SimpleNamespace(site=SimpleNamespace(weight=weight), constant=constant)


def test_constant_channels_of_all_positions_are_told_once():
    given = [
        SimpleNamespace(layers=[layer("w", (2, 0)), layer("v", ())]),
        SimpleNamespace(layers=[layer("w", (2, 5))]),
    ]
    assert _constant(given) == {"w": [0, 2, 5]}


def goal(data):
    return SimpleNamespace(
        calibration_data=None if data is None else SimpleNamespace(fingerprint=lambda: data)
    )


def test_splits_are_of_one_repaired_network():
    check_one_network(Repair(), {"train": goal(None)})
    check_one_network(Repair(data=X), {"train": goal(None), "test": goal(None)})
    check_one_network(Repair(), {"train": goal("x"), "test": goal("x")})
    for other in (None, "y"):
        with pytest.raises(UsageError, match="measured on one repaired network") as caught:
            check_one_network(Repair(), {"train": goal("x"), "test": goal(other)})
        assert caught.value.got == "splits train, test and a repair without data"
