"""One optimiser's length on another's direction: equal to the formula, written with torch.optim."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgeline import training
from ridgeline.errors import UsageError
from ridgeline.nets import fcn
from ridgeline.training import (
    SGD,
    Adam,
    AdamW,
    Cosine,
    Grafted,
    Keep,
    Library,
    Member,
    Origin,
    Radius,
    Recipe,
    Relabel,
    RMSProp,
)
from training.plain import PlainGraft, plain_loop

PAIRS = {
    "sgd on adam": (
        Grafted(
            length=SGD(learning_rate=0.05, momentum=0.9, weight_decay=0.01),
            direction=Adam(learning_rate=0.01),
        ),
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.01),
        lambda p: torch.optim.Adam(p, lr=0.01),
    ),
    "adam on sgd": (
        Grafted(
            length=Adam(learning_rate=0.01, weight_decay=0.1),
            direction=SGD(learning_rate=0.1, momentum=0.5, nesterov=True),
        ),
        lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.5, nesterov=True),
    ),
    "adamw on rmsprop": (
        Grafted(
            length=AdamW(learning_rate=0.01, weight_decay=0.2),
            direction=RMSProp(learning_rate=0.01, momentum=0.5, weight_decay=0.1),
        ),
        lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.2),
        lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.5, weight_decay=0.1),
    ),
    "a direction below the floor": (
        Grafted(length=SGD(learning_rate=0.1), direction=SGD(learning_rate=1e-6)),
        lambda p: torch.optim.SGD(p, lr=0.1),
        lambda p: torch.optim.SGD(p, lr=1e-6),
    ),
}
RECIPE = Recipe(length="50it", batch_size=16, schedule=Cosine())


def members_of(rule, count=3):
    """With numbers of their own, so that no two are moved by one call, and once two that are."""
    rates = [0.05, 0.02, 0.05][:count]
    return [
        Member(
            fcn(6, 8, 3, seed=s).double(),
            replace(
                RECIPE, optimiser=replace(rule, length=replace(rule.length, learning_rate=rate))
            ),
            seed=s,
        )
        for s, rate in enumerate(rates)
    ]


@pytest.mark.parametrize("name", PAIRS)
def test_fifty_steps_equal_the_plain_loop(name, planted):
    rule, length, direction = PAIRS[name]
    recipe = replace(RECIPE, optimiser=rule)
    run = training.train(fcn(6, 8, 3, seed=1).double(), planted, recipe, seed=5)
    expected = plain_loop(
        fcn(6, 8, 3, seed=1).double(),
        planted,
        steps=50,
        batch=16,
        seed=5,
        make=lambda p: PlainGraft(p, length, direction),
        factor=lambda step: Cosine().factor(step, 50, 3),
    )
    for key, x in expected.items():
        torch.testing.assert_close(run.final[key], x, rtol=1e-8, atol=1e-10)
    assert not torch.allclose(run.final["fc1.weight"], run.initial["fc1.weight"])


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("name", PAIRS)
def test_members_equal_runs_alone(name, same, planted):
    rule, *_ = PAIRS[name]
    members = members_of(rule)
    if same:  # one call for the whole stack: the norms are of each member all the same
        members = [replace(m, recipe=replace(RECIPE, optimiser=rule)) for m in members]
    together = training.train_together(members, planted)
    for member, run in zip(members, together, strict=True):
        (alone,) = training.train_together([member], planted)
        for key, x in alone.final.items():
            torch.testing.assert_close(run.final[key], x, rtol=1e-9, atol=1e-11)


LAW = settings(deadline=None, max_examples=20, derandomize=True)


@LAW
@given(rate=st.floats(1e-3, 1.0), other=st.floats(1e-2, 1.0), seed=st.integers(0, 9))
def test_a_step_has_the_length_of_the_one_and_the_direction_of_the_other(rate, other, seed):
    draws = torch.Generator().manual_seed(seed)
    shapes = [(2, 3, 4), (2, 5)]
    before = [torch.randn(s, generator=draws, dtype=torch.float64) for s in shapes]
    slopes = [torch.randn(s, generator=draws, dtype=torch.float64) for s in shapes]
    rule = Grafted(length=SGD(learning_rate=rate), direction=Adam(learning_rate=other))
    slots = {slot: [torch.zeros_like(p) for p in before] for slot in rule.remembered()}
    after = [p.clone() for p in before]
    rule.update(after, slopes, slots, 0, 1.0)
    adams = [p.clone() for p in before]
    slots = {slot: [torch.zeros_like(p) for p in before] for slot in ("first", "second")}
    rule.direction.update(adams, slopes, slots, 0, other)
    for row in range(2):

        def flat(to):
            return torch.cat([(t - b)[row].flatten() for t, b in zip(to, before, strict=True)])  # noqa: B023

        slope = torch.cat([g[row].flatten() for g in slopes])
        assert float(flat(after).norm()) == pytest.approx(rate * float(slope.norm()), rel=1e-9)
        cosine = torch.nn.functional.cosine_similarity(flat(after), flat(adams), dim=0)
        assert float(cosine) == pytest.approx(1.0, abs=1e-9)


def test_grafting_an_optimiser_on_itself_is_that_optimiser(planted):
    for rule in (SGD(learning_rate=0.1, momentum=0.9), Adam(learning_rate=0.01)):
        grafted = Grafted(length=rule, direction=rule)
        a, b = (
            training.train(fcn(6, 8, 3).double(), planted, replace(RECIPE, optimiser=one))
            for one in (rule, grafted)
        )
        for key, x in a.final.items():
            torch.testing.assert_close(b.final[key], x, rtol=1e-9, atol=1e-11)


def test_its_own_rate_multiplies_both(planted):
    rule = PAIRS["sgd on adam"][0]
    halved = replace(
        rule,
        length=replace(rule.length, learning_rate=rule.length.learning_rate / 2),
        direction=replace(rule.direction, learning_rate=rule.direction.learning_rate / 2),
    )
    a, b = (
        training.train(fcn(6, 8, 3).double(), planted, replace(RECIPE, optimiser=one))
        for one in (replace(rule, learning_rate=0.5), halved)
    )
    for key, x in a.final.items():
        torch.testing.assert_close(b.final[key], x, rtol=1e-10, atol=1e-12)


def test_a_child_goes_on_with_what_both_remembered(planted):
    recipe = replace(RECIPE, optimiser=PAIRS["sgd on adam"][0], keep=Keep(spawn=("20it",)))
    net = fcn(6, 8, 3).double()
    parent = training.train(net, planted, recipe, seed=3)
    assert set(parent.slots[20]) == {"length.velocity", "direction.first", "direction.second"}
    origin = Origin(parent.states[20], parent.slots[20], step=20, count=20)
    same = training.train(net, planted, recipe, seed=3, origin=origin)
    assert all(torch.equal(same.final[key], x) for key, x in parent.final.items())


def test_a_stack_is_measured_and_stays_where_it_is_meanwhile(planted):
    """With all that may force weights away."""
    recipe = replace(
        RECIPE,
        optimiser=PAIRS["adam on sgd"][0],
        penalty=Radius(radius=3.0, strength=0.1),
        relabel=Relabel(share=1.0, until="4ep"),
    )
    members = [Member(fcn(6, 8, 3, seed=s).double(), recipe, seed=s) for s in range(3)]
    runs = training.train_many(members, planted)
    for member, run in zip(members, runs, strict=True):
        (alone,) = training.train_together([member], planted)
        for key, x in alone.final.items():
            torch.testing.assert_close(run.final[key], x, rtol=1e-9, atol=1e-11)


def test_what_cannot_be_grafted_is_refused():
    sgd = SGD(learning_rate=0.1)
    with pytest.raises(UsageError, match="`direction` is one of"):
        Grafted(length=sgd, direction=Library(learning_rate=0.1, name="torch.optim:Adagrad"))
    with pytest.raises(UsageError, match="`length` is one of"):
        Grafted(length=Grafted(length=sgd, direction=sgd), direction=sgd)
    with pytest.raises(UsageError, match="`weight_decay` of a grafted"):
        Grafted(length=sgd, direction=sgd, weight_decay=0.1)
