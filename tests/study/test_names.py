"""Names of runs: for people, no two alike."""

from dataclasses import replace

from ridgeline.study.names import names_of
from study.tiny import config


def named(*runs):
    found = names_of(runs)
    return [found[run.hash] for run in runs]


def with_rate(run, rate):
    optimiser = replace(run.training.optimiser, learning_rate=rate)
    return replace(run, training=replace(run.training, optimiser=optimiser))


def test_one_run_has_its_name():
    run = config(3)
    assert named(run) == [run.name]


def test_the_same_run_is_one():
    assert len(names_of([config(3), config(3)])) == 1


def test_runs_of_one_name_are_told_by_what_differs():
    one, two = config(3), with_rate(config(3), 0.5)
    assert one.name == two.name
    first, second = named(one, two)
    assert first.startswith(f"{one.name} (") and "learning_rate=" in first
    assert "learning_rate=0.5" in second and first != second


def test_names_stand_in_the_order_of_runs():
    runs = [config(5), config(3), config(4)]
    assert list(names_of(runs)) == [run.hash for run in runs]
    assert len(set(names_of(runs).values())) == 3
