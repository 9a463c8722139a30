"""What can be said of a config before its data are loaded."""

from dataclasses import replace

import pytest

from ridgeline import data
from ridgeline.study.checks import SAMPLES, problems_in, samples_of, steps_of_epoch
from ridgeline.study.parts import DataConfig, SkewConfig, SpawnConfig
from ridgeline.training import SWA, Keep, Relabel
from study.tiny import config


def told(run):
    return [(path, error.rule, error.got) for path, error in problems_in(run)]


def with_training(**changes):
    run = config(3)
    return replace(run, training=replace(run.training, **changes))


@pytest.mark.parametrize(
    ("name", "count"),
    [("digits", 1437), ("digits?train=50", 50), ("digits?seed=1&train=50&test=9", 50),
     ("mnist?test=9", 60000), ("mine.data:build", None), ("cifar10", 50000)],
)  # fmt: skip
def test_samples_are_known_by_name(name, count):
    assert samples_of(DataConfig(set=name)) == count


def test_a_skewed_half_is_about_a_half():
    assert samples_of(DataConfig(set="digits?train=51", skew=SkewConfig(part="a"))) == 25


def test_an_epoch_is_rounded_up():
    run = replace(config(3), data=DataConfig(set="digits?train=101"))
    run = replace(run, training=replace(run.training, batch_size=20))
    assert steps_of_epoch(run) == 6
    assert steps_of_epoch(replace(run, data=DataConfig(set="mine.data:build"))) is None


def test_a_sound_config_has_no_problems():
    assert told(config(3)) == []


@pytest.mark.parametrize(
    ("name", "rule", "got"),
    [
        ("digit", None, None),
        ("digits?train=many", "Options of a data set are whole numbers.", "'train=many'"),
        ("digits?size=3", None, None),
    ],
)
def test_data_that_cannot_be_are_told_at_their_place(name, rule, got):
    (found,) = told(replace(config(3), data=DataConfig(set=name)))
    assert found[0] == "data.set" and (rule is None or found[1:] == (rule, got))


def test_ones_own_data_are_not_judged():
    assert told(replace(config(3), data=DataConfig(set="mine.data:build"))) == []


def test_labels_that_are_none_cannot_be_replaced():
    run = with_training(relabel=Relabel(share=0.5), length="3ep")
    run = replace(run, data=DataConfig(set="digits", targets="inputs"))
    assert (
        "training.relabel",
        "`relabel` is for targets that are labels.",
        'data.targets="inputs"',
    ) in told(run)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"keep": Keep(at=("4ep",))}, "training.keep.at"),
        ({"keep": Keep(spawn=("4ep",))}, "training.keep.spawn"),
        ({"average": SWA(start="4ep")}, "training.average.start"),
        ({"relabel": Relabel(share=0.5, since="4ep")}, "training.relabel.since"),
        ({"relabel": Relabel(share=0.5, until="4ep")}, "training.relabel.until"),
    ],
)
def test_times_beyond_the_end_are_told_with_their_path(changes, path):
    found = problems_in(with_training(length="3ep", **changes))
    assert [p for p, _ in found] == [path]
    assert found[0][1].rule == "A time within the run is at its end, 3ep, at the latest."
    assert found[0][1].got.startswith("'4ep'") and "train for longer" in found[0][1].remedy
    assert problems_in(with_training(length="4ep", **changes)) == []


def test_steps_are_compared_with_epochs_where_their_number_is_known():
    run = with_training(length="3ep", keep=Keep(at=("1000000it",)))
    (found,) = problems_in(run)
    per = steps_of_epoch(run)
    assert found[1].got == f"'1000000it' at {per} steps an epoch"
    own = replace(run, data=DataConfig(set="mine.data:build"))
    assert problems_in(own) == []


def spawned(at, length="fixed", **more):
    run = with_training(length="3ep")
    spawn = SpawnConfig(at=at, seed=9, length=length, **more)
    return replace(run, spawn=spawn)


def test_a_child_of_fixed_length_starts_before_its_parent_ends():
    (found,) = problems_in(spawned("3ep"))
    assert found[0] == "spawn.at"
    assert found[1].rule == "A child of fixed length starts before its parent ends, at 3ep."
    assert problems_in(spawned("2ep")) == []
    assert problems_in(spawned("3ep", "full", optimiser="reset")) == []
    (late,) = problems_in(spawned("4ep", "full", optimiser="reset"))
    assert late[1].rule.startswith("A time within the run is at its end")


def test_a_childs_own_data_are_looked_at_too():
    own = {"length": "full", "optimiser": "reset", "data": DataConfig(set="digitz")}
    assert [path for path, _ in problems_in(spawned("1ep", **own))] == ["spawn.data.set"]


@pytest.mark.parametrize("name", ["digits", "mnist1d"])
def test_sizes_are_those_of_the_data_that_come_along(name):
    assert len(data.load(name)["train"]) == SAMPLES[name]
