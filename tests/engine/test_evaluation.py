"""One objective at K states: orders of samples, chunks, stopping, and what is told."""

import numpy as np
import pytest
import torch
from torch import nn

import ridgeline as rl
from ridgeline.engine import evaluate, outputs_at
from ridgeline.engine.evaluation import _chunks, _joined, _strata, sample_order
from ridgeline.errors import ForwardFailed, UsageError
from ridgeline.objective import Objective
from ridgeline.paths import Line, Power

X, Y = torch.randn(600, 3, generator=torch.Generator().manual_seed(0)), torch.arange(600) % 2


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(3, 3), nn.Linear(3, 3)
        self.two.weight = self.one.weight

    def forward(self, x):
        return self.two(self.one(x))


def work(points=3, **options):
    torch.manual_seed(0)
    net = nn.Linear(3, 2).double()
    a = rl.state.capture(net)
    b = {n: torch.randn_like(x) for n, x in a.items()}
    t = np.linspace(0, 1, points)
    return Objective(net, (X, Y), dtype=torch.float64, **options), Line(a, b).combination(t)


def by_loop(objective, combination):
    return torch.stack([objective(combination.state(k))["loss"] for k in range(len(combination))])


def test_means_and_covariances_are_those_of_a_loop():
    objective, combination = work(rows=100)
    found = evaluate(objective, combination)
    values = by_loop(objective, combination).numpy()
    np.testing.assert_allclose(found.moments["loss"].mean, values.mean(1))
    np.testing.assert_allclose(found.moments["loss"].covariance, np.cov(values), rtol=1e-9)
    assert (found.samples, found.evaluations, found.stopped) == (600, 1800, "")
    assert found.seconds > 0 and found.choice.rows == 100


def test_states_beside_come_after_and_are_paired():
    objective, combination = work()
    beside = combination.take([1])
    found = evaluate(objective, combination, beside=beside)
    mean, covariance = found.moments["loss"].mean, found.moments["loss"].covariance
    assert len(mean) == 4 and mean[3] == pytest.approx(mean[1], rel=1e-12)
    assert covariance[1, 3] == pytest.approx(covariance[1, 1]) and found.evaluations == 2400


def test_it_stops_where_it_is_enough_and_says_so():
    objective, combination = work()
    seen = []
    found = evaluate(objective, combination, enough=lambda m, n: seen.append(n) or n > 300)
    assert found.stopped == "precise enough" and seen == [256, 512]
    assert found.moments["loss"].n == 512 and found.evaluations == 3 * 512


def test_it_is_not_asked_after_the_last_sample():
    objective, combination = work(rows=600)
    assert evaluate(objective, combination, interrupted=lambda: True).stopped == ""
    objective, combination = work(rows=300)
    found = evaluate(objective, combination, interrupted=lambda: True)
    assert found.stopped == "interrupted" and found.moments["loss"].n == 300


def test_progress_counts_samples():
    objective, combination = work(rows=250)
    told = []
    evaluate(objective, combination, progress=lambda *a: told.append(a))
    assert told == [("samples", 250, 600), ("samples", 500, 600), ("samples", 600, 600)]


@pytest.mark.parametrize(
    ("places", "said"), [(None, "position 1 of 3"), (["t = 0", "half", "t = 1"], "half")]
)
def test_a_failure_names_its_place_and_samples(places, said):
    def loss(outputs, targets):
        if len(targets) == 200 and float(outputs.mean()) > 0.2:
            raise ValueError("mine")
        return outputs[:, 0]

    net = nn.Linear(1, 1, bias=False)
    objective = Objective(net, (torch.ones(400, 1), torch.zeros(400)), loss=loss, rows=200)
    path = Line({"weight": torch.zeros(1, 1)}, {"weight": torch.ones(1, 1)})
    with pytest.raises(ForwardFailed, match=f"evaluating {said} on samples 0 to 200"):
        evaluate(objective, path.combination([0, 0.5, 1]), strategy="loop", places=places)


def test_names_of_one_tensor_must_move_together():
    net = Tied()
    a = {n: x.clone() for n, x in net.state_dict().items()}
    b = {n: x + 1 for n, x in a.items()}
    objective = Objective(net, (X, Y))
    apart = Line(a, b, rates={"one.weight": Power(2)}).combination([0, 0.5, 1])
    with pytest.raises(UsageError, match="must move together") as caught:
        evaluate(objective, apart)
    assert caught.value.got == "'one.weight' and 'two.weight' at different rates"
    evaluate(objective, Line(a, b).combination([0, 1]))


@pytest.mark.parametrize(
    ("targets", "want"),
    [
        (torch.tensor([5, 9, 5]), [0, 1, 0]),
        (torch.tensor([5, 5]), None),
        (torch.tensor([0.0, 1.0]), None),
        (torch.tensor([[0], [1]]), None),
        (torch.arange(1001), None),
        ({"y": torch.tensor([0, 1])}, None),
    ],
)
def test_strata_are_classes(targets, want):
    found = _strata(targets)
    assert (None if found is None else found.tolist()) == want
    assert len(_strata(torch.arange(1000)).unique()) == 1000


def test_an_order_holds_each_sample_once_and_is_its_seeds():
    order = sample_order(50, 3, None)
    assert sorted(order.tolist()) == list(range(50))
    assert torch.equal(order, sample_order(50, 3, None))
    assert not torch.equal(order, sample_order(50, 4, None))


def test_every_beginning_has_the_shares_of_the_classes():
    strata = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)
    order = sample_order(100, 0, strata)
    assert sorted(order.tolist()) == list(range(100))
    for n in range(1, 101):
        counts = torch.bincount(strata[order[:n]], minlength=3)
        assert (counts - n * torch.tensor([0.6, 0.3, 0.1])).abs().max() < 1.6


@pytest.mark.parametrize(
    ("count", "rows", "growing", "sizes"),
    [(10, 4, False, [4, 4, 2]), (2000, 1500, True, [256, 256, 256, 256, 256, 320, 400]),
     (300, 100, True, [100, 100, 100])],
)  # fmt: skip
def test_chunks_grow_where_the_end_may_be_any(count, rows, growing, sizes):
    found = [len(c) for c in _chunks(torch.arange(count), rows, growing)]
    assert found == sizes and sum(found) == count


def test_weights_of_one_side_are_ones_on_the_other():
    x, y, w = torch.zeros(2, 3), torch.ones(1, 3), torch.full((1, 3), 0.5)
    values, weights = _joined((x, None), (y, w))
    assert values.tolist() == [[0] * 3, [0] * 3, [1] * 3]
    assert weights.tolist() == [[1] * 3, [1] * 3, [0.5] * 3]
    assert _joined((x, None), (y, None))[1] is None
    assert _joined((y, w), (x, None))[1].tolist() == [[0.5] * 3, [1] * 3, [1] * 3]


def test_outputs_along_a_path_are_of_the_same_first_samples():
    objective, combination = work()
    found = outputs_at(objective, combination, samples=5)
    rows = sample_order(600, 0, None)[:5]
    for k in range(3):
        state = combination.state(k)
        want = X[rows].double() @ state["weight"].double().T + state["bias"].double()
        assert torch.allclose(found[k], want)
    assert found.dtype is torch.float64 and found.shape == (3, 5, 2)
    assert outputs_at(*work(points=2)).shape == (2, 256, 2)


def test_outputs_that_are_no_tensor_have_no_curve():
    class Several(nn.Linear):
        def forward(self, x):
            return {"a": super().forward(x), "b": x}

    net = Several(3, 2)
    objective = Objective(net, (X, Y), loss=lambda o, t: o["a"][:, 0], metrics={})
    state = rl.state.capture(net)
    with pytest.raises(UsageError, match=r"Outputs must be one tensor\. Got dict"):
        outputs_at(objective, Line(state, {n: x + 1 for n, x in state.items()}).combination([0.5]))
