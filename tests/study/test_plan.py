"""Plans: who is trained with whom, decided once."""

import json
import shutil
from dataclasses import replace

import pytest

from ridgeline import training
from ridgeline.errors import ForwardFailed, UsageError
from ridgeline.study.names import names_of
from ridgeline.study.plan import Machine, closure, plan_for
from ridgeline.study.populations import populate
from ridgeline.study.store import Store
from ridgeline.training import Arrangement
from study.tiny import config, specs

PAIRS = Machine(workers=1, threads=1, together=2)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def arranged(monkeypatch):
    """What is measured, said by the test."""
    said = {"size": 2, "workers": 2, "threads": 1, "rate": 100.0, "reason": "because"}
    calls = []

    def arrange(members, data, *, device, cores):
        calls.append((len(members), cores))
        return Arrangement(**said)

    monkeypatch.setattr(training, "arrange", arrange)
    return said, calls


def hashes(runs):
    return tuple(config.hash for config in runs)


def test_parents_come_first_and_everybody_once():
    runs = specs(2, children=2)
    children = [c for c in runs if c.parent is not None]
    assert hashes(closure([*children, *runs])) == hashes(
        [children[0].parent, *children[:2], children[2].parent, *children[2:]]
    )


def test_groups_keep_the_order_and_are_even(store):
    runs = specs(10)
    plan = plan_for(runs, store, Machine(workers=1, threads=1, together=4))
    assert [len(g.runs) for g in plan.groups] == [3, 3, 4]
    assert sum((g.runs for g in plan.groups), ()) == hashes(runs)
    assert sum(g.steps for g in plan.groups) == 10 * 24 and plan.seconds is None


def test_names_are_told_apart():
    runs = [config(0), config(0, every="6it"), config(1)]
    names = names_of(runs)
    assert names[runs[2].hash] == runs[2].name
    for run in runs[:2]:
        every = json.dumps(run.training.keep.every)
        assert names[run.hash] == f"{run.name} (training.keep.every={every})"


def test_names_that_differ_in_much_are_told_apart_by_the_hash():
    runs = [config(0), config(0, every="6it", data="digits?train=100&test=60")]
    same = [replace(run, data=runs[0].data) for run in runs]
    far = replace(same[1], training=replace(same[1].training, length="77ep", batch_size=33))
    names = names_of([same[0], far])
    assert names[far.hash] == f"{far.name} ({far.hash[:8]})"


def test_only_runs_that_are_alike_and_share_their_data_are_together(store):
    small = [config(s) for s in range(2)]
    fast = config(2, rate=0.5)
    wide = config(3, widths=(64, 16, 10))
    other = config(4, data="digits?train=100&test=60")
    plan = plan_for([small[0], wide, small[1], other, fast], store, Machine(together=8))
    assert [g.runs for g in plan.groups] == [
        hashes([*small, fast]),
        hashes([wide]),
        hashes([other]),
    ]


def test_children_are_planned_before_their_parents_are_trained(store):
    runs = specs(2, children=2)
    plan = plan_for(runs, store, Machine(together=4, threads=1))
    assert [[len(g.runs) for g in wave] for wave in plan.waves] == [[2], [4]]
    assert [g.steps for g in plan.groups] == [2 * 24, 4 * 16]  # from step 8 on


def test_what_was_measured_once_is_kept(store, arranged):
    said, calls = arranged
    first = plan_for(specs(4), store, Machine())
    assert first.workers == 2 and first.threads == 1 and first.reasons == ("because",)
    assert first.seconds == pytest.approx(4 * 24 / 100)
    said["size"] = 4
    assert plan_for(specs(4), store, Machine()) == first and len(calls) == 1
    assert plan_for(specs(4), Store(store.path / "other"), Machine()) != first
    more = plan_for(specs(4), store, Machine(workers=3))  # more hands, the same company
    assert more.groups == first.groups and more.workers == 3
    # Whoever says otherwise gets another plan.
    assert len(plan_for(specs(4), store, Machine(threads=2)).groups) == 1
    assert len(plan_for(specs(4), store, Machine(together=1)).groups) == 4


def test_a_trial_leaves_nothing(store, arranged):
    plan_for(specs(2), store, Machine(), record=False)
    assert not list(store.path.rglob("*.json"))


def test_of_two_processes_the_faster_ones_plan_counts(store, arranged):
    from ridgeline.study import plan as module

    said, _ = arranged
    mine = plan_for(specs(4), store, Machine(), record=False)
    said["size"] = 4
    theirs = plan_for(specs(4), store, Machine())
    assert module._recorded(store, mine, instead=False) == theirs != mine


def test_more_seeds_make_a_plan_of_the_new_runs_alone(store):
    populate(specs(2), store, machine=PAIRS)
    plan = plan_for(specs(5), store, PAIRS)
    assert sum((g.runs for g in plan.groups), ()) == hashes(specs(5)[2:])
    assert plan_for(specs(2), store, PAIRS).groups[0].runs == hashes(specs(2))


def test_a_run_that_was_deleted_is_planned_again(store):
    populate(specs(2), store, machine=PAIRS)
    populate(specs(4), store, machine=PAIRS)  # a plan of the two that are new
    shutil.rmtree(store.find(specs(4)[0].hash).path)
    shutil.rmtree(store.find(specs(4)[3].hash).path)
    plan = plan_for(specs(4), store, PAIRS)
    assert [g.runs for g in plan.groups] == [hashes(specs(4)[2:]), hashes(specs(4)[:1])]
    assert plan_for(specs(4), store, PAIRS) == plan
    assert len(populate(specs(4), store, machine=PAIRS).trained) == 2
    assert len(store) == 4


def test_every_process_that_was_asked_for_has_a_group(store, arranged):
    said, _ = arranged
    said |= {"size": 8, "workers": 1, "threads": 2}
    plan = plan_for(specs(5), store, Machine(workers=2, threads=1))
    assert [len(g.runs) for g in plan.groups] == [2, 3] and (plan.workers, plan.threads) == (2, 1)


def test_nothing_missing_is_no_plan(store):
    populate(specs(2), store, machine=PAIRS)
    two = plan_for(specs(2), store, Machine(together=7))
    assert two.groups == () and two.waves == []


def test_cores_are_shared_out(store, arranged, monkeypatch):
    said, calls = arranged
    monkeypatch.setattr("ridgeline.training.cores_here", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    plan_for(specs(2), store, Machine())
    plan_for(specs(3), store, Machine(workers=4))
    plan_for(specs(4), store, Machine(workers=2, threads=3))
    assert calls == [(2, 8), (3, 8), (4, 6)]


def test_what_cannot_be_measured_is_left_for_training_to_say(store, monkeypatch):
    def arrange(*_, **__):
        raise ForwardFailed("The model", "training", ValueError("no"))

    monkeypatch.setattr(training, "arrange", arrange)
    plan = plan_for(specs(2), store, Machine())
    assert len(plan.groups) == 2 and plan.reasons == (
        "not measured (ForwardFailed), so one at a time",
    )


def test_numbers_out_of_range_are_refused():
    for name in ("workers", "threads", "together"):
        with pytest.raises(UsageError, match=f"`{name}` must be at least 1. Got 0"):
            Machine(**{name: 0})


def test_a_plan_timed_on_a_busy_machine_is_made_anew_on_a_quiet_one(store, arranged, monkeypatch):
    said, calls = arranged
    said["lasting"] = False
    runs = specs(4)
    first = plan_for(runs, store, Machine())
    assert not first.lasting and [len(g.runs) for g in first.groups] == [2, 2]
    monkeypatch.setattr(training, "busy", lambda: "; busy")
    assert plan_for(runs, store, Machine()) == first and len(calls) == 1
    monkeypatch.setattr(training, "busy", lambda: "")
    store.scratch(first.groups[0].key("cpu", first.threads))  # was begun: it stays as it is
    said |= {"size": 1, "lasting": True}
    again = plan_for(runs, store, Machine())
    assert again.lasting and again.groups[0] == first.groups[0]
    assert [len(g.runs) for g in again.groups] == [2, 1, 1]
    assert plan_for(runs, store, Machine()) == again and len(calls) == 2
