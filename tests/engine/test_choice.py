"""Choosing a strategy: limits, agreement, and what is told of those declined."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

import ridgeline as rl
from ridgeline.engine import choice
from ridgeline.engine.choice import choose
from ridgeline.engine.residents import Resident
from ridgeline.errors import NotTraceable, UnknownName
from ridgeline.objective import Objective
from ridgeline.paths import Line

X, Y = torch.randn(30, 3, generator=torch.Generator().manual_seed(0)), torch.arange(30) % 2


def work(net=None, points=5, **options):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)) if net is None else net
    objective = Objective(net, (X, Y), **options)
    a = rl.state.capture(net)
    b = {n: x + 1 for n, x in a.items()}
    combination = Line(a, b).combination(torch.linspace(0, 1, points).numpy())
    return objective, Resident(objective, combination, {})


@pytest.fixture(scope="module")
def small():
    return work()


@pytest.mark.parametrize("name", ["loop", "batched", "shared", "shared+batched"])
def test_what_is_named_is_taken(small, name):
    strategy, told = choose(*small, name, 30)
    assert strategy.name == told.strategy == name
    assert told.rows == 30 and told.group == strategy.group
    assert told.seconds == told.declined == {}


def test_rows_are_at_most_the_samples_and_the_objectives():
    assert choose(*work(rows=7), "loop", 30)[1].rows == 7


def test_an_unknown_name_lists_those_known(small):
    with pytest.raises(UnknownName, match=r"'fast'.*auto.*loop.*batched.*shared"):
        choose(*small, "fast", 30)


def test_work_that_is_done_at_once_is_not_measured(small):
    _, told = choose(*small, "auto", 30)
    assert told.strategy == "loop" and list(told.seconds) == ["loop"]
    assert told.declined == {"others": "the loop is done before measuring would pay"}


def slow(monkeypatch, seconds):
    """Estimates as planted, by strategy's name."""
    monkeypatch.setattr(choice, "_estimate", lambda o, s, x, n: seconds[s.name])


def test_the_fastest_is_taken_and_all_estimates_told(small, monkeypatch):
    planted = {"loop": 9.0, "batched": 5.0, "shared": 3.0, "shared+batched": 4.0}
    slow(monkeypatch, planted)
    strategy, told = choose(*small, "auto", 30)
    assert strategy.name == told.strategy == "shared" and told.declined == {}
    share = 30 / 16
    assert told.seconds == pytest.approx({n: s * share for n, s in planted.items()})


def test_the_loop_stays_where_nothing_is_faster(small, monkeypatch):
    slow(monkeypatch, {"loop": 2.0, "batched": 3.0, "shared": 3.0, "shared+batched": 3.0})
    assert choose(*small, "auto", 30)[1].strategy == "loop"


def test_large_networks_are_not_stacked_on_a_cpu(small, monkeypatch):
    slow(monkeypatch, {"loop": 9.0, "batched": 1.0, "shared": 3.0, "shared+batched": 1.0})
    monkeypatch.setattr(choice, "SMALL_ON_CPU", 25)
    _, told = choose(*small, "auto", 30)
    assert told.strategy == "shared" and set(told.declined) == {"batched", "shared+batched"}
    assert "too large for stacked states" in told.declined["batched"]
    monkeypatch.setattr(choice, "SMALL_ON_CPU", 26)  # 3 * 4 + 4 + 4 * 2 + 2 coordinates
    assert choose(*small, "auto", 30)[1].declined == {}


def failing(error):
    def make(*_):
        raise error

    return make


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NotTraceable("It must.", got="a branch"), "a branch"),
        (NotTraceable("It must be traceable."), "It must be traceable."),
        (RuntimeError("no kernel\nfor this"), "RuntimeError: no kernel"),
        (NotImplementedError("not yet"), "NotImplementedError: not yet"),
    ],
)
def test_why_a_strategy_is_not_available_is_told(small, monkeypatch, error, said):
    slow(monkeypatch, {"loop": 9.0, "batched": 5.0})
    monkeypatch.setattr(choice, "Shared", failing(error))
    _, told = choose(*small, "auto", 30)
    assert told.declined == {"shared": said, "shared+batched": said}
    assert told.strategy == "batched"


class Other:
    """A strategy that gives something else than the loop."""

    name, group = "other", 2

    def __init__(self, *_):
        pass

    def outputs(self, inputs, at):
        for _ in at:
            yield torch.full((len(inputs), 2), 1e6)


def test_outputs_that_differ_are_declined_or_refused(small, monkeypatch):
    slow(monkeypatch, {"loop": 9.0, "batched": 5.0})
    monkeypatch.setattr(choice, "Shared", Other)
    assert choose(*small, "auto", 30)[1].declined["shared"] == "its outputs differ from the loop's"
    with pytest.raises(NotTraceable, match="must give what the loop gives") as caught:
        choose(*small, "shared", 30)
    assert caught.value.got == "other outputs from 'other' at position 2"
    assert (
        caught.value.remedy == "Use strategy='loop', or 'auto', which takes no other that differs."
    )


def test_a_named_strategy_that_fails_is_refused_in_words(small, monkeypatch):
    class Failing(Other):
        def outputs(self, inputs, at):
            raise RuntimeError("no kernel")

    monkeypatch.setattr(choice, "Shared", Failing)
    with pytest.raises(NotTraceable, match="must be able to evaluate the network") as caught:
        choose(*small, "shared", 30)
    assert caught.value.got == "'other': RuntimeError: no kernel"


@pytest.mark.parametrize(
    ("size", "activation", "group"), [(10, 10, 5), (2**20, 0, 4), (2**22, 0, 2), (0, 2**22, 2)]
)
def test_as_many_positions_are_stacked_as_the_budget_holds(size, activation, group):
    held = SimpleNamespace(tensors={"w": torch.empty(size)}, moving=["w"], combination=range(5))
    goal = SimpleNamespace(
        device=torch.device("cpu"), dtype=torch.float32, activation_bytes=activation
    )
    assert choice._group_size(goal, held, rows=8) == group


class Timed:
    group = 2


@pytest.mark.parametrize(
    ("count", "want"), [(1, 3.0), (2, 3.0), (4, 5.0), (10, 11.0)]
)  # 1 for each chunk and 1 for each position
def test_an_estimate_takes_apart_what_is_per_chunk_and_per_position(monkeypatch, count, want):
    monkeypatch.setattr(choice, "_seconds", lambda o, s, x, at: 1.0 + max(2, len(at)))
    assert choice._estimate(None, Timed, None, count) == want


def test_samples_of_outputs_are_of_both_ends_and_the_middle():
    class Telling:
        def outputs(self, inputs, at):
            return (torch.tensor(float(k)) for k in at)

    assert [int(x) for x in choice._sample_outputs(Telling(), None, 9)] == [0, 4, 8]
    assert [int(x) for x in choice._sample_outputs(Telling(), None, 1)] == [0]


@pytest.mark.parametrize(
    ("given", "same"),
    [([1.0, 100.0], True), ([1.05, 100.0], True), ([1.0, 100.3], False), ([1.0, torch.nan], False)],
)
def test_agreement_is_to_a_thousandth_of_the_largest(given, same):
    assert choice._agree([torch.tensor([1.0, 100.0])], [torch.tensor(given)]) is same
    nothing = torch.tensor([torch.nan, torch.inf])
    assert choice._agree(nothing, nothing.clone())
