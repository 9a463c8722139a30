"""What is wrong with a store."""

import pytest

from ridgeline.errors import StoreError
from ridgeline.nets import fcn
from ridgeline.study.store import Identity, Store
from ridgeline.study.store.records import state_name


def content(seed=0, steps=(0, 5, 10)):
    net = fcn(4, 3, 2, norm="batch", seed=seed)
    states = {
        state_name(step): {k: x + step for k, x in net.state_dict().items()} for step in steps
    }
    return {
        "config": {"seed": seed},
        "full": {"seed": seed, "net": {"kind": "fcn", "widths": [4, 3, 2]}},
        "provenance": {"host": "here"},
        "states": states,
        "log": {"epoch": [1.0, 2.0], "loss": [0.5, float("nan")]},
        "summary": {"steps": 10, "final": {"train": {"loss": 0.25}}},
    }


def hash_of(seed):
    return f"{seed:016x}"


def fill(store, count):
    for seed in range(count):
        store.publish(Identity(f"run-{seed}", hash_of(seed)), **content(seed))
    return store


@pytest.fixture(params=["folder", "memory"])
def store(request, tmp_path):
    where = tmp_path / "runs" if request.param == "folder" else f"memory://{tmp_path.name}/runs"
    return Store(where)


def damage(path, kind):
    data = path.read_bytes()
    if kind == "flipped":
        middle = len(data) // 2
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    elif kind == "truncated":
        path.write_bytes(data[:-1])
    else:
        path.unlink()


@pytest.mark.parametrize("file", ["states/step-00000005.safetensors", "log.parquet", "full.json"])
@pytest.mark.parametrize(
    ("kind", "expected"), [("flipped", "changed"), ("truncated", "changed"), ("gone", "missing")]
)
def test_damage_is_found(file, kind, expected, tmp_path):
    store = fill(Store(tmp_path), 3)
    damage(tmp_path / f"run-1-{hash_of(1)}" / file, kind)
    (problem,) = store.verify()
    assert (problem.folder, problem.kind) == (f"run-1-{hash_of(1)}", expected)
    assert file in problem.text
    assert bool(store.verify(deep=False)) == (kind != "flipped")


def test_a_torn_manifest_and_strange_files_are_found(tmp_path):
    store = fill(Store(tmp_path), 3)
    (tmp_path / f"run-0-{hash_of(0)}" / "manifest.json").write_text('{"format": 1, "na')
    (tmp_path / f"run-1-{hash_of(1)}" / "notes.txt").write_text("mine")
    (tmp_path / "todo.txt").write_text("mine")
    kinds = {(p.folder, p.kind) for p in store.verify()}
    assert kinds == {
        (f"run-0-{hash_of(0)}", "unreadable"),
        (f"run-1-{hash_of(1)}", "foreign"),
        ("todo.txt", "foreign"),
    }
    assert [run.identity.name for run in store] == ["run-1", "run-2"]
    with pytest.raises(StoreError, match="A manifest is JSON"):
        store.find(hash_of(0))
