import pytest

from ridgeline.errors import SpecError, UnknownName
from ridgeline.study.scales import load_scale, merged

TEXT = """
paper = "wang2023"
about = "tiny"
seeds = 3

[measure]
points = 11
[measure.depth]
points = 21

[base.net]
kind = "fcn"
widths = [64, 8, 10]
[base.data]
set = "digits"
[base.training]
length = "1ep"
optimiser = { kind = "sgd", learning_rate = 0.1, momentum = 0.9 }

[populations.biases.grid]
"net.bias" = [true, false]

[populations.adam]
seeds = 2
training = { optimiser = { kind = "adam", learning_rate = 0.001 } }

[populations.slow]
training = { optimiser = { learning_rate = 0.01 } }
"""


def test_populations_are_laid_over_the_base():
    scale = load_scale(TEXT)
    assert [len(spec.runs) for spec in scale.populations.values()] == [6, 2, 3]
    adam = scale.populations["adam"].runs[0].training.optimiser
    assert (adam.kind, adam.learning_rate) == ("adam", 0.001)
    slow = scale.populations["slow"].runs[0].training.optimiser
    assert (slow.learning_rate, slow.momentum) == (0.01, 0.9)


def test_an_items_own_setting_comes_first():
    scale = load_scale(TEXT)
    assert scale.setting("points") == 11
    assert scale.setting("points", "depth") == 21
    assert scale.setting("points", "other") == 11
    with pytest.raises(UnknownName, match="points"):
        scale.setting("point")


def test_overrides_and_seeds():
    scale = load_scale(TEXT, ["base.data.set=mnist1d", "measure.points=5"], seeds=1)
    assert {run.data.set for spec in scale.populations.values() for run in spec.runs} == {"mnist1d"}
    assert [len(spec.runs) for spec in scale.populations.values()] == [2, 1, 1]
    assert scale.setting("points") == 5
    assert scale.overrides["seeds"] == 1


def test_an_override_of_the_base_lies_under_what_a_population_says():
    scale = load_scale(TEXT, ["base.training.optimiser.learning_rate=0.5"])
    rates = [spec.runs[0].training.optimiser.learning_rate for spec in scale.populations.values()]
    assert rates == [0.5, 0.001, 0.01]


def test_ones_own_data_are_put_everywhere():
    more = """
[populations.small.grid]
"data.set" = ["digits?train=100", "digits?train=200"]
[populations.other]
data = { set = "mnist1d" }
"""
    scale = load_scale(TEXT + more, ["base.data.set=my_project.data:load"])
    sets = {run.data.set for spec in scale.populations.values() for run in spec.runs}
    assert sets == {"my_project.data:load"}
    assert len(scale.populations["small"].runs) == 3


def test_an_override_of_one_population():
    scale = load_scale(TEXT, ["populations.slow.net.widths=[64, 4, 10]"])
    assert list(scale.populations["slow"].runs[0].net.options["widths"]) == [64, 4, 10]
    assert list(scale.populations["biases"].runs[0].net.options["widths"]) == [64, 8, 10]


def test_problems_name_the_population():
    scale = load_scale(TEXT.replace('"net.bias"', '"net.biass"'))
    with pytest.raises(SpecError, match=r"populations\.biases.*biass"):
        _ = scale.populations


def test_unknown_tables_and_a_missing_paper_are_refused():
    with pytest.raises(SpecError, match="population"):
        load_scale(TEXT.replace("[populations.slow]", "[population.slow]"))
    with pytest.raises(SpecError, match="names the paper"):
        load_scale(TEXT.replace('paper = "wang2023"', ""))


def test_a_table_of_another_kind_replaces_the_one_under_it():
    base = {"a": {"kind": "x", "only": 1}, "b": 1}
    assert merged(base, {"a": {"kind": "y"}}) == {"a": {"kind": "y"}, "b": 1}
    assert merged(base, {"a": {"more": 2}}) == {"a": {"kind": "x", "only": 1, "more": 2}, "b": 1}
    assert base == {"a": {"kind": "x", "only": 1}, "b": 1}
