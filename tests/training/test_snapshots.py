"""A population goes on from a snapshot as if nothing had happened: bit for bit."""

import json
from dataclasses import replace

import pytest
import torch

from ridgeline import training
from ridgeline.errors import UsageError
from ridgeline.nets import fcn
from ridgeline.training import (
    EMA,
    L1,
    SGD,
    SWA,
    Adam,
    Augment,
    Grafted,
    Keep,
    Library,
    Member,
    Radius,
    Recipe,
    Relabel,
    RMSProp,
    Snapshot,
)

RECIPE = Recipe(
    length="12ep",
    batch_size=16,
    optimiser=SGD(learning_rate=0.1, momentum=0.9),
    keep=Keep(every="7it", spawn=("1ep",)),
    augment=Augment(noise=0.1),
    average=EMA(decay=0.9),
    assess="2ep",
)
KINDS = {
    "sgd": RECIPE,
    "adam": replace(RECIPE, optimiser=Adam(learning_rate=0.01)),
    "rmsprop": replace(RECIPE, optimiser=RMSProp(learning_rate=0.01, momentum=0.5)),
    "swa": replace(RECIPE, average=SWA(start="3it", every="5it")),
    "stopping": replace(RECIPE, stop_below=0.4, average=None),
    "stopping, drawn to a radius": replace(
        RECIPE, stop_below=0.4, penalty=Radius(radius=2.5, strength=0.01)
    ),
    "l1": replace(RECIPE, penalty=L1(strength=0.01)),
    "grafted": replace(
        RECIPE,
        optimiser=Grafted(
            length=SGD(learning_rate=0.1, momentum=0.9), direction=Adam(learning_rate=0.01)
        ),
    ),
    "relabelled": replace(RECIPE, relabel=Relabel(share=0.5, since="2ep", until="5ep1it")),
}


def members(recipe, count=4):
    return [
        Member(
            fcn(6, 8, 3, norm="batch", seed=s).double(),
            replace(recipe, optimiser=replace(recipe.optimiser, learning_rate=0.02 * 3**s)),
            seed=s,
        )
        for s in range(count)
    ]


def written(snapshot):
    """What a file would give back."""
    return Snapshot(
        {name: x.clone() for name, x in snapshot.tensors.items()},
        json.loads(json.dumps(snapshot.facts)),
    )


def assert_same(a, b):
    assert (a.steps, a.diverged, a.stopped, a.measured) == (
        b.steps,
        b.diverged,
        b.stopped,
        b.measured,
    )
    for name in a.log.keys() - {"seconds"}:
        assert str(a.log[name]) == str(b.log[name])
    pairs = [(a.states[step], b.states[step]) for step in a.states]
    assert a.states.keys() == b.states.keys()
    assert a.slots.keys() == b.slots.keys()
    pairs += [
        (a.slots[step][slot], b.slots[step][slot]) for step in a.slots for slot in a.slots[step]
    ]
    if a.average is not None:
        pairs.append((a.average, b.average))
    for left, right in pairs:
        assert left.keys() == right.keys()
        assert all(torch.equal(left[name], right[name]) for name in left)


LONG = ("rmsprop", "stopping", "stopping, drawn to a radius", "grafted", "l1", "relabelled")


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=pytest.mark.slow if k in LONG else ()) for k in KINDS]
)
def test_every_moment_leads_to_the_same_end(kind, planted):
    make = lambda: members(KINDS[kind])  # noqa: E731 (a fresh population each time)
    taken = []
    whole = training.train_together(
        make(), planted, test=planted, snapshot=taken.append, snapshot_seconds=0.0
    )
    assert len(taken) >= 30
    if kind.startswith("stopping"):
        assert 0 < sum(run.stopped for run in whole) < 4
    # A prime apart, so that they fall into every phase of an epoch of three steps.
    for snapshot in [*taken[::11], taken[-1]]:
        again = training.train_together(make(), planted, test=planted, resume=written(snapshot))
        for a, b in zip(whole, again, strict=True):
            assert_same(a, b)
            assert b.seconds >= snapshot.facts["seconds"]


def test_a_library_s_optimiser_is_taken_along(planted):
    rule = Library(name="torch.optim:Adagrad", learning_rate=0.01)
    recipe = replace(RECIPE, optimiser=rule)
    member = Member(fcn(6, 8, 3).double(), recipe)
    taken = []
    (whole,) = training.train_together(
        [member], planted, snapshot=taken.append, snapshot_seconds=0.0
    )
    (again,) = training.train_together([member], planted, resume=written(taken[11]))
    assert_same(whole, again)


def test_what_a_keeper_took_is_not_in_the_snapshot(planted):
    taken, kept = [], []
    training.train_together(
        members(RECIPE),
        planted,
        keeper=lambda *told: kept.append(told[:2]),
        snapshot=taken.append,
        snapshot_seconds=0.0,
    )
    assert [i for i, step in kept if step == 7] == [0, 1, 2, 3]
    assert not any("/states/" in name for name in taken[-1].tensors)


def test_a_snapshot_shares_nothing_with_the_population(planted):
    taken = []

    def take(snapshot):
        taken.append((snapshot, {name: x.clone() for name, x in snapshot.tensors.items()}))

    training.train_together(members(RECIPE), planted, snapshot=take, snapshot_seconds=0.0)
    for snapshot, copies in taken:
        assert all(torch.equal(x, copies[name]) for name, x in snapshot.tensors.items())


def test_a_snapshot_of_others_is_refused(planted):
    taken = []
    training.train_together(members(RECIPE, 2), planted, snapshot=taken.append)
    with pytest.raises(UsageError, match="snapshot of its own members"):
        training.train_together(members(RECIPE, 3), planted, resume=taken[-1])
    strange = Snapshot(taken[-1].tensors, taken[-1].facts | {"format": 99})
    with pytest.raises(UsageError, match="format 99"):
        training.train_together(members(RECIPE, 2), planted, resume=strange)
