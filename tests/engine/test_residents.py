"""The one working copy of a state, moved from position to position."""

import pytest
import torch
from torch import nn

import ridgeline as rl
from ridgeline.engine.residents import Resident, gather_statistics
from ridgeline.objective import Objective
from ridgeline.paths import Line

X, Y = torch.randn(12, 3, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 2


def made(dtype=torch.float64, statistics="keep"):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    objective = Objective(net, (X, Y), dtype=dtype, statistics=statistics)
    a = rl.state.capture(net)
    b = {n: x + 1 for n, x in a.items()}
    b["2.bias"] = a["2.bias"]
    return objective, Line(a, b).combination([0.0, 0.25, 1.0]), a, b


@pytest.fixture(scope="module")
def parts():
    return made()


def test_only_what_moves_is_moved(parts):
    objective, combination, _, _ = parts
    resident = Resident(objective, combination, {})
    assert "2.bias" not in resident.moving and "0.weight" in resident.moving
    assert resident.tensors["2.bias"].dtype is torch.float64


def test_at_a_position_are_its_tensors_in_place(parts):
    objective, combination, a, _ = parts
    resident = Resident(objective, combination, {})
    before = resident.move(0)["0.weight"]
    after = resident.move(1)["0.weight"]
    assert before is after and after.dtype is torch.float64
    assert torch.allclose(after, a["0.weight"].double() + 0.25)


def test_some_names_alone_may_be_moved(parts):
    objective, combination, a, b = parts
    resident = Resident(objective, combination, {})
    resident.move(0)
    resident.move(2, ["0.bias"])
    assert torch.equal(resident.tensors["0.bias"], b["0.bias"].double())
    assert torch.equal(resident.tensors["0.weight"], a["0.weight"].double())


def test_what_overrides_comes_first(parts):
    objective, combination, _, _ = parts
    given = torch.arange(6.0).reshape(3, 2)
    resident = Resident(objective, combination, {"2.bias": given})
    assert resident.move(2)["2.bias"].tolist() == [4.0, 5.0]


def test_labels_are_those_of_the_nearest_state():
    class Counting(nn.Linear):
        def __init__(self):
            super().__init__(3, 2)
            self.register_buffer("count", torch.tensor(1))

        def forward(self, x):
            return super().forward(x) * self.count

    net = Counting()
    a = rl.state.capture(net)
    b = {n: x + 4 for n, x in a.items()}
    resident = Resident(Objective(net, (X, Y)), Line(a, b).combination([0.2, 0.8]), {})
    assert [int(resident.move(k)["count"]) for k in (0, 1)] == [1, 5]
    assert resident.tensors["count"].dtype is torch.int64


def test_positions_are_stacked_in_the_order_asked_for(parts):
    objective, combination, a, b = parts
    found = Resident(objective, combination, {}).stack(["0.bias"], [2, 0])
    assert list(found) == ["0.bias"] and found["0.bias"].shape == (2, 4)
    assert torch.equal(found["0.bias"], torch.stack([b["0.bias"], a["0.bias"]]).double())


def test_statistics_that_are_kept_are_not_gathered(parts):
    assert gather_statistics(*parts[:2]) == {}


def test_statistics_are_those_of_each_positions_weights():
    objective, combination, a, b = made(statistics="recompute")
    found = gather_statistics(objective, combination)
    for k, end in ((0, a), (2, b)):
        hidden = torch.nn.functional.linear(
            X.double(), end["0.weight"].double(), end["0.bias"].double()
        )
        assert torch.allclose(found["1.running_mean"][k], hidden.mean(0))
    assert len(found["1.running_var"]) == 3


def test_statistics_follow_what_overrides():
    objective, combination, _, _ = made(statistics="recompute")
    given = torch.zeros(3, 4, 3)
    found = gather_statistics(objective, combination, {"0.weight": given})
    bias = torch.stack([combination.tensor("0.bias", k).double() for k in range(3)])
    assert torch.allclose(found["1.running_mean"], bias)
