"""What a spec says and what it would take, as dicts that print as text."""

from ridgeline.study.describe import describe, plan_summary
from ridgeline.study.spec import load_spec

TINY = """
name = "tiny"
[net]
widths = [64, 8, 10]
[data]
set = "digits"
[training]
length = "2ep"
"""


def test_every_value_tells_where_it_comes_from_and_what_it_means():
    text = TINY + 'schedule = { kind = "cosine" }\noptimiser = { kind = "sgd" }\n'
    text += '[spawn]\nat = "1ep"\n'
    text += '[grid]\n"training.optimiser.learning_rate" = [0.1, 0.2]\n"net.bias" = [true, false]'
    about = describe(load_spec(text, ["training.batch_size=64", "net.bias=false"]))
    source = {value["path"]: value["source"] for value in about["values"]}
    assert source["training.schedule.kind"] == source["net.widths"] == "file"
    assert source["training.batch_size"] == source["net.bias"] == "override"
    assert source["training.optimiser.learning_rate"] == "grid"
    assert source["training.keep.spawn"] == "spawn"
    assert source["training.clip"] == source["net.kind"] == source["spawn.optimiser"] == "default"
    meaning = {value["path"]: value["meaning"] for value in about["values"]}
    assert meaning["training.clip"].startswith("Largest Euclidean norm")
    assert meaning["training.schedule.warm_up"] == "A duration."
    assert (about["parents"], about["children"]) == (2, 4)
    assert [axis["values"] for axis in about["axes"]] == [[0.1, 0.2]]


def test_a_description_prints_as_lines():
    lines = str(describe(load_spec("seeds = 2" + TINY))).splitlines()
    assert lines[:2] == ["tiny", "2 runs"]
    assert "[training]" in lines
    batch = next(line for line in lines if line.startswith("batch_size = 128"))
    assert batch.split(maxsplit=4)[3:] == [
        "default",
        "Samples of a step; the last of an epoch has what is left.",
    ]


def test_a_plan_counts_steps_states_and_bytes():
    text = TINY.replace('"2ep"', '"2ep"\nkeep = { at = ["5it"] }\naverage = { kind = "ema" }')
    text += "optimiser = { kind = 'sgd', learning_rate = 0.1, momentum = 0.9 }\n"
    text += '[spawn]\nat = ["1ep"]\nchildren = 2\n'
    planned = plan_summary(load_spec(text))
    parameters = 64 * 8 + 8 + 8 * 10 + 10
    assert planned["nets"][0]["parameters"] == parameters
    assert planned["steps"] == 24 + 2 * 12  # 1437 samples in batches of 128
    parent, child = 4 + 1, 2 + 1  # steps 0, 5, 12, 24; steps 12, 24; and averages
    assert planned["states"] == parent + 2 * child
    assert planned["bytes"] == 4 * parameters * (parent + 2 * child + 1)
    assert "610 parameters" in str(planned) and "KiB" in str(planned)


def test_what_depends_on_unknown_data_is_said_to_be_unknown():
    spec = load_spec(TINY, ["data.set=my_data:build"])
    assert plan_summary(spec)["steps"] is None
    assert "not known" in str(plan_summary(spec))
    assert plan_summary(spec, samples={"my_data:build": 256})["steps"] == 4
