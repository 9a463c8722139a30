"""A store: publishing, finding, pruning and claiming runs."""

import os
from pathlib import Path

import pytest
import torch

from filled import HASH, content, fill, hash_of
from ridgeline.errors import StoreBusy, StoreError, UnknownName
from ridgeline.study.store import Identity, Store


def test_a_file_is_taken_as_a_state(store, tmp_path):
    from ridgeline import io

    held = content()
    path = io.save(held["states"]["step-00000005"], tmp_path / "kept.safetensors")
    run = store.publish(Identity("a", HASH), **held | {"states": {"step-00000005": path}})
    assert torch.equal(run.state(5)["fc1.bias"], held["states"]["step-00000005"]["fc1.bias"])
    assert path.exists()


def test_publishing_twice_keeps_the_first(store):
    first = store.publish(Identity("a", HASH), **content(0))
    again = store.publish(Identity("another-name", HASH), **content(1))
    assert again.config == first.config == {"seed": 0}
    assert len(store) == 1


def test_runs_are_found_by_their_hash_whatever_they_are_called(tmp_path):
    store = fill(Store(tmp_path), 2)
    (tmp_path / f"run-1-{hash_of(1)}").rename(tmp_path / f"renamed-{hash_of(1)}")
    assert store.find(hash_of(1)).config == {"seed": 1}
    (problem,) = store.verify()
    assert "rename the folder" in problem.text


def test_many_runs_are_found_by_one_listing_and_a_run_that_was_listed_by_none(store, monkeypatch):
    asked = [*(hash_of(seed) for seed in range(4)), "f" * 16]
    fill(Store(store.place.url), 4)
    listed, folders = [], Store.folders
    monkeypatch.setattr(Store, "folders", lambda s: listed.append(1) or folders(s))
    assert [run.config["seed"] for run in store.find_all(asked).values()] == [0, 1, 2, 3]
    assert len(listed) == 1
    assert store.find(hash_of(2)).config == {"seed": 2}
    assert len(listed) == 1


def test_what_another_process_publishes_moves_or_removes_is_seen(tmp_path):
    mine, others = Store(tmp_path), Store(tmp_path)
    assert mine.find(hash_of(0)) is None
    fill(others, 2)
    assert mine.find(hash_of(0)).config == {"seed": 0}
    (tmp_path / f"run-0-{hash_of(0)}").rename(tmp_path / f"renamed-{hash_of(0)}")
    assert mine.find(hash_of(0)).folder == f"renamed-{hash_of(0)}"
    (tmp_path / f"run-1-{hash_of(1)}" / "manifest.json").unlink()
    assert mine.find(hash_of(1)) is None


@pytest.mark.parametrize("function", ["fsync", "rename"])
def test_a_failure_at_any_moment_leaves_no_half_run(function, tmp_path, monkeypatch):
    """Every call of a function that writing relies on fails once; then nothing is there."""
    store, calls, fail_at = Store(tmp_path / "runs"), 0, 0
    true = getattr(os, function) if function == "fsync" else Path.rename

    def failing(*words):
        nonlocal calls
        calls += 1
        if calls == fail_at:
            raise OSError(5, "planted")
        return true(*words)

    monkeypatch.setattr(*((os, "fsync") if function == "fsync" else (Path, "rename")), failing)
    for fail_at in range(1, 30):  # noqa: B007 (read by the planted failure)
        calls = 0
        try:
            run = store.publish(Identity("a", HASH), **content())
        except OSError:
            if store.find(HASH) is not None:  # the folder's own entry was to be flushed
                assert store.verify() == []
                break
            assert [p for p in (tmp_path / "runs").iterdir() if p.name[0] != "."] == []
            continue
        assert run.steps == [0, 5, 10]
        break
    assert store.publish(Identity("a", HASH), **content()).steps == [0, 5, 10]
    assert store.verify() == []


def test_a_folder_without_a_manifest_is_no_run_and_is_replaced(tmp_path):
    broken = tmp_path / f"a-{HASH}"
    (broken / "states").mkdir(parents=True)
    (broken / "config.json").write_text("{}")
    store = Store(tmp_path)
    assert store.find(HASH) is None
    assert [p.kind for p in store.verify()] == ["incomplete"]
    store.publish(Identity("a", HASH), **content())
    assert store.find(HASH).steps == [0, 5, 10]


def test_an_unwritable_place_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="can be written to"):
        Store(tmp_path / "file").publish(Identity("a", HASH), **content())


def test_a_url_that_cannot_be_opened_is_refused():
    with pytest.raises(StoreError, match="fsspec can open"):
        Store("nosuch://runs")
    with pytest.raises(StoreError, match="in a folder"):
        _ = Store("memory://x").path


def test_pruning_frees_states_and_keeps_records(store):
    fill(store, 2)
    run = store.find(hash_of(0))
    would = store.prune([run], dry_run=True)
    assert (would.states, would.runs) == (1, 1)
    assert store.find(hash_of(0)).steps == [0, 5, 10]
    freed = store.prune([run])
    assert freed == would
    assert freed.bytes > 0
    after = store.find(hash_of(0))
    assert after.steps == [0, 10]
    assert after.pruned == ["step-00000005"]
    assert after.log()["epoch"] == [1.0, 2.0]
    with pytest.raises(UnknownName, match="freed by pruning"):
        after.state(5)
    assert store.find(hash_of(1)).steps == [0, 5, 10]
    assert store.verify() == []
    assert store.prune([after]).states == 0
    store.prune([after], keep=())
    assert store.find(hash_of(0)).steps == []
    assert store.verify() == []


def test_pruning_refuses_a_misspelt_name_before_it_frees_anything(store):
    run = fill(store, 1).find(hash_of(0))
    with pytest.raises(UnknownName, match="Did you mean 'first'"):
        store.prune([run], keep=["frist", "last"])
    assert store.find(hash_of(0)).states == run.states


def test_pruning_that_was_broken_off_is_finished_by_the_next(tmp_path):
    store = fill(Store(tmp_path), 1)
    run = store.find(hash_of(0))
    file = Path(run.path) / "states" / "step-00000005.safetensors"
    data = file.read_bytes()
    store.prune([run])
    file.write_bytes(data)  # as if the kill had come before the removal
    assert [p.kind for p in store.verify()] == ["leftover"]
    store.prune([store.find(hash_of(0))])
    assert store.verify() == []


def test_scratch_is_no_run(store, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = store.scratch("key")
    (folder / "x").write_text("1")
    assert store.scratch("key") == folder
    assert list(store) == []
    assert store.verify() == []
    store.discard_scratch("key")
    assert not folder.exists()
    store.discard_scratch("key")


def test_a_claim_that_is_held_is_named(store):
    with store.claim(HASH, note="testing") as claim:
        assert not claim.lost
        with pytest.raises(StoreBusy, match=rf"process {os.getpid()} on .*\(testing\)"):
            store.claim(HASH)
        assert store.try_claim(HASH) is None
        assert store.verify() == []
    assert store.holder(HASH) == ""
    store.claim(HASH).release()


def test_what_the_dead_left_is_swept_away_when_it_is_old(tmp_path):
    store = fill(Store(tmp_path), 1)
    old, fresh = tmp_path / ".tmp" / f"{HASH}.999999999-ab", tmp_path / ".tmp" / f"{HASH}.1-cd"
    for folder in (old, fresh):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    store.sweep()
    assert not old.exists()
    assert fresh.exists()
    assert len(store) == 1
    with store.claim(HASH) as claim:
        store.sweep()
        assert not claim.lost


def test_pruning_looks_at_what_is_there_now(tmp_path):
    store = fill(Store(tmp_path), 1)
    runs = list(store)
    store.prune(runs, keep=["last"])
    store.prune(runs, keep=["first", "last"])
    assert store.find(hash_of(0)).steps == [10]
    assert store.verify() == []
