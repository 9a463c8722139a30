"""One run, one process, whoever else wants it or has died."""

import json
import multiprocessing as mp
import os
import random
import signal
import time

import pytest
import torch

from ridgeline.study.store import Identity, Store, claims
from ridgeline.study.store.claims import is_stale, try_claim
from ridgeline.study.store.places import Place
from ridgeline.study.store.records import state_name

FORK = mp.get_context("fork")  # a child in a millisecond, torch and all


def rewrite(place, name, **changes):
    told = json.loads(place.read(".claims", f"{name}.json"))
    place.write(json.dumps(told | changes).encode(), ".claims", f"{name}.json")


def race(where, turns, gate, won):
    """Ask for every run at the same moment as the others, and hold on to what was won."""
    held = []
    for turn in range(turns):
        gate.wait()
        claim = try_claim(Place(where), f"run-{turn}")
        if claim is not None:
            held.append(claim)
            with won.get_lock():
                won[turn] += 1
    gate.wait()  # the dead lose their claims: nobody leaves before all have asked
    os._exit(0)


@pytest.mark.parametrize("stale", [False, True])
def test_exactly_one_of_four_processes_wins_every_race(stale, tmp_path):
    place = Place(tmp_path)
    dead = FORK.Process(target=try_claim, args=(place, "dead"))
    dead.start()
    dead.join()
    turns = 50
    for turn in range(turns) if stale else ():
        place.write(place.read(".claims", "dead.json"), ".claims", f"run-{turn}.json")
    gate, won = FORK.Barrier(4), FORK.Array("i", turns)
    racers = [FORK.Process(target=race, args=(tmp_path, turns, gate, won)) for _ in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert list(won) == [1] * turns


def test_a_dead_process_s_claim_is_stale(tmp_path):
    place = Place(tmp_path)
    child = FORK.Process(target=lambda: (try_claim(place, "a"), time.sleep(60)))
    child.start()
    while not place.exists(".claims", "a.json"):
        time.sleep(0.01)
    assert not is_stale(place, "a")
    assert try_claim(place, "a") is None
    child.kill()
    child.join()
    assert is_stale(place, "a")
    assert not try_claim(place, "a").lost


def test_a_number_used_again_is_not_taken_for_the_dead(tmp_path):
    place = Place(tmp_path)
    claim = try_claim(place, "a")
    assert not is_stale(place, "a")
    rewrite(place, "a", started="12345")
    assert is_stale(place, "a")
    taken = try_claim(place, "a")
    assert taken is not None
    assert claim.lost
    claim.release()  # not ours any more: nothing happens
    assert not taken.lost


def test_another_machine_s_claim_is_stale_after_a_silence(tmp_path):
    place = Place(tmp_path)
    claim = try_claim(place, "a")
    rewrite(place, "a", machine="elsewhere", pid=1)
    path = tmp_path / ".claims" / "a.json"
    assert not is_stale(place, "a")
    long_ago = time.time() - claims.SILENCE - 5
    os.utime(path, (long_ago, long_ago))
    assert is_stale(place, "a")
    claim.refresh()
    assert not is_stale(place, "a")


def test_claims_that_are_held_are_touched(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "BEAT", 0.02)
    monkeypatch.setattr(claims, "_HEART", claims._Heart())
    place = Place(tmp_path)
    claim = try_claim(place, "a")
    path = tmp_path / ".claims" / "a.json"
    os.utime(path, (0, 0))
    for _ in range(200):
        time.sleep(0.02)
        if path.stat().st_mtime > 0:
            break
    assert path.stat().st_mtime > 0
    claim.release()
    assert not path.exists()


def test_a_torn_claim_is_waited_for_and_then_stale(tmp_path):
    place = Place(tmp_path)
    place.write(b'{"pid": 1', ".claims", "a.json")
    assert not is_stale(place, "a")
    os.utime(tmp_path / ".claims" / "a.json", (0, 0))
    assert is_stale(place, "a")


def test_on_an_object_store_the_last_to_write_has_it(monkeypatch):
    monkeypatch.setattr(claims, "SETTLING", 0.0)
    place = Place("memory://claims")
    claim = try_claim(place, "a")
    assert not claim.lost
    assert try_claim(place, "a") is None
    claim.release()
    assert try_claim(place, "a") is not None

    def overtaken(seconds):
        rewrite(place, "b", token="another's")

    monkeypatch.setattr(claims.time, "sleep", overtaken)
    assert try_claim(place, "b") is None


# --- killed -------------------------------------------------------------------------------


def publish_all(where, count):
    """The work of a process: every run that nobody has done, in an order of its own."""
    torch.set_num_threads(1)
    store = Store(where)
    for seed in random.Random(os.getpid()).sample(range(count), count):
        name = f"{seed:016x}"
        if name in store:
            continue
        with store.claim(name):
            state = {"w": torch.arange(2000.0) * seed}
            store.publish(
                Identity(f"run-{seed}", name),
                config={"seed": seed},
                full={"seed": seed},
                provenance={},
                states={state_name(0): state, state_name(9): state},
                log={"epoch": [1.0], "loss": [float(seed)]},
                summary={"steps": 9},
            )


@pytest.mark.slow
def test_killed_at_any_moment_the_store_is_sound_and_the_same_in_the_end(tmp_path):
    count, kills, draws = 40, 0, random.Random(0)
    where = tmp_path / "killed"
    while kills < 25:
        child = FORK.Process(target=publish_all, args=(where, count))
        child.start()
        time.sleep(draws.uniform(0.0, 0.08))
        if child.is_alive():
            os.kill(child.pid, signal.SIGKILL)
            kills += 1
        child.join()
        for run in Store(where):  # never half a run
            assert run.steps == [0, 9]
            assert run.log()["loss"] == [float(run.config["seed"])]
        if len(Store(where)) == count:
            count += 40
    publish_all(where, count)
    publish_all(tmp_path / "whole", count)
    killed, whole = Store(where), Store(tmp_path / "whole")
    assert len(killed) == len(whole) == count
    for a, b in zip(killed, whole, strict=True):
        assert a.manifest == b.manifest
    assert {p.kind for p in killed.verify()} <= {"leftover"}
    assert all(p.folder.startswith((".tmp", ".claims")) for p in killed.verify())
