"""One callback of one signature, whatever is done."""

import inspect

import ridgeline as rl
import zoo
from ridgeline.progress import Progress, silent, under


def told():
    seen = []
    return seen, lambda what, done, of: seen.append((what, done, of))


def test_a_part_is_told_of_under_one_name():
    seen, progress = told()
    under(progress, "the whole")("its own", 2, 3)
    assert seen == [("the whole", 2, 3)]
    assert under(None, "the whole") is None
    assert silent("x", 0, 1) is None


def test_layers_are_told_of_by_name_and_splits_where_there_are_several():
    model, data, a, b = zoo.build("mlp", n=40)
    seen, progress = told()
    goal = rl.Objective(model, data)
    first = next(iter(rl.state.layers(a)))
    rl.layerwise(a, b, goal, only=[first], points=3, progress=progress)
    assert seen and {what for what, _, _ in seen} == {first}
    assert seen[-1][1:] == (40, 40)
    seen.clear()
    rl.layerwise(a, b, {"train": goal, "test": goal}, only=[first], points=3, progress=progress)
    assert {what for what, _, _ in seen} == {f"{first} (train)", f"{first} (test)"}


def test_every_public_verb_takes_the_same_callback():
    for verb in (rl.profile, rl.layerwise, rl.surface, rl.align, rl.align_many, rl.explain):
        assert inspect.signature(verb).parameters["progress"].annotation == Progress | None
