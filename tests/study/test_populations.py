"""The verb: waves, children at their parents' states, failures, and who is told."""

import pytest
import torch

from ridgeline.study.executors import InProcess, Workers
from ridgeline.study.plan import Machine
from ridgeline.study.populations import Watcher, populate
from ridgeline.study.store import Store
from study.tiny import config, contents, litter, specs

MACHINE = Machine(workers=1, threads=1, together=4)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


class Notes(Watcher):
    def __init__(self):
        self.said = []

    def planned(self, plan, runs, found):
        self.said.append(("planned", len(runs), found))

    def progress(self, names, said):
        self.said.append(("progress", *names))

    def ended(self, names, failure):
        self.said.append(("ended", *names))

    def waiting(self, names, who):
        raise AssertionError("nobody else is here")


def test_missing_runs_are_trained_and_the_others_left_alone(store):
    notes = Notes()
    runs = specs(3)
    first = populate(runs, store, machine=MACHINE, watcher=notes)
    assert first.trained == {c.hash for c in runs} and not first.found and not first.failures
    assert first.steps == 3 * 24 and first.seconds > 0
    names = tuple(c.name for c in runs)
    assert notes.said[0] == ("planned", 3, 0) and notes.said[-1] == ("ended", *names)
    assert ("progress", *names) in notes.said
    again = populate(runs, store, machine=MACHINE)
    assert again.found == first.trained and not again.trained and again.steps == 0
    assert not litter(store)
    summary = store.find(runs[0].hash).summary
    assert summary["steps"] == summary["planned"] == 24 and summary["together"] == 3
    assert summary["parameters"] == 64 * 8 + 8 + 80 + 10
    assert set(summary["final"]) == {"train", "test"} and summary["final"]["test"]["loss"] > 0


def test_more_seeds_train_the_new_ones_alone(store):
    populate(specs(2), store, machine=MACHINE)
    before = contents(store, specs(2))
    more = populate(specs(4), store, machine=MACHINE)
    assert len(more.found) == 2 and len(more.trained) == 2
    assert contents(store, specs(2)) == before


@pytest.mark.parametrize("optimiser", ["kept", "reset"])
@pytest.mark.parametrize("length", ["fixed", "full"])
def test_a_child_starts_exactly_where_its_parent_was(store, optimiser, length):
    runs = specs(2, children=1, every="1it", optimiser=optimiser, length=length)
    done = populate(runs, store, machine=MACHINE)
    assert not done.failures and len(done.plan.waves) == 2
    parents = [c for c in runs if c.parent is None]
    children = [c for c in runs if c.parent is not None]
    for parent, child in zip(parents, children, strict=True):
        a, b = store.find(parent.hash), store.find(child.hash)
        begun = 8 if length == "fixed" else 0
        assert same(a.state(8), b.state(begun))
        assert b.summary["steps"] == 24
        assert not same(a.state(9), b.state(begun + 1))  # another order of batches


@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_a_child_of_its_parents_order_follows_it(store, rule):
    """Clock, order of batches, schedule and slots all go on: what is left is rounding."""
    same = {"children": 1, "differ": "augmentation", "every": "8it", "rule": rule}
    (parent, child) = specs(1, **same)
    populate([child], store, machine=MACHINE)
    a, b = store.find(parent.hash), store.find(child.hash)
    for name, x in a.state(24).items():
        torch.testing.assert_close(b.state(24)[name], x, rtol=1e-5, atol=1e-6)
    (_, fresh) = specs(1, **same, optimiser="reset")
    populate([fresh], store, machine=MACHINE)
    assert not torch.allclose(
        store.find(fresh.hash).state(24)["fc1.weight"], a.state(24)["fc1.weight"], atol=1e-5
    )


def test_parents_in_the_store_are_used_from_there(store):
    runs = specs(2, children=1)
    parents = [c for c in runs if c.parent is None]
    populate(parents, store, machine=MACHINE)
    before = contents(store, parents)
    done = populate(runs, store, machine=MACHINE)
    assert done.found == {c.hash for c in parents} and len(done.trained) == 2
    assert contents(store, parents) == before


def test_a_group_that_fails_is_told_with_its_config_and_stops_no_other(store):
    wrong = config(5, widths=(32, 8, 10))
    runs = [wrong, *specs(2)]
    notes = Notes()
    done = populate(runs, store, machine=Machine(workers=1, threads=1), watcher=notes)
    (failure,) = done.failures
    assert failure.kind == "ForwardFailed" and failure.task["names"] == [wrong.name]
    assert failure.task["configs"] == [wrong.full()]
    assert done.trained == {c.hash for c in runs[1:]} and store.find(wrong.hash) is None
    assert store.try_claim(wrong.hash) is not None  # nobody holds on to it


def test_children_of_a_parent_that_failed_say_so(store):
    (parent, child) = specs(1, children=1, widths=(32, 8, 10))
    done = populate([child], store, machine=MACHINE)
    kinds = {f.task["names"][0]: f for f in done.failures}
    assert kinds[parent.name].kind == "ForwardFailed"
    assert (
        parent.name in kinds[child.name].text and "must be in the store" in kinds[child.name].text
    )


def test_runs_that_diverge_are_results(store):
    wild = config(1, rate=1e30)
    done = populate([config(0), wild], store, machine=MACHINE)
    assert not done.failures and len(done.trained) == 2
    summary = store.find(wild.hash).summary
    assert summary["diverged"] and summary["steps"] < summary["planned"]
    assert summary["final"].get("train", {}).get("loss") is None
    assert not store.find(config(0).hash).summary["diverged"]


@pytest.mark.slow
def test_workers_and_this_process_make_the_same_runs(tmp_path):
    runs = specs(4, children=1)
    machine = Machine(workers=1, threads=1, together=2)
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    populate(runs, here, machine=machine, executor=InProcess(threads=1))
    with Workers(2) as two:
        done = populate(runs, there, machine=machine, executor=two)
    assert not done.failures and done.steps == 4 * 24 + 4 * 16
    assert contents(here, runs) == contents(there, runs)


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
