"""Losses and slopes of pivots on a batch: in a loop, in a stack, and by plain autograd."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ridgeline as rl
from ridgeline.connecting.layout import Layout
from ridgeline.connecting.pivots import Pivots
from ridgeline.objective import Samples

X = torch.randn(12, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
Y = torch.arange(12) % 3
WORDS = torch.arange(36).reshape(12, 3) % 7


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inputs, self.outputs = nn.Embedding(7, 4), nn.Linear(4, 7, bias=False)
        self.outputs.weight = self.inputs.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.outputs(torch.tanh(self.inputs(x)))


class Scaled(nn.Module):
    """Its scale is a tensor without an axis."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.inner = nn.Parameter(torch.tensor(2.0)), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * self.inner(x)


def dropping() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 4), nn.Dropout(0.5), nn.ReLU(), nn.Linear(4, 3))


def convolving() -> nn.Module:
    layers = (nn.Unflatten(1, (1, 5)), nn.Conv1d(1, 2, 3), nn.LayerNorm(3), nn.Tanh())
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(6, 3))


def normalising() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))


def recurrent() -> nn.Module:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cells, self.head = nn.LSTM(1, 4, batch_first=True), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.cells(x[..., None])[0][:, -1])

    return Last()


CASES: dict[str, tuple[Any, Tensor, Tensor]] = {
    "dropout": (dropping, X, Y),
    "convolution": (convolving, X, Y),
    "batch normalisation": (normalising, X, Y),
    "recurrent": (recurrent, X, Y),
    "tied": (Tied, WORDS, WORDS.roll(1, 1).masked_fill(WORDS == 2, -100)),
    "no axis": (Scaled, X, Y),
}


def networks(make: Any) -> list[nn.Module]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return [make().double() for _ in range(3)]


@pytest.mark.parametrize("evaluation", ["loop", "stacked"])
@pytest.mark.parametrize("case", CASES)
def test_slopes_are_those_of_autograd_at_each_pivot(case, evaluation):
    make, x, y = CASES[case]
    a, b, model = networks(make)
    goal = rl.Objective(model, (x, y), loss=rl.cross_entropy)
    line = rl.Line(a.state_dict(), b.state_dict())
    layout = Layout(goal, (line.a, line.b))
    pivots = Pivots(layout, line, evaluation)
    rows = torch.lerp(*layout.matrix()[:, None], torch.tensor([[0.25], [0.5]]).double())
    losses, slopes = pivots.slopes(rows, goal.samples[torch.arange(3, 11)])
    for k, t in enumerate((0.25, 0.5)):
        net = make().double()
        net.load_state_dict(pivots.state(rows[k], t))
        net.train(case == "batch normalisation")
        outputs = net(x[3:11])
        each = F.cross_entropy(outputs.flatten(0, -2), y[3:11].flatten(), reduction="none")
        each, held = (v.reshape(8, -1) for v in (each, (y[3:11] != -100).double()))
        loss = (each.sum(1) / held.sum(1)).mean()
        loss.backward()
        wanted = torch.cat([p.grad.reshape(-1) for p in net.parameters()])
        torch.testing.assert_close(losses[k], loss.detach(), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(slopes[k], wanted, rtol=1e-9, atol=1e-11)


def test_a_network_that_goes_through_no_stack_is_evaluated_in_a_loop():
    a, b, model = networks(normalising)
    goal = rl.Objective(model, (X, Y))
    line = rl.Line(a.state_dict(), b.state_dict())
    layout = Layout(goal, (line.a, line.b))
    pivots = Pivots(layout, line, "stacked")
    pivots.slopes(layout.matrix(), goal.samples)
    assert pivots.stacked == {2: False}


def test_ends_are_evaluated_once_and_their_losses_are_of_the_batch():
    a, b, model = networks(dropping)
    goal = rl.Objective(model, (X, Y))
    line = rl.Line(a.state_dict(), b.state_dict())
    pivots = Pivots(Layout(goal, (line.a, line.b)), line)
    order = torch.tensor([1, 5, 7])
    found = pivots.ends(order)
    for k, net in enumerate((a, b)):
        torch.testing.assert_close(found[k], F.cross_entropy(net.eval()(X[order]), Y[order]))
    assert isinstance(goal.samples, Samples)
    goal.samples = goal.samples[:1]  # not looked at again
    torch.testing.assert_close(pivots.ends(order), found)
