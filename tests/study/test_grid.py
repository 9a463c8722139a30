import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgeline.errors import SpecError
from ridgeline.study.grid import axes_of, points
from ridgeline.study.spec import load_spec
from ridgeline.training import SGD, Adam, Augment

TINY = """
name = "tiny"
seeds = 2
[net]
widths = [64, 8, 10]
[data]
set = "digits"
[training]
length = "2ep"
"""
RATE = "training.optimiser.learning_rate"
LAW = settings(deadline=None, max_examples=30, derandomize=True)


def rates(spec):
    return [run.training.optimiser.learning_rate for run in spec.runs]


def test_a_grid_is_the_product_of_its_axes_the_last_fastest_and_seeds_within():
    text = f'[grid]\n"{RATE}" = [0.1, 0.2]\n"net.widths" = [[64, 4, 10], [64, 5, 10]]'
    spec = load_spec(TINY + 'optimiser = { kind = "sgd", learning_rate = 1 }\n' + text)
    found = [
        (c.training.optimiser.learning_rate, c.net.options["widths"][1], c.seed) for c in spec.runs
    ]
    assert found == [(r, w, s) for r in (0.1, 0.2) for w in (4, 5) for s in (0, 1)]


def test_an_axis_may_move_whole_tables():
    spec = load_spec(
        TINY + '[grid]\n"training.optimiser" = [{ kind = "sgd", learning_rate = 0.5 }, '
        '{ kind = "adam", learning_rate = 0.001 }]'
    )
    rules = [run.training.optimiser for run in spec.runs[::2]]
    assert rules == [SGD(learning_rate=0.5), Adam(learning_rate=0.001)]


def test_paths_with_a_comma_between_move_together():
    spec = load_spec(
        TINY + '[grid]\n"training.length, training.batch_size" = [["3ep", 32], ["4ep", 64]]'
    )
    found = [(c.training.length, c.training.batch_size) for c in spec.runs]
    assert found == [("3ep", 32)] * 2 + [("4ep", 64)] * 2


def test_points_that_come_to_the_same_are_one_run():
    text = '[grid]\n"training.length" = ["3ep", "03ep"]\n"net.bias" = [true, false]'
    assert len(load_spec(TINY + text).runs) == 4


def test_an_override_takes_its_path_off_the_grid():
    text = f'[grid]\n"{RATE}" = [0.1, 0.2]\n'
    text += '"training.length, net.bias" = [["3ep", true], ["4ep", false]]'
    text = TINY + 'optimiser = { kind = "sgd", learning_rate = 1 }\n' + text
    spec = load_spec(text, [f"{RATE}=0.7", "training.length=5ep"])
    assert rates(spec) == [0.7] * 4
    assert [axis.paths for axis in spec.axes] == [("net.bias",)]
    assert {run.training.length for run in spec.runs} == {"5ep"}


def test_an_override_below_an_axis_of_tables_holds_for_each_of_them():
    text = '[grid]\n"training.optimiser" = [{ kind = "sgd", learning_rate = 0.5 }, '
    text += '{ kind = "adam", learning_rate = 0.001 }]'
    spec = load_spec(TINY + text, ["training.optimiser.weight_decay=0.1"])
    assert {run.training.optimiser.weight_decay for run in spec.runs} == {0.1}


@LAW
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_there_are_as_many_points_as_the_product_says_and_the_base_is_left_alone(lengths):
    base = {"net": {"widths": [1]}}
    grid = {f"net.o{i}": list(range(n)) for i, n in enumerate(lengths)}
    tables = list(points(base, axes_of(grid), {}))
    assert len(tables) == math.prod(lengths)
    assert len({tuple(sorted((k, str(v)) for k, v in t["net"].items())) for t in tables}) == len(
        tables
    )
    assert base == {"net": {"widths": [1]}}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f'"{RATE}" = 0.1', "is a list of values"),
        (f'"{RATE}" = []', "is a list of values"),
        ("training.length = ['1ep']", "dotted path in quotes"),
        ('"seeds" = [1, 2]', "Seeds are listed in `seeds`"),
        ('"nets.widths" = [1, 2]', "moves values of net, data, training or spawn"),
        ('"net.bias" = [true]\n"net.bias,net.norm" = [[true, "batch"]]', "on one axis only"),
        ('"net.bias,net.norm" = [[true]]', "is a list of 2 values"),
        ('"training.lenght" = ["1ep"]', "Did you mean 'length'"),
        ('"net.norms" = ["batch"]', "Did you mean 'norm'"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(line, said):
    with pytest.raises(SpecError, match=said):
        load_spec(f"{TINY}[grid]\n{line}")


def test_a_problem_of_many_points_is_told_once():
    with pytest.raises(SpecError) as refused:
        load_spec(TINY + '[grid]\n"net.bias" = [true, false]\n"data.set" = ["digits", "digist"]')
    assert [path for path, _ in refused.value.problems] == ["data.set"]


# --- children ----------------------------------------------------------------------------------


def test_children_follow_their_parents_which_keep_what_they_start_from():
    spec = load_spec(TINY + '[spawn]\nat = ["1ep", "0it"]\nchildren = 3')
    parents, children = spec.runs[:2], spec.runs[2:]
    assert len(children) == 2 * 2 * 3
    assert all(run.spawn is None for run in parents)
    assert all(run.training.keep.spawn == ("0it", "1ep") for run in parents)
    assert [(c.seed, c.spawn.at, c.spawn.seed) for c in children[:4]] == [
        *((0, "1ep", seed) for seed in range(3)),
        (0, "0it", 0),
    ]
    assert {child.parent for child in children} == set(parents)


def test_children_may_be_named_by_their_seeds_and_differ_in_protocol():
    spec = load_spec(
        TINY
        + '[spawn]\nat = "1ep"\nchildren = [5, 9]\nlength = "full"\naugment = { noise = 0.1 }\n'
        '[grid]\n"spawn.optimiser" = ["kept", "reset"]'
    )
    parents, children = spec.runs[:2], spec.runs[2:]
    assert len(children) == 8  # the two protocols share their parents
    assert [c.spawn.seed for c in children[:2]] == [5, 9]
    assert {c.spawn.optimiser for c in children} == {"kept", "reset"}
    assert {c.spawn.length for c in children} == {"full"}
    assert children[0].recipe.augment == Augment(noise=0.1)
    assert {child.parent for child in children} == set(parents)


def test_both_parts_of_skewed_data_are_an_axis():
    spec = load_spec(TINY + '[grid]\n"data.skew.part" = ["a", "b"]')
    assert [run.data.skew.part for run in spec.runs] == ["a", "a", "b", "b"]
