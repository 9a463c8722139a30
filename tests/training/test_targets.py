"""Labels that are replaced for a part of training."""

from dataclasses import replace

import pytest
import torch

from ridgeline import training
from ridgeline.data.corruption import noisy_labels
from ridgeline.errors import DataError, UsageError
from ridgeline.nets import autoencoder, fcn
from ridgeline.training import SGD, Keep, Member, Recipe, Relabel
from training.plain import plain_loop

PER_EPOCH = 3
RECIPE = Recipe(length="50it", batch_size=16, optimiser=SGD(learning_rate=0.05, momentum=0.9))
TIMES = {
    "first corrupt, then clean": (Relabel(share=0.8, until="5ep"), range(15)),
    "corrupt from an epoch on": (Relabel(share=0.5, since="4ep", seed=3), range(12, 50)),
    "between two steps": (Relabel(share=1.0, since="1ep2it", until="20it"), range(5, 20)),
}


def members_of(relabel, targets=None):
    return [
        Member(
            fcn(6, 8, 3, seed=s).double(),
            replace(RECIPE, relabel=replace(relabel, share=relabel.share / (1 + s))),
            seed=s,
            targets=targets,
        )
        for s in range(3)
    ]


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n == "between two steps" else pytest.mark.slow) for n in TIMES],
)
def test_fifty_steps_equal_the_plain_loop_together_and_alone(name, planted):
    relabel, when = TIMES[name]
    members = members_of(relabel)
    together = training.train_together(members, planted)
    for member, run in zip(members, together, strict=True):
        how = member.recipe.relabel
        seed = member.seed if how.seed is None else how.seed
        moved = noisy_labels(planted.targets, how.share, 3, seed)
        assert not torch.equal(moved, planted.targets)
        (alone,) = training.train_together([member], planted)
        expected = plain_loop(
            fcn(6, 8, 3, seed=member.seed).double(),
            planted,
            steps=50,
            batch=16,
            seed=member.seed,
            make=lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
            targets=lambda step, moved=moved: moved if step in when else planted.targets,
        )
        for key, x in expected.items():
            torch.testing.assert_close(run.final[key], x, rtol=1e-9, atol=1e-11)
            torch.testing.assert_close(alone.final[key], x, rtol=1e-9, atol=1e-11)


def test_what_is_measured_at_the_end_is_on_the_labels_as_they_are(planted):
    recipe = replace(RECIPE, relabel=Relabel(share=1.0, since="1it"))
    net = fcn(6, 8, 3).double()
    run = training.train(net, planted, recipe)
    outputs = torch.func.functional_call(net, run.final, (planted.inputs,))
    loss = torch.nn.functional.cross_entropy(outputs, planted.targets)
    assert run.measured["train"]["loss"] == pytest.approx(float(loss))
    # The log is of what the batches had.
    assert run.log["loss"][-1] < 0.9 * float(loss)


def test_so_it_is_for_one_that_stops_while_labels_are_replaced(planted):
    """On its own samples, whose labels are its own too."""
    rows, own = torch.arange(8, 40), (planted.targets + 1) % 3
    recipe = replace(RECIPE, relabel=Relabel(share=1.0), stop_below=100.0)
    net = fcn(6, 8, 3).double()
    for targets in (own, None):
        member = Member(net, recipe, rows=rows, targets=targets)
        (run,) = training.train_together([member], planted)
        assert run.stopped and run.steps == 2
        outputs = torch.func.functional_call(net, run.final, (planted.inputs[rows],))
        clean = planted.targets if targets is None else targets
        loss = torch.nn.functional.cross_entropy(outputs, clean[rows])
        assert run.measured["train"]["loss"] == pytest.approx(float(loss))


def test_relabelled_throughout_is_label_noise(planted):
    recipe = replace(RECIPE, relabel=Relabel(share=0.4, seed=7))
    net = fcn(6, 8, 3).double()
    noisy = noisy_labels(planted.targets, 0.4, 3, 7)
    a = training.train(net, planted, recipe)
    b = training.train(net, (planted.inputs, noisy), RECIPE)
    assert all(torch.equal(a.final[key], x) for key, x in b.final.items())


def test_a_members_own_targets_are_what_is_replaced_and_what_comes_back(planted):
    own = (planted.targets + 1) % 3
    relabel = TIMES["first corrupt, then clean"][0]
    mine = training.train_together(members_of(relabel, own), planted)
    theirs = training.train_together(members_of(relabel), (planted.inputs, own))
    for a, b in zip(mine, theirs, strict=True):
        assert all(torch.equal(a.final[key], x) for key, x in b.final.items())
        assert a.measured["train"] == pytest.approx(b.measured["train"])


def test_states_before_it_begins_are_those_without(planted):
    keep = Keep(every="1it")
    net = fcn(6, 8, 3).double()
    recipe = replace(RECIPE, keep=keep)
    plain = training.train(net, planted, recipe)
    late = training.train(
        net, planted, replace(recipe, relabel=Relabel(share=1.0, since="10it", until="11it"))
    )
    same = [
        all(torch.equal(plain.states[s][n], late.states[s][n]) for n in plain.initial)
        for s in range(51)
    ]
    assert same == [s <= 10 for s in range(51)]


def test_more_classes_than_the_data_have_may_be_drawn(planted):
    recipe = replace(RECIPE, length="5it", relabel=Relabel(share=1.0, classes=8))
    run = training.train(fcn(6, 8, 8).double(), planted, recipe)
    fewer = replace(recipe, relabel=Relabel(share=1.0))
    other = training.train(fcn(6, 8, 8).double(), planted, fewer)
    assert not torch.equal(run.final["fc1.weight"], other.final["fc1.weight"])


def test_shares_and_seeds_are_stacked_and_times_are_not(planted):
    def key(**words):
        member = Member(fcn(6, 3).double(), replace(RECIPE, relabel=Relabel(**words)))
        return training.likeness(member, 45)

    assert key(share=0.1) == key(share=0.2, seed=3)
    assert len({key(share=0.1), key(share=0.1, since="1ep"), key(share=0.1, until="1ep")}) == 3
    plain = Member(fcn(6, 3).double(), RECIPE)
    assert training.likeness(plain, 45) != key(share=0.0)


def test_what_cannot_be_is_refused(planted):
    with pytest.raises(UsageError, match="`share` is a share"):
        Relabel(share=1.5)
    with pytest.raises(UsageError, match="`until` is after `since`"):
        Relabel(share=0.5, since="2ep", until="2ep")
    with pytest.raises(UsageError, match="`seed` is a whole number"):
        Relabel(share=0.5, seed=-1)
    for times in ({"since": "50it"}, {"until": "51it"}, {"since": "1ep", "until": "3it"}):
        recipe = replace(RECIPE, relabel=Relabel(share=0.5, **times))
        with pytest.raises(UsageError, match="from one step of a run to a later one"):
            training.train(fcn(6, 3).double(), planted, recipe)
    recipe = replace(RECIPE, loss="squared_error", relabel=Relabel(share=0.5))
    with pytest.raises(DataError, match="Labels are whole numbers"):
        training.train(autoencoder(6, 2).double(), (planted.inputs, planted.inputs), recipe)
