"""What a finished run is on disk, and how it is read."""

import json

import pytest
import torch

from filled import HASH, content, fill, hash_of
from ridgeline.errors import CheckpointError, StoreError, UnknownName
from ridgeline.nets import transformer
from ridgeline.study.store import Identity, Store
from ridgeline.study.store.records import state_name


def test_a_run_comes_back_as_it_went_in(store):
    assert HASH not in store
    assert list(store) == []
    held = content()
    run = store.publish(Identity("fcn-seed=0", HASH), **held, extras={"group": {"size": 3}})
    assert HASH in store
    found = store.find(HASH)
    assert found.identity == run.identity == Identity("fcn-seed=0", HASH)
    assert (found.config, found.full) == (held["config"], held["full"])
    assert (found.provenance, found.summary) == (held["provenance"], held["summary"])
    assert found.extra("group") == {"size": 3}
    assert found.steps == [0, 5, 10]
    for step in found.steps:
        state = found.state(step)
        expected = held["states"][state_name(step)]
        assert list(state) == list(expected) or set(state) == set(expected)
        assert all(
            torch.equal(state[k], x) and state[k].dtype == x.dtype for k, x in expected.items()
        )
    assert torch.equal(found.state("last")["fc1.weight"], found.state(10)["fc1.weight"])
    assert torch.equal(found.state("first")["fc1.weight"], found.state(0)["fc1.weight"])
    assert str(found.log()) == str(held["log"])
    assert len(store) == 1
    assert store.verify() == []


def test_ties_and_narrow_types_survive(store):
    state = transformer(5, 4, 8, 2, 1).state_dict()
    state["norm.weight"] = state["norm.weight"].bfloat16()
    run = store.publish(Identity("t", HASH), **content() | {"states": {"average": state}})
    back = run.state("average")
    assert back["head.weight"] is back["token.weight"]
    assert back["norm.weight"].dtype == torch.bfloat16
    assert run.steps == []


def test_what_is_not_there_is_answered_with_what_is(store):
    run = store.publish(Identity("a", HASH), **content())
    with pytest.raises(UnknownName, match="step-00000005"):
        run.state(6)
    with pytest.raises(UnknownName, match="provenance"):
        run.extra("provenence")
    assert store.find("f" * 16) is None


@pytest.mark.parametrize("wrong", ["", "abc", "0123456789ABCDEF", HASH + "0"])
def test_hashes_and_names_are_checked(wrong):
    with pytest.raises(StoreError, match="16 hexadecimal"):
        Identity("a", wrong)
    with pytest.raises(StoreError, match="letters, digits"):
        Identity("a/b", HASH)


def test_records_must_be_json(store):
    with pytest.raises(StoreError, match="'manifest'"):
        store.publish(Identity("a", HASH), **content() | {"summary": {"loss": float("nan")}})
    assert list(store) == []
    with pytest.raises(StoreError, match="'config'"):
        store.publish(Identity("a", HASH), **content() | {"config": {"x": object()}})
    assert list(store) == []


def damage(path, kind):
    data = path.read_bytes()
    if kind == "flipped":
        middle = len(data) // 2
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    elif kind == "truncated":
        path.write_bytes(data[:-1])
    else:
        path.unlink()


def test_a_torn_state_is_refused_when_it_is_read(tmp_path):
    store = fill(Store(tmp_path), 1)
    path = tmp_path / f"run-0-{hash_of(0)}" / "states" / "step-00000005.safetensors"
    damage(path, "truncated")
    with pytest.raises(CheckpointError):
        store.find(hash_of(0)).state(5)


def test_a_format_of_the_future_is_not_misread(tmp_path):
    store = fill(Store(tmp_path), 1)
    path = tmp_path / f"run-0-{hash_of(0)}" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    with pytest.raises(StoreError, match="format 2"):
        store.find(hash_of(0))


@pytest.mark.parametrize("file", ["full.json", "config.json", "provenance.json", "log.parquet"])
def test_a_damaged_record_is_told(file, tmp_path):
    store = fill(Store(tmp_path), 1)
    path = tmp_path / f"run-0-{hash_of(0)}" / file
    for broken in (lambda: path.write_bytes(b"{"), path.unlink):
        broken()
        run = store.find(hash_of(0))
        with pytest.raises(StoreError, match=f"{file} cannot be read.*runs verify"):
            run.log() if file == "log.parquet" else getattr(run, file.removesuffix(".json"))
