"""Fisher information and Gram matrices, against loops over samples and against hooks."""

import pytest
import torch
from torch import nn

import zoo
from ridgeline.errors import UnknownName, UsageError
from ridgeline.merging import Fisher, diagonal_fisher, merge
from ridgeline.objective import Objective
from ridgeline.objective.linear import LinearLayers
from ridgeline.objective.per_sample import PerSample
from ridgeline.objective.point import Point


def made(name, n=17, **options):
    model, data, a, b = zoo.build(name, n)
    objective = Objective(model.double(), data, dtype=torch.float64, **options)
    a, b = ({k: x.double() if x.is_floating_point() else x for k, x in s.items()} for s in (a, b))
    return model, objective, a, b


def slow_fisher(model, objective, state, labels):
    """One sample, one class and one backward pass at a time, by autograd."""
    model.load_state_dict(state)
    model.eval()
    total = {n: torch.zeros_like(p) for n, p in model.named_parameters()}
    inputs, targets = objective.samples.inputs, objective.samples.targets
    for i in range(len(inputs)):
        logp = model(inputs[i : i + 1]).log_softmax(-1)[0]
        classes = [int(targets[i])] if labels == "empirical" else range(len(logp))
        for c in classes:
            weight = 1.0 if labels == "empirical" else logp[c].detach().exp().item()
            grads = torch.autograd.grad(logp[c], list(model.parameters()), retain_graph=True)
            for n, g in zip(total, grads, strict=True):
                total[n] += weight * g**2 / len(inputs)
    return total


@pytest.mark.filterwarnings("ignore:Converting a tensor")  # the branching network's own
@pytest.mark.parametrize("labels", ["model", "empirical"])
@pytest.mark.parametrize("name", ["mlp", "cnn-batchnorm", "value-branch", "lstm"])
def test_the_fisher_diagonal_is_that_of_a_loop_over_samples(name, labels):
    model, objective, a, _ = made(name, statistics="keep")
    found = diagonal_fisher(objective, a, labels=labels)
    wanted = slow_fisher(model, objective, a, labels)
    assert set(found) == set(wanted)
    for n, x in wanted.items():
        torch.testing.assert_close(found[n], x, rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize("name", list(zoo.ZOO))
def test_products_of_squares_serve_networks_of_linear_layers_alone(name):
    _, objective, a, _ = made(name)
    point = Point(objective, a)
    found = LinearLayers.of(point)
    assert (found is not None) == (name in ("mlp", "residual"))
    if found is not None:
        mapped = PerSample(point)
        part, loss = objective.samples, objective.metrics["loss"]
        weight = torch.rand(len(part), dtype=torch.float64)
        found.forward(part)
        fast = found.squares(part, part.targets, weight, loss)
        for x, y in zip(fast, mapped.squares(part, part.targets, weight, loss), strict=True):
            torch.testing.assert_close(x, y, rtol=1e-9, atol=1e-14)


class Tokens(nn.Module):
    """Tokens flattened before the layers: more rows than samples."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 3)

    def forward(self, x):
        rows = self.last(self.first(x.reshape(-1, 3)).tanh())
        return rows.reshape(len(x), -1, 3).mean(1)


@pytest.mark.parametrize("tokens", [1, 2])
def test_rows_that_are_no_samples_are_left_to_the_plain_way(tokens):
    torch.manual_seed(0)
    model = Tokens().double()
    x, y = torch.randn(7, tokens, 3).double(), torch.arange(7) % 3
    objective = Objective(model, (x, y), dtype=torch.float64, rows=4)
    assert (LinearLayers.of(Point(objective, model.state_dict())) is None) == (tokens > 1)
    state = {n: v.clone() for n, v in model.state_dict().items()}
    for labels in ("model", "empirical"):
        found = diagonal_fisher(objective, state, labels=labels)
        for n, wanted in slow_fisher(model, objective, state, labels).items():
            torch.testing.assert_close(found[n], wanted, rtol=1e-8, atol=1e-14)


def test_a_weight_that_is_used_twice_is_left_to_the_plain_way():
    model = zoo.Mlp(4, 4, 4).double()
    model[2].weight = model[0].weight
    data = zoo.vectors(4, 4)(11, torch.Generator().manual_seed(0))
    objective = Objective(model, data, dtype=torch.float64)
    state = model.state_dict()
    found = diagonal_fisher(objective, state, labels="empirical")
    wanted = slow_fisher(model, objective, state, "empirical")
    for n, x in wanted.items():
        torch.testing.assert_close(found[n], x, rtol=1e-8, atol=1e-14)
    assert found["2.weight"] is found["0.weight"]
    again = diagonal_fisher(objective, state, labels="empirical")
    assert torch.equal(again["0.weight"], found["0.weight"])


def test_recomputed_statistics_are_used():
    model, objective, a, _ = made("cnn-batchnorm")
    fresh = objective.recomputed(objective.tensors(a))
    found = diagonal_fisher(objective, a, labels="empirical")
    wanted = slow_fisher(model, objective, a | fresh, "empirical")
    for n, x in wanted.items():
        torch.testing.assert_close(found[n], x, rtol=1e-8, atol=1e-14)


def test_drawn_labels_come_close_to_the_expectation_and_follow_the_seed():
    _, objective, a, _ = made("mlp", 2000)
    exact = diagonal_fisher(objective, a)
    drawn = diagonal_fisher(objective, a, labels="sampled", seed=1)
    total = sum(float(x.sum()) for x in exact.values())
    assert sum(float(x.sum()) for x in drawn.values()) == pytest.approx(total, rel=0.2)
    again = diagonal_fisher(objective, a, labels="sampled", seed=1)
    assert all(torch.equal(x, again[n]) for n, x in drawn.items())


def test_a_tied_weight_has_one_diagonal_and_merges():
    _, objective, a, b = made("transformer-tied", 5)
    with pytest.raises(UsageError, match="empirical"):
        diagonal_fisher(objective, a)
    fishers = [diagonal_fisher(objective, s, labels="empirical", samples=3) for s in (a, b)]
    found = merge([a, b], by=Fisher(fishers)).state
    assert all(torch.isfinite(x).all() for x in found.values())


def test_refusals():
    _, objective, a, _ = made("mlp")
    with pytest.raises(UnknownName, match="labels"):
        diagonal_fisher(objective, a, labels="true")  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(UsageError, match="one sample"):
        diagonal_fisher(objective, a, samples=0)


class Packed(nn.Module):
    """A recurrent layer over sequences of unlike lengths."""

    def __init__(self, kind):
        super().__init__()
        self.r, self.h = kind(3, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, x, n):
        packed = nn.utils.rnn.pack_padded_sequence(x, n, batch_first=True, enforce_sorted=False)
        last = self.r(packed)[1]
        return self.h((last[0] if isinstance(last, tuple) else last)[0])


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM, nn.RNN])
@pytest.mark.parametrize("labels", ["model", "empirical"])
def test_packed_sequences_are_looped_over(kind, labels):
    torch.manual_seed(0)
    net = Packed(kind).double()
    x, n, y = torch.randn(6, 5, 3).double(), torch.tensor([5, 3, 1, 4, 2, 5]), torch.arange(6) % 3
    objective = Objective(net, ((x, n), y), dtype=torch.float64)
    state = {k: v.detach().clone() for k, v in net.state_dict().items()}
    total = {k: torch.zeros_like(p) for k, p in net.named_parameters()}
    for i in range(6):
        logp = net(x[i : i + 1, : n[i]], n[i : i + 1]).log_softmax(-1)[0]
        for c in [int(y[i])] if labels == "empirical" else range(3):
            weight = 1.0 if labels == "empirical" else logp[c].detach().exp().item()
            grads = torch.autograd.grad(logp[c], list(net.parameters()), retain_graph=True)
            for k, g in zip(total, grads, strict=True):
                total[k] += weight * g**2 / 6
    found = diagonal_fisher(objective, state, labels=labels)
    for k, wanted in total.items():
        torch.testing.assert_close(found[k], wanted, rtol=1e-8, atol=1e-14)


def test_a_network_that_turns_derivatives_off_has_no_fisher_and_is_told_so():
    class Off(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.randn(3, 3))

        @torch.no_grad()
        def forward(self, x):
            return (x @ self.w).cumsum(-1)

    net = Off()
    state = {k: v.detach().clone() for k, v in net.state_dict().items()}
    objective = Objective(net, (torch.randn(4, 3), torch.zeros(4, dtype=torch.long)))
    with pytest.raises(UsageError, match=r"must have derivatives.*Got .*no_grad\(\)"):
        diagonal_fisher(objective, state)


def test_a_loss_with_class_weights_has_gradients():
    net, weight = nn.Linear(5, 4), torch.tensor([1.0, 2.0, 3.0, 4.0])
    x, y = torch.randn(9, 5), torch.arange(9) % 4
    objective = Objective(net, (x, y), loss=nn.CrossEntropyLoss(weight))
    plain = Objective(net, (x, y), loss=nn.CrossEntropyLoss())
    found, want = (
        diagonal_fisher(o, net.state_dict(), labels="empirical") for o in (objective, plain)
    )
    for name, x in found.items():  # a sample's own loss is not weighed, only its part in the mean
        torch.testing.assert_close(x, want[name])


@pytest.mark.parametrize("plain", [True, False])
def test_the_empirical_fisher_is_of_the_samples_that_count(plain):
    """Of sequences with padding, one of which has nothing else."""
    gen = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        norm = [nn.LayerNorm(6)] if plain else []
        net = nn.Sequential(nn.Linear(5, 6), *norm, nn.Linear(6, 4)).double()
    x = torch.randn(6, 7, 5, generator=gen, dtype=torch.float64)
    y = torch.randint(0, 4, (6, 7), generator=gen)
    y[0], y[1, 3:] = -100, -100
    objective = Objective(net, (x, y), dtype=torch.float64)
    found = diagonal_fisher(objective, net.state_dict(), labels="empirical")
    want = {name: torch.zeros_like(p) for name, p in net.named_parameters()}
    for i in range(1, 6):
        net.zero_grad()
        nn.functional.cross_entropy(net(x[i]), y[i]).backward()
        for name, p in net.named_parameters():
            want[name] += p.grad.square() / 5
    for name, expected in want.items():
        torch.testing.assert_close(found[name], expected)
