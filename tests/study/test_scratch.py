"""The folder of an unfinished group: it goes on exactly, or begins again."""

import json

import pytest
import torch

from ridgeline import io, nets, training
from ridgeline.data import Split
from ridgeline.study.scratch import Scratch
from ridgeline.training import Keep, Member, Recipe


@pytest.fixture
def scratch(tmp_path):
    return Scratch(tmp_path / "group")


@pytest.fixture(scope="module")
def work():
    gen = torch.Generator().manual_seed(0)
    x = torch.randn(60, 8, generator=gen)
    data = Split(x, (x[:, 0] > 0).long())
    recipe = Recipe(length="6ep", batch_size=16, keep=Keep(every="5it", spawn=("4it",)))
    members = [Member(nets.fcn(8, 6, 2, seed=s), recipe, seed=s) for s in range(3)]
    return members, data


class Killed(Exception):
    pass


def train(scratch, work, stop_at=None):
    members, data = work
    names = scratch.begin(["a", "b", "c"])

    def progress(told):
        if stop_at is not None and told.step >= stop_at:
            raise Killed

    def keep(i, step, state):
        scratch.keep(names[i], step, state)
        if step == stop_at:
            raise Killed

    return training.train_together(
        members,
        data,
        keeper=keep,
        resume=scratch.snapshot(),
        snapshot=scratch.write,
        snapshot_seconds=0,
    )


def test_training_goes_on_from_the_last_snapshot_bit_for_bit(scratch, work, tmp_path):
    whole = Scratch(tmp_path / "whole")
    expected = train(whole, work)
    for at in (5, 15, 20):
        with pytest.raises(Killed):
            train(scratch, work, stop_at=at)
    begun = scratch.snapshot()
    assert begun is not None and begun.facts["clock"] == 19
    found = train(scratch, work)
    for a, b, name in zip(found, expected, "abc", strict=True):
        assert same(a.final, b.final) and a.steps == b.steps == 24
        assert {k: v for k, v in a.log.items() if k != "seconds"}.keys() >= {"loss", "error"}
        assert a.log["loss"] == b.log["loss"] and a.slots.keys() == b.slots.keys() == {4}
        assert list(scratch.kept(name)) == [f"step-{s:08d}" for s in (0, 4, 5, 10, 15, 20, 24)]
        for state, path in whole.kept(name).items():
            assert same(io.load(path), io.load(scratch.kept(name)[state]))


def test_a_snapshot_without_its_states_or_of_another_version_is_void(scratch, work):
    with pytest.raises(Killed):
        train(scratch, work, stop_at=10)
    assert scratch.snapshot() is not None
    path = scratch.kept("b")["step-00000005"]
    path.rename(path.with_suffix(".gone"))
    assert scratch.snapshot() is None
    path.with_suffix(".gone").rename(path)
    assert scratch.snapshot() is not None
    (scratch.folder / "snapshot.safetensors").write_bytes(b"torn")
    assert scratch.snapshot() is None


def test_who_has_begun_stays_together(scratch):
    assert scratch.begin(["a", "b", "c"]) == ["a", "b", "c"]
    assert scratch.begin(["b"]) == ["a", "b", "c"]  # a and c were published before a kill
    scratch.keep("a", 1, {"w": torch.ones(2)})
    assert scratch.begin(["d", "b"]) == ["d", "b"]  # another group under this key: begun anew
    assert scratch.kept("a") == {}
    assert json.loads((scratch.folder / "group.json").read_text()) == ["d", "b"]


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
