"""Names of runs: for people, no two alike."""

from dataclasses import replace

from ridgeline.study.names import names_of
from study.tiny import config


def named(*runs):
    found = names_of(runs)
    return [found[run.hash] for run in runs]


def test_one_run_has_its_name():
    run = config(3)
    assert named(run) == [run.name]


def test_the_same_run_is_one():
    assert len(names_of([config(3), config(3)])) == 1


def test_runs_of_one_name_are_told_by_what_differs():
    one = config(3)
    two = replace(one, training=replace(one.training, label_smoothing=0.25))
    assert one.name == two.name
    smooth = f"{one.name} (training.label_smoothing="
    assert named(one, two) == [f"{smooth}0.0)", f"{smooth}0.25)"]


def test_what_differs_too_much_to_be_said_is_the_hash():
    one = config(3)
    more = {"label_smoothing": 0.25, "clip": 1.5, "stop_below": 0.01}
    two = replace(one, training=replace(one.training, **more))
    assert named(one, two) == [f"{run.name} ({run.hash[:8]})" for run in (one, two)]


def test_names_stand_in_the_order_of_runs():
    runs = [config(5), config(3), config(4)]
    assert list(names_of(runs)) == [run.hash for run in runs]
    assert len(set(names_of(runs).values())) == 3
