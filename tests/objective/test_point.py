"""A state whose tensors are leaves."""

import pytest
import torch
from torch import nn

import ridgeline as rl
from ridgeline.errors import UsageError
from ridgeline.objective.point import Point, accumulate, gradients


def made(**more):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    x = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    return net, rl.Objective(net, (x, torch.arange(6) % 2), **{"rows": 4, **more})


def test_leaves_are_copies_of_the_coordinates_in_the_states_order():
    net, objective = made()
    state = net.state_dict()
    point = Point(objective, state)
    assert point.names == ["0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"]
    for name, leaf in zip(point.names, point.leaves, strict=True):
        assert leaf.requires_grad and leaf.is_leaf
        assert torch.equal(leaf.detach(), state[name])
        assert leaf.data_ptr() != state[name].data_ptr()
    placed = point.placed()
    assert placed["0.bias"] is point.leaves[1]
    assert set(placed) == set(state)


def test_statistics_are_recomputed_on_all_data_or_on_the_batch():
    net, objective = made()
    first = nn.functional.linear(objective.samples.inputs, net[0].weight, net[0].bias).detach()
    for batch, rows in ((None, slice(None)), (objective.samples[:3], slice(0, 3))):
        point = Point(objective, net.state_dict(), batch=batch)
        torch.testing.assert_close(point.tensors["1.running_mean"], first[rows].mean(0))
        assert sum(len(part) for part in point.chunks()) == len(first[rows])
    kept = Point(made(statistics="keep")[1], net.state_dict())
    assert torch.equal(kept.tensors["1.running_mean"], torch.zeros(3))


def test_chunks_are_of_the_objectives_rows_or_of_those_asked_for():
    net, objective = made()
    point = Point(objective, net.state_dict())
    assert [len(part) for part in point.chunks()] == [4, 2]
    assert [len(part) for part in point.chunks(5)] == [5, 1]
    seen = []
    point.visit("here", lambda part: seen.append((len(part.samples), torch.is_grad_enabled())))
    assert seen == [(4, True), (2, True)]


def test_values_of_leaves_are_given_by_name_in_the_states_types():
    net, objective = made()
    point = Point(objective, net.state_dict(), names=["2.bias", "2.weight"])
    wide = [x.detach().double() + 1 for x in point.leaves]
    found = point.state_of(wide)
    assert list(found) == ["2.weight", "2.bias"]
    assert found["2.bias"].dtype == torch.float32
    torch.testing.assert_close(found["2.bias"], net[2].bias.detach() + 1)
    assert all(not x.any() and x.dtype == torch.float64 for x in point.zeros())


def test_derivatives_are_zero_by_what_a_number_does_not_depend_on():
    x, y = (torch.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    dx, dy = gradients((x**3).sum(), [x, y], again=True)
    assert dy.tolist() == [0, 0]
    assert dx.tolist() == [3, 12]
    assert gradients(dx, [x], [torch.tensor([1.0, 1.0])])[0].tolist() == [6, 12]
    assert gradients(torch.tensor(1.0), [x])[0].tolist() == [0, 0]
    kept = (x * 2).sum()
    assert gradients(kept, [x], keep=True)[0].tolist() == gradients(kept, [x])[0].tolist()


def test_products_with_several_values_are_summed():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    along = [torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])]
    assert gradients([x * 2, x * 5], [x], along)[0].tolist() == [2, 5]
    sums = [torch.zeros(2, dtype=torch.float64)]
    accumulate(sums, [torch.ones(2)])
    accumulate(sums, [torch.ones(2)])
    assert sums[0].tolist() == [2, 2]


def test_a_model_in_the_place_of_an_objective_is_told():
    net, objective = made()
    with pytest.raises(UsageError, match=r"comes first, then the state.*of type Sequential"):
        Point(net, net.state_dict())
    with pytest.raises(UsageError, match=r"some of an objective's samples.*of type Tensor"):
        Point(objective, net.state_dict(), batch=torch.zeros(3))
