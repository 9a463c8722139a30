"""Every strategy gives what the obvious loop gives, on every kind of network."""

import copy

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import zoo
from ridgeline.engine import evaluate
from ridgeline.errors import ForwardFailed, NotTraceable, StateMismatch, UnknownName
from ridgeline.graph.looping import looping_quietly
from ridgeline.objective import Objective
from ridgeline.paths import (
    Bezier,
    Line,
    Plane,
    Polygon,
    Power,
    TwoPowers,
    homogeneous_biases,
)
from ridgeline.state import layers

NAMES = list(zoo.ZOO)
FAST = ("loop", "batched", "shared", "shared+batched", "auto")
# What cannot be done at all, and why; anything else must be.
IMPOSSIBLE = {
    ("value-branch", "batched"),
    ("value-branch", "shared"),
    ("value-branch", "shared+batched"),
    ("lstm", "batched"),  # the recurrent kernel has no rule for stacked weights
    ("lstm", "shared"),  # its one operation on data is general, nothing before it is shared
    ("lstm", "shared+batched"),
}


def slow(model, combination, data, *, recompute):
    """Per-sample losses by the book: a deep copy per position, float64, one batch at a time."""
    inputs, targets = data
    wide = lambda x: x.double() if x.is_floating_point() else x  # noqa: E731 (a name for a short function that is read in place)
    found = []
    for k in range(len(combination)):
        net = copy.deepcopy(model).double()
        state = {}
        for name in combination.basis[0]:
            row = combination.table(name)[k]
            tensors = [basis[name] for basis in combination.basis]
            if tensors[0].is_floating_point():
                state[name] = sum(c * x.double() for c, x in zip(row, tensors, strict=True))
            else:
                state[name] = tensors[len(row) - 1 - int(np.argmax(row[::-1]))]
        net.load_state_dict(state)

        def call(x, net=net):
            return net(**x) if isinstance(x, dict) else net(x)

        x = {k: wide(v) for k, v in inputs.items()} if isinstance(inputs, dict) else wide(inputs)
        norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        if norms and recompute:
            net.eval()
            for m in norms:
                m.reset_running_stats()
                m.momentum = None
                m.train()
            with torch.no_grad():
                call(x)
        net.eval()
        losses = []
        with torch.no_grad():
            for i in range(len(targets)):
                one = (
                    {k: v[i : i + 1] for k, v in x.items()} if isinstance(x, dict) else x[i : i + 1]
                )
                out = call(one)
                out = out["logits"] if isinstance(out, dict) else out
                log_p = torch.log_softmax(out[0], -1)
                y = targets[i]
                losses.append(-(log_p[y] if y.ndim == 0 else log_p.gather(-1, y[:, None]).mean()))
        found.append(torch.stack(losses))
    return torch.stack(found).numpy()


def paths(a, b, draw):
    c = {k: x + 0.3 if x.is_floating_point() else x for k, x in a.items()}
    bias = next((n for n in reversed(a) if n.endswith("bias")), None)
    layer = next(iter(layers(a)))
    grid = np.linspace(0, 1, 6)
    yield "line", Line(a, b).combination(grid)
    yield "layer", Line(a, b, layers=[layer]).combination(grid)
    if bias:
        yield "rates", Line(a, b, rates={bias: Power(3)}).combination(grid)
    yield "polygon", Polygon(a, c, b).combination(grid)
    yield "bezier", Bezier(a, c, b).combination(grid)
    yield "plane", Plane(a, b, c).combination([[0, 0], [0.4, 0.7], [2, -1], [1.3, 0.2], [0, 0.5]])


@pytest.mark.parametrize("strategy", FAST)
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n == "resnet20" else ()) for n in NAMES]
)
def test_moments_equal_the_slow_reference_in_float64(name, strategy):
    model, data, a, b = zoo.build(name)
    objective = Objective(model, data, dtype=torch.float64, rows=16)  # an unequal last chunk
    for label, combination in paths(a, b, None):
        expected = slow(model, combination, data, recompute=True)
        try:
            found = evaluate(objective, combination, strategy=strategy)
        except (NotTraceable, RuntimeError, ForwardFailed):
            assert (name, strategy) in IMPOSSIBLE or label == "layer", (name, strategy, label)
            continue
        moments = found.moments["loss"]
        np.testing.assert_allclose(moments.mean, expected.mean(1), rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(moments.covariance, np.cov(expected), rtol=1e-7, atol=1e-9)
        assert moments.n == len(data[1])


@pytest.mark.parametrize("name", NAMES)
def test_the_choice_is_made_by_measuring_and_told(name, monkeypatch):
    monkeypatch.setattr("ridgeline.engine.choice.WORTH_MEASURING", 0.0)
    model, data, a, b = zoo.build(name)
    objective = Objective(model, data)
    combination = Line(a, b).combination(np.linspace(0, 1, 9))
    found = evaluate(objective, combination)
    loop = evaluate(objective, combination, strategy="loop")
    np.testing.assert_allclose(
        found.moments["loss"].mean, loop.moments["loss"].mean, rtol=1e-5, atol=1e-6
    )
    told = {"loop", *found.choice.seconds, *found.choice.declined}
    assert told >= {"loop", "shared", "batched", "shared+batched"}
    assert found.choice.strategy in found.choice.seconds
    if name == "value-branch":
        assert (
            "could not" in found.choice.declined["shared"] or ":" in found.choice.declined["shared"]
        )


@pytest.mark.parametrize("strategy", ["batched", "shared", "shared+batched"])
def test_an_operation_that_is_looped_over_is_no_news(strategy, capfd):
    """torch prints a line for each, past Python's filters, where a graph calls it."""
    model, data, a, b = zoo.build("transformer-tied")
    with looping_quietly():  # one inside of another
        evaluate(Objective(model, data), Line(a, b).combination([0, 0.5, 1]), strategy=strategy)
        evaluate(Objective(model, data), Line(a, b).combination([0, 0.5, 1]), strategy="batched")
    assert "performance drop" not in capfd.readouterr().err


def test_what_is_shared_is_computed_once_per_chunk(monkeypatch):
    """784-style first layers: the first product is taken at two basis states, not at 51."""
    model, data, a, b = zoo.build("mlp", n=64)
    objective = Objective(model, data, rows=64)
    from ridgeline.engine.residents import Resident
    from ridgeline.engine.strategies import Shared

    line = Line(a, b).combination(np.linspace(0, 1, 51))
    resident = Resident(objective, line, {})
    with torch.inference_mode():
        shared = Shared(objective, resident, 64)
        written = []
        monkeypatch.setattr(
            resident,
            "write",
            lambda name, k, out, w=resident.write: (written.append(name), w(name, k, out)),
        )
        list(shared.outputs(objective.samples.inputs, range(51)))
    assert "0.weight" not in written and written.count("2.weight") == 51


def test_a_prefix_that_stands_still_is_constant():
    from ridgeline.engine.degrees import CONSTANT, Degree, degrees

    model, data, a, b = zoo.build("mlp")
    objective = Objective(model, data)
    from ridgeline.engine.strategies import trace_for

    trace = trace_for(objective, 16)
    moving = {"2.weight": Degree("affine", 0), "2.bias": Degree("affine", 0)}
    kinds = [
        (str(n.target).split(".")[1], d.kind)
        for n, d in degrees(trace, moving).items()
        if n.op == "call_function"
    ]
    assert kinds == [
        ("linear", "constant"),
        ("relu", "constant"),
        ("linear", "affine"),
        ("relu", "general"),
        ("linear", "general"),
    ]
    assert CONSTANT.kind == "constant"


def test_two_rates_that_meet_are_general_and_right():
    model, data, a, b = zoo.build("mlp")
    objective = Objective(model, data, dtype=torch.float64)
    line = Line(a, b, rates={"0.bias": Power(4)}).combination(np.linspace(0, 1, 7))
    expected = slow(model, line, data, recompute=True)
    with pytest.raises(NotTraceable, match="Nothing of the network"):
        evaluate(objective, line, strategy="shared")
    found = evaluate(objective, line)
    np.testing.assert_allclose(found.moments["loss"].mean, expected.mean(1), rtol=1e-10)


@pytest.mark.parametrize("strategy", FAST)
def test_a_start_that_fades_to_a_third_basis_state_is_right(strategy):
    """Biases on a, b and zero, weights on a and b; the first layer held, so that some is shared."""
    model, data, a, b = zoo.build("mlp")
    rates = homogeneous_biases(model, start="power")
    assert any(isinstance(rate, TwoPowers) for rate in rates.values())
    objective = Objective(model, data, dtype=torch.float64, rows=16)
    for more in ({}, {"layers": ["2.bias", "4"]}):
        line = Line(a, b, rates=rates, **more).combination(np.linspace(0, 1, 7))
        assert len(line.basis) == 3
        expected = slow(model, line, data, recompute=True)
        found = evaluate(objective, line, strategy=strategy).moments["loss"]
        np.testing.assert_allclose(found.mean, expected.mean(1), rtol=1e-10)
        np.testing.assert_allclose(found.covariance, np.cov(expected), rtol=1e-8, atol=1e-10)


def test_an_untraceable_network_falls_back_and_says_why(monkeypatch):
    monkeypatch.setattr("ridgeline.engine.choice.WORTH_MEASURING", 0.0)
    model, data, a, b = zoo.build("value-branch")
    found = evaluate(Objective(model, data), Line(a, b).combination([0, 0.5, 1]))
    assert found.choice.strategy == "loop"
    assert found.choice.declined["shared"]


def test_a_branch_on_a_value_is_followed_by_the_loop_at_every_position():
    """The sign of the weights' sum flips half way; a frozen branch would be wrong there."""
    model, data, a, _ = zoo.build("value-branch")
    b = {k: -x for k, x in a.items()}
    objective = Objective(model, data, dtype=torch.float64)
    line = Line(a, b).combination(np.linspace(0, 1, 5))
    found = evaluate(objective, line)
    expected = slow(model, line, data, recompute=False).mean(1)
    np.testing.assert_allclose(found.moments["loss"].mean, expected)


def snapshot(model):
    return (
        {k: v.clone() for k, v in model.state_dict().items()},
        [p.requires_grad for p in model.parameters()],
        [m.training for m in model.modules()],
        torch.get_rng_state(),
    )


@pytest.mark.parametrize("strategy", FAST)
def test_the_callers_model_and_states_are_untouched(strategy):
    model, data, a, b = zoo.build("cnn-batchnorm")
    model.train()
    next(model.parameters()).requires_grad_(False)
    before = snapshot(model)
    kept = [{k: x.clone() for k, x in s.items()} for s in (a, b)]
    evaluate(Objective(model, data), Line(a, b).combination([0, 0.5, 1]), strategy=strategy)
    after = snapshot(model)
    assert all(torch.equal(before[0][k], after[0][k]) for k in before[0])
    assert before[1:3] == after[1:3] and torch.equal(before[3], after[3])
    for state, copy_ in zip((a, b), kept, strict=True):
        assert all(torch.equal(state[k], copy_[k]) for k in state)


def test_keeping_statistics_gives_the_checkpoints_own_losses_at_the_ends():
    model, data, a, b = zoo.build("cnn-batchnorm")
    objective = Objective(model, data, statistics="keep", dtype=torch.float64)
    found = evaluate(objective, Line(a, b).combination([0, 0.5, 1])).moments["loss"]
    for k, state in ((0, a), (2, b)):
        net = copy.deepcopy(model).double()
        net.load_state_dict(state)
        own = torch.nn.functional.cross_entropy(net.eval()(data[0].double()), data[1])
        np.testing.assert_allclose(found.mean[k], own.item(), rtol=1e-10)


def test_recomputing_differs_from_keeping_and_repeats_exactly():
    model, data, a, b = zoo.build("cnn-batchnorm")
    line = Line(a, b).combination([0, 0.5, 1])
    keep = evaluate(Objective(model, data, statistics="keep"), line).moments["loss"].mean
    once, again = (evaluate(Objective(model, data), line).moments["loss"].mean for _ in range(2))
    assert (once == again).all()
    assert np.abs(once - keep).min() > 1e-3


def test_nan_at_one_position_stays_there_and_is_counted():
    """One weight, outputs t and 2 t: the loss of the second sample is made NaN past t = 0.8."""
    model = torch.nn.Linear(1, 1, bias=False)
    a, b = {"weight": torch.zeros(1, 1)}, {"weight": torch.ones(1, 1)}
    data = torch.tensor([[1.0], [2.0], [1.0]]), torch.zeros(3)

    def loss(outputs, targets):
        return torch.where(outputs[:, 0] > 1.6, torch.nan, outputs[:, 0])

    line = Line(a, b).combination([0, 0.5, 1])
    moments = evaluate(Objective(model, data, loss=loss), line).moments["loss"]
    np.testing.assert_allclose(moments.mean, [0, 2 / 3, np.nan], rtol=1e-6)
    assert list(moments.nonfinite) == [0, 0, 1]
    assert np.isfinite(moments.covariance[:2, :2]).all() and np.isnan(moments.covariance[2]).all()


def test_a_forward_that_raises_is_told_with_position_and_samples():
    class Fails(torch.nn.Linear):
        def forward(self, x):
            if self.weight.abs().max() > 50:
                raise ValueError("weights too large")
            return super().forward(x)

    model = Fails(3, 2)
    a = {"weight": torch.zeros(2, 3), "bias": torch.zeros(2)}
    b = {"weight": torch.full((2, 3), 100.0), "bias": torch.zeros(2)}
    objective = Objective(model, (torch.randn(10, 3), torch.zeros(10, dtype=torch.long)))
    with pytest.raises(ForwardFailed, match=r"position 3 of 5 on samples 0 to 10.*too large"):
        evaluate(objective, Line(a, b).combination(np.linspace(0, 1, 5)), strategy="loop")


def test_states_of_another_network_are_refused_with_a_diff():
    model, data, a, b = zoo.build("mlp")
    bad = {**{k: x for k, x in a.items() if k != "4.bias"}, "new": torch.zeros(1)}
    with pytest.raises(StateMismatch, match=r"- 4\.bias \(4,\)[\s\S]*\+ new \(1,\)"):
        evaluate(Objective(model, data), Polygon(bad, bad).combination([0, 1]))


def test_an_unknown_strategy_lists_those_known():
    model, data, a, b = zoo.build("mlp")
    with pytest.raises(UnknownName, match="Did you mean 'shared'"):
        evaluate(Objective(model, data), Line(a, b).combination([0, 1]), strategy="sharde")


def test_half_precision_checkpoints_are_combined_in_float32():
    model, data, a, b = zoo.build("mlp")
    half = [{k: x.to(torch.bfloat16) for k, x in s.items()} for s in (a, b)]
    line = Line(*half).combination(np.linspace(0, 1, 5))
    found = evaluate(Objective(model, data), line).moments["loss"].mean
    expected = slow(model, line, data, recompute=False).mean(1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_data_from_a_loader_equal_data_from_arrays():
    model, (x, y), a, b = zoo.build("mlp", n=29)
    loader = DataLoader(list(zip(x, y, strict=True)), batch_size=8)
    line = Line(a, b).combination([0, 0.3, 1])
    means = [evaluate(Objective(model, d), line).moments["loss"].mean for d in ((x, y), loader)]
    np.testing.assert_array_equal(*means)


def test_an_interrupted_evaluation_keeps_a_fair_sample():
    model, data, a, b = zoo.build("mlp", n=1000)
    objective = Objective(model, data, rows=100)
    line = Line(a, b).combination([0, 0.5, 1])
    seen = []
    found = evaluate(
        objective,
        line,
        interrupted=lambda: len(seen) >= 3,
        progress=lambda _, n, of: seen.append(n),
    )
    assert found.stopped == "interrupted" and found.moments["loss"].n == 300
    whole = evaluate(objective, line).moments["loss"].mean
    assert np.abs(found.moments["loss"].mean - whole).max() < 0.5


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
@pytest.mark.parametrize("name", NAMES)
def test_the_gpu_agrees_with_the_cpu(name):
    model, data, a, b = zoo.build(name)
    line = Line(a, b).combination(np.linspace(0, 1, 6))
    devices = ("cpu", "cuda")
    means = [
        evaluate(Objective(model, data, device=d, dtype=torch.float64), line).moments["loss"].mean
        for d in devices
    ]
    np.testing.assert_allclose(*means, rtol=1e-8)


class Fused(torch.nn.Module):
    """Two branches whose sum `eval()` writes into a layer that it makes."""

    def __init__(self):
        super().__init__()
        self.a, self.b = torch.nn.Linear(4, 5), torch.nn.Linear(4, 5)
        self.head = torch.nn.Linear(5, 3)

    def train(self, mode=True):
        super().train(mode)
        if not mode:
            fused = torch.nn.Linear(4, 5)
            fused.weight.data = self.a.weight.data + self.b.weight.data
            fused.bias.data = self.a.bias.data + self.b.bias.data
            self.__dict__["fused"] = fused
        return self

    def forward(self, x):
        both = self.a(x) + self.b(x) if self.training else self.fused(x)
        return self.head(torch.tanh(both))


def test_a_strategy_that_gives_something_else_than_the_loop_is_refused():
    ends = []
    for seed in (0, 1):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            ends.append(Fused().state_dict())
    data = torch.randn(20, 4, generator=torch.Generator().manual_seed(2)), torch.arange(20) % 3
    goal = Objective(Fused(), data)
    line = Line(*ends).combination(np.linspace(0, 1, 5))
    evaluate(goal, line, strategy="loop")
    rule = r"must give what the loop gives.*from 'shared' at position 2.*strategy='loop'"
    with pytest.raises(NotTraceable, match=rule):
        evaluate(goal, line, strategy="shared")


class Recurrent(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.h = torch.nn.LSTM(2, 4, batch_first=True), torch.nn.Linear(4, 3)

    def forward(self, x):
        return self.h(self.a(x.reshape(-1, 2, 2))[0][:, -1])


def test_a_strategy_that_cannot_evaluate_the_network_is_refused_in_words():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, other = Recurrent(), Recurrent()
    data = torch.randn(20, 4, generator=torch.Generator().manual_seed(2)), torch.arange(20) % 3
    line = Line(model.state_dict(), other.state_dict()).combination(np.linspace(0, 1, 5))
    goal = Objective(model, data)
    evaluate(goal, line, strategy="auto")
    with pytest.raises(NotTraceable, match=r"must be able to.*'batched'.*strategy='loop'"):
        evaluate(goal, line, strategy="batched")


class Whole(torch.nn.Module):
    """Rounds what is affine in its weights."""

    def __init__(self, way):
        super().__init__()
        self.a, self.h, self.way = torch.nn.Linear(4, 5), torch.nn.Linear(5, 3), way

    def forward(self, x):
        return self.h(self.way(3 * self.a(x)))


@pytest.mark.parametrize(
    "way",
    [
        lambda z: z.int().float(),
        lambda z: z.to(torch.int64).to(z.dtype),
        lambda z: torch.div(z, 0.5, rounding_mode="floor"),
        lambda z: (z > 0).float(),
    ],
    ids=["int", "int64", "floor", "bool"],
)
def test_what_is_rounded_is_not_affine(way):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, other = Whole(way), Whole(way)
    data = torch.randn(20, 4, generator=torch.Generator().manual_seed(2)), torch.arange(20) % 3
    line = Line(model.state_dict(), other.state_dict()).combination(np.linspace(0, 1, 5))
    goal = Objective(model, data)
    want, got = (evaluate(goal, line, strategy=s).moments["loss"].mean for s in ("loop", "shared"))
    np.testing.assert_allclose(got, want, rtol=1e-5)
