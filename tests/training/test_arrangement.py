from dataclasses import replace

import pytest
import torch
from torch import nn

from ridgeline import training
from ridgeline.nets import fcn
from ridgeline.training import SGD, Arrangement, Member, Recipe, arrangement

RECIPE = Recipe(length="100ep", batch_size=16, optimiser=SGD(learning_rate=1e30))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(arrangement, "TIMED", 0.01)
    monkeypatch.setattr(arrangement, "_KNOWN", {})
    monkeypatch.setattr(arrangement.os, "getloadavg", lambda: (0.3, 0.3, 0.3))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def members(count, net=None):
    return [Member(net or fcn(6, 8, 3, seed=s).double(), RECIPE, seed=s) for s in range(count)]


def test_sizes_double_up_to_the_number_of_members(planted):
    rates = arrangement.measure(members(6), planted)
    assert set(rates) <= {(size, torch.get_num_threads()) for size in (1, 2, 4, 6)}
    assert {size for size, _ in rates} >= {1, 2}
    assert all(rate > 0 for rate in rates.values())


def test_threads_are_as_before_and_every_number_of_them_is_measured(planted):
    before = torch.get_num_threads()
    rates = arrangement.measure(members(2), planted, threads=[1, 2])
    assert {threads for _, threads in rates} == {1, 2}
    assert torch.get_num_threads() == before


def test_measuring_leaves_networks_and_generators_alone(planted):
    chosen = members(3)
    held = [{name: x.clone() for name, x in m.model.state_dict().items()} for m in chosen]
    torch.manual_seed(5)
    arrangement.measure(chosen, planted)
    drawn = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(3))
    for member, before in zip(chosen, held, strict=True):
        assert all(torch.equal(x, before[name]) for name, x in member.model.state_dict().items())


def test_what_cannot_be_stacked_is_trained_one_at_a_time(planted):
    net = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3)).double()
    found = training.arrange(members(4, net), planted, cores=1)
    assert (found.size, found.workers, found.threads) == (1, 1, 1)
    assert "one at a time" in found.reason


@pytest.mark.parametrize(
    ("rates", "length", "expected"),
    [
        # One thread nearly as fast as two: two workers win, once it pays to start them.
        ({(1, 1): 100, (1, 2): 110, (4, 1): 400, (4, 2): 420}, "100000it", (4, 2, 1)),
        ({(1, 1): 100, (1, 2): 110, (4, 1): 400, (4, 2): 420}, "100it", (4, 1, 2)),
        # Four seconds of work at most: not worth measuring.
        ({(1, 1): 100, (1, 2): 110, (4, 1): 400, (4, 2): 420}, "10it", (8, 1, 1)),
        # Two threads twice as fast: this process.
        ({(1, 1): 100, (1, 2): 200, (4, 1): 400, (4, 2): 800}, "100000it", (4, 1, 2)),
        # A stack of all leaves nothing for a second worker.
        ({(8, 1): 400, (8, 2): 420, (4, 1): 200, (4, 2): 210}, "100000it", (8, 1, 2)),
    ],
)
def test_the_choice_follows_the_rates(rates, length, expected, planted, monkeypatch):
    monkeypatch.setattr(arrangement, "measure", lambda *_, **__: rates)
    chosen = [replace(m, recipe=replace(RECIPE, length=length)) for m in members(8)]
    found = training.arrange(chosen, planted, cores=2)
    assert isinstance(found, Arrangement)
    assert (found.size, found.workers, found.threads) == expected
    if length != "10it":
        assert found.measured == {f"{s} x {n}": rate for (s, n), rate in rates.items()}


def test_stacks_that_do_not_fit_into_memory_are_not_tried(planted, monkeypatch):
    monkeypatch.setattr(arrangement, "_free", lambda _: 20_000.0)
    assert {size for size, _ in arrangement.measure(members(16), planted)} <= {1, 2}


def test_what_was_measured_is_not_measured_again(planted, monkeypatch):
    calls = []

    def counted(*_, **__):
        calls.append(1)
        return {(1, 1): 1000.0}

    monkeypatch.setattr(arrangement, "measure", counted)
    chosen = members(2)
    first = training.arrange(chosen, planted, cores=1)
    longer = [replace(m, recipe=replace(RECIPE, length="200ep")) for m in chosen]
    assert training.arrange(longer, planted, cores=1).rate == first.rate
    assert len(calls) == 1
    training.arrange(chosen, planted.subset(20), cores=1)
    assert len(calls) == 2


RATES = {(1, 1): 100, (1, 2): 200, (4, 1): 400, (4, 2): 800}


@pytest.mark.parametrize(
    ("said", "threads"), [("1", [1]), ("8", [1, 2]), ("1,2", [1]), ("", [1, 2]), ("x", [1, 2])]
)
def test_no_more_threads_are_tried_than_openmp_may_use(said, threads, planted, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    asked = []

    def measured(*_, threads, **__):
        asked.append(threads)
        return {k: rate for k, rate in RATES.items() if k[1] in threads}

    monkeypatch.setattr(arrangement, "measure", measured)
    chosen = [replace(m, recipe=replace(RECIPE, length="100000it")) for m in members(8)]
    found = training.arrange(chosen, planted, cores=2)
    assert asked[0] == threads and found.threads <= max(threads)


@pytest.mark.parametrize("load", [0.9, 7.2])
def test_a_choice_timed_on_a_busy_machine_says_so(load, planted, monkeypatch):
    monkeypatch.setattr(arrangement.os, "getloadavg", lambda: (load, load, load))
    monkeypatch.setattr(arrangement, "measure", lambda *_, **__: RATES)
    chosen = [replace(m, recipe=replace(RECIPE, length="100000it")) for m in members(8)]
    found = training.arrange(chosen, planted, cores=2)
    assert found.lasting == (load < 1)
    assert ("machine was busy (load 7.2)" in found.reason) == (load > 1)
