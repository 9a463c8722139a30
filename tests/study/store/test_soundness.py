"""What is wrong with a store."""

import pytest

from filled import fill, hash_of
from ridgeline.errors import StoreError
from ridgeline.study.store import Store


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
