"""`kill -9` at any moment, and the same command again: nothing is lost, repeated or changed."""

import multiprocessing
import os
import random
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import pytest
import torch

from ridgeline.study.plan import Machine
from ridgeline.study.populations import Watcher, populate
from ridgeline.study.store import Store
from study.tiny import contents, litter, specs

KILLS = 20
MACHINE = Machine(workers=1, threads=1, together=2)
"""Sizes of groups are given: measured ones may differ between two stores."""


@pytest.fixture(scope="module")
def runs():
    """Two groups of parents and two of children."""
    return specs(4, children=1, every="5it", spawn="8it")


@pytest.fixture
def folder(tmp_path):
    """In memory where that is: most of the time would go into bringing files to the disk."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as made:
        yield Path(made)


@pytest.fixture(scope="module")
def undisturbed(runs, tmp_path_factory):
    torch.set_num_threads(1)
    store = Store(tmp_path_factory.mktemp("undisturbed") / "store")
    assert not work(store, runs).failures
    return contents(store, runs)


def work(store, runs, executor=None):
    # A snapshot now and then only, so that kills fall between them too.
    return populate(runs, store, machine=MACHINE, executor=executor, snapshot_seconds=0.02)


def forked(function, *arguments):
    """A child with torch loaded; this process has one thread, as a fork wants it."""

    def alone():
        try:
            function(*arguments)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)  # what pytest and coverage would do at an end is the parent's to do

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 counts threads that rest
        process = multiprocessing.get_context("fork").Process(target=alone)
        process.start()
    return process


@pytest.mark.slow
def test_twenty_kills_at_random_moments(runs, undisturbed, folder):
    begun = time.perf_counter()
    work(Store(folder / "timed"), runs)
    whole = time.perf_counter() - begun
    draw = random.Random()  # other moments in every run of the test
    kills, rounds = 0, 0
    while kills < KILLS:
        store = Store(folder / f"store{rounds}")
        rounds += 1
        while True:
            child = forked(work, store, runs)
            child.join(draw.uniform(0, whole))
            if not child.is_alive():
                break
            child.kill()
            child.join()
            kills += 1
        assert child.exitcode == 0
        last = work(store, runs)
        assert not last.trained and not last.failures  # the child had done it all
        assert contents(store, runs) == undisturbed
        assert not litter(store)


def test_a_kill_between_two_publications_changes_nobodys_company(
    runs, undisturbed, folder, monkeypatch
):
    """The member that is left is trained again with the one that is published already."""
    store = Store(folder / "store")
    publish = Store.publish
    published = []

    def die_after_one(self, identity, **words):
        if published:
            os._exit(9)
        published.append(publish(self, identity, **words))

    def work_and_die():
        monkeypatch.setattr(Store, "publish", die_after_one)
        work(store, runs)

    child = forked(work_and_die)
    child.join()
    assert child.exitcode == 9
    assert sum(store.find(config.hash) is not None for config in runs) == 1
    assert len(work(store, runs).trained) == len(runs) - 1
    assert contents(store, runs) == undisturbed


def test_two_at_once_share_the_work_and_repeat_nothing(runs, undisturbed, folder):
    store, told = Store(folder / "store"), multiprocessing.get_context("fork").SimpleQueue()

    def share():
        told.put(sorted(work(store, runs).trained))

    children = [forked(share) for _ in range(3)]
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    trained = sorted(name for _ in children for name in told.get())
    assert trained == sorted(config.hash for config in runs)
    assert contents(store, runs) == undisturbed
    assert not litter(store)


def test_the_living_are_waited_for_and_the_dead_taken_over_from(
    runs, undisturbed, folder, monkeypatch
):
    store = Store(folder / "store")
    ready, waited_for = (multiprocessing.get_context("fork").Event() for _ in range(2))

    def hold():
        claim = store.try_claim(runs[0].hash)
        assert claim is not None
        ready.set()
        waited_for.wait(120)
        os._exit(0)  # without letting go

    holder = forked(hold)
    assert ready.wait(60)
    waits = []

    class Waits(Watcher):
        def waiting(self, names, who):
            waits.append((tuple(names), who, holder.is_alive()))
            waited_for.set()

    monkeypatch.setattr(sys.modules[populate.__module__], "PATIENCE", 0.1)
    assert not populate(runs, store, machine=MACHINE, watcher=Waits()).failures
    assert not holder.is_alive()
    assert waits and waits[0][0] == (runs[0].name, runs[2].name)
    assert str(holder.pid) in waits[0][1]
    assert contents(store, runs) == undisturbed
