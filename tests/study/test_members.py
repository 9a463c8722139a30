"""From configs to members: data, labels, rows, and where children go on."""

import pytest
import torch

from ridgeline import data
from ridgeline.data.corruption import noisy_labels, skewed
from ridgeline.errors import DataError
from ridgeline.rng import seed_of
from ridgeline.study.members import Sources, _settled, prepare
from ridgeline.training import Recipe, Relabel
from study.tiny import config

SET = "digits?train=120&test=60"


def test_a_plain_run_trains_on_all_with_its_own_seed():
    made = prepare(config(3))
    assert made.member.seed == 3 and made.member.origin is None
    assert made.member.rows is None and made.member.targets is None
    assert made.member.recipe == config(3).training
    whole = data.load(SET)
    assert torch.equal(made.data.inputs, whole["train"].inputs)
    assert torch.equal(made.test.targets, whole["test"].targets)
    assert made.fingerprint == whole.fingerprint
    built = config(3).net.build(3).state_dict()
    for name, x in made.member.model.state_dict().items():
        assert torch.equal(x, built[name])


def test_data_are_loaded_once_in_a_process():
    assert prepare(config(0)).data is prepare(config(1)).data
    assert prepare(config(0)).key == prepare(config(1)).key
    assert prepare(config(0)).key != prepare(config(0, data="digits?train=100")).key


def test_label_noise_is_of_the_run_or_of_a_seed_of_its_own():
    labels = data.load(SET)["train"].targets
    own = [prepare(config(s, data__label_noise=0.3)).member.targets for s in (0, 1)]
    assert torch.equal(own[1], noisy_labels(labels, 0.3, 10, 1)) and not torch.equal(*own)
    shared = [
        prepare(config(s, data__label_noise=0.3, data__noise_seed=7)).member.targets for s in (0, 1)
    ]
    assert torch.equal(*shared) and torch.equal(shared[0], noisy_labels(labels, 0.3, 10, 7))
    # The test labels and the data that others train on stay as they are.
    assert torch.equal(prepare(config(0, data__label_noise=0.3)).data.targets, labels)


def test_a_skew_gives_rows():
    labels = data.load(SET)["train"].targets
    parts = {
        part: prepare(config(0, data__skew={"part": part, "share": 0.8, "seed": 4})).member.rows
        for part in "ab"
    }
    for rows, expected in zip(parts.values(), skewed(labels, 0.8, 4), strict=True):
        assert torch.equal(rows, expected)
    assert sorted(torch.cat(list(parts.values())).tolist()) == list(range(120))


def test_inputs_as_targets():
    made = prepare(config(0, data__targets="inputs"))
    assert made.data.targets is made.data.inputs and made.test.targets is made.test.inputs
    assert made.key != prepare(config(0)).key
    skew = {"part": "a"}
    assert len(prepare(config(0, data__targets="inputs", data__skew=skew)).member.rows) < 120


@pytest.mark.parametrize("rule", ["sgd", "adam"])
@pytest.mark.parametrize("optimiser", ["kept", "reset"])
@pytest.mark.parametrize("length", ["fixed", "full"])
def test_a_child_goes_on_from_its_parent(rule, optimiser, length):
    child = config(2, child_seed=9, spawn="1ep2it", rule=rule, optimiser=optimiser, length=length)
    asked = []
    state = {"w": torch.ones(2)}
    slots = {"velocity": {"w": torch.zeros(2)}}

    def parents(parent, step, remembers):
        asked.append((parent.hash, step, remembers))
        return state, slots if remembers else {}

    made = prepare(child, parents=parents).member
    assert asked == [(child.parent.hash, 8, optimiser == "kept")]
    assert made.seed == made.draws == seed_of(2, "child", 9) and made.origin.state is state
    assert made.origin.step == (8 if length == "fixed" else 0)
    assert made.origin.slots == (slots if optimiser == "kept" else {})
    assert made.origin.count == (8 if optimiser == "kept" else 0)
    # For a plan, shapes are enough: the same clock and slots of the same names.
    planned = prepare(child).member.origin
    assert (planned.step, planned.count) == (made.origin.step, made.origin.count)
    names = {"sgd": {"velocity"}, "adam": {"first", "second"}}[rule]
    assert set(planned.slots) == (names if optimiser == "kept" else set())


def test_a_child_may_differ_in_its_order_or_in_its_noise_alone():
    own = seed_of(2, "child", 9)
    made = prepare(config(2, child_seed=9, spawn="1ep", differ="order")).member
    assert (made.seed, made.draws) == (own, 2)
    made = prepare(config(2, child_seed=9, spawn="1ep", differ="augmentation")).member
    assert (made.seed, made.draws) == (2, own)


def test_a_childs_clock_is_in_the_epochs_of_what_it_trains_on():
    child = config(0, child_seed=1, spawn="1ep", data__skew={"part": "a", "share": 0.9})
    made = prepare(child).member
    assert made.origin.step == -(-len(made.rows) // 20) != 6


def test_what_is_missing_is_told(tmp_path):
    with pytest.raises(DataError, match="files of cifar10 must be on this machine"):
        prepare(config(0, data="cifar10"), sources=Sources(root=str(tmp_path)))


@pytest.mark.parametrize(("own", "of_data", "taken"), [(5, 10, 5), (None, 10, 10), (5, None, 5)])
def test_the_classes_of_a_relabelling_are_the_recipes_own_before_those_of_the_data(
    own, of_data, taken
):
    recipe = Recipe(length="4ep", relabel=Relabel(share=0.5, classes=own))
    assert _settled(recipe, 3, of_data).relabel.classes == taken
