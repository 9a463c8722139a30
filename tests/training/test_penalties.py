"""Penalties of the weights: equal to automatic differentiation of the sum that is stated."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgeline import training
from ridgeline.errors import UsageError
from ridgeline.nets import fcn, transformer
from ridgeline.training import L1, SGD, Adam, Member, Radius, Recipe
from ridgeline.training.penalties import Penalties
from training.plain import plain_loop

RECIPE = Recipe(length="50it", batch_size=16, optimiser=SGD(learning_rate=0.05, momentum=0.9))
LAW = settings(deadline=None, max_examples=40, derandomize=True)


def radius_of(one):
    return lambda ps: sum(one.strength * (p.norm() - one.radius) ** 2 for p in ps)


def l1_of(one):
    return lambda ps: sum(one.strength * p.abs().sum() for p in ps)


KINDS = {
    "radius": ([Radius(radius=2.0 + s, strength=0.05 * (s + 1)) for s in range(3)], radius_of),
    "l1": ([L1(strength=0.01 * (s + 1)) for s in range(3)], l1_of),
}


def members_of(kind, recipe=RECIPE):
    penalties, _ = KINDS[kind]
    return [
        Member(fcn(6, 8, 8, 3, seed=s).double(), replace(recipe, penalty=one), seed=s)
        for s, one in enumerate(penalties)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_fifty_steps_equal_the_plain_loop_together_and_alone(kind, planted):
    members = members_of(kind)
    together = training.train_together(members, planted)
    for member, run in zip(members, together, strict=True):
        (alone,) = training.train_together([member], planted)
        expected = plain_loop(
            fcn(6, 8, 8, 3, seed=member.seed).double(),
            planted,
            steps=50,
            batch=16,
            seed=member.seed,
            make=lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
            penalty=KINDS[kind][1](member.recipe.penalty),
        )
        for name, x in expected.items():
            torch.testing.assert_close(run.final[name], x, rtol=1e-9, atol=1e-11)
            torch.testing.assert_close(alone.final[name], x, rtol=1e-9, atol=1e-11)


@LAW
@given(
    rows=st.lists(st.lists(st.floats(-3, 3), min_size=4, max_size=4), min_size=1, max_size=3),
    radius=st.floats(0, 5),
    strength=st.floats(0, 2),
)
def test_slopes_are_those_of_automatic_differentiation(rows, radius, strength):
    # Autograd's own slopes at a norm close to nothing are rounding.
    p = torch.tensor(rows, dtype=torch.float64).view(-1, 2, 2)
    p = torch.where(p.flatten(1).norm(dim=1).view(-1, 1, 1) < 1e-6, 0.0, p)
    for one, term in (
        (Radius(radius=radius, strength=strength), radius_of),
        (L1(strength=strength), l1_of),
    ):
        found = Penalties([one] * len(p), p.device).added({}, {"w": p})["w"]
        for mine, x in zip(found, p, strict=True):
            leaf = x.clone().requires_grad_()
            (slope,) = torch.autograd.grad(term(one)([leaf]), leaf)
            torch.testing.assert_close(mine, slope, rtol=1e-10, atol=1e-12)


def test_a_zero_tensor_is_not_moved_by_a_radius():
    net = fcn(6, 8, 3).double()
    with torch.no_grad():
        net.fc1.bias.zero_()
    bias = torch.stack([net.fc1.bias.detach()])
    made = Penalties([Radius(radius=3.0, strength=1.0)], bias.device)
    assert torch.equal(made.added({}, {"b": bias})["b"], torch.zeros_like(bias))


def test_weights_end_on_the_radius_they_are_drawn_to(planted):
    penalty = Radius(radius=7.0, strength=5.0)
    recipe = replace(RECIPE, length="300it", optimiser=SGD(learning_rate=0.02), penalty=penalty)
    run = training.train(fcn(6, 8, 3, seed=1).double(), planted, recipe)
    plain = training.train(fcn(6, 8, 3, seed=1).double(), planted, replace(recipe, penalty=None))
    for name, x in run.final.items():
        assert float(x.norm()) == pytest.approx(7.0, abs=0.2)
        assert abs(float(plain.final[name].norm()) - 7.0) > 0.5


def test_the_log_has_the_loss_of_the_data_alone(planted):
    huge = replace(RECIPE, length="1it", batch_size=45, penalty=L1(strength=100.0))
    net = fcn(6, 8, 3).double()
    run = training.train(net, planted, huge)

    def loss_at(state):
        outputs = torch.func.functional_call(net, state, (planted.inputs,))
        return float(torch.nn.functional.cross_entropy(outputs, planted.targets))

    assert run.log["loss"] == pytest.approx([loss_at(run.initial)])
    assert run.measured["train"]["loss"] == pytest.approx(loss_at(run.final))


def test_clipping_is_of_the_sum(planted):
    recipe = replace(
        RECIPE,
        length="1it",
        batch_size=45,
        optimiser=SGD(learning_rate=1.0),
        clip=0.01,
        penalty=L1(strength=1.0),
    )
    run = training.train(fcn(6, 8, 3).double(), planted, recipe)
    moved = sum(float((run.final[n] - run.initial[n]).square().sum()) for n in run.final) ** 0.5
    assert moved == pytest.approx(0.01, rel=1e-3)


def test_a_parameter_that_the_loss_does_not_know_follows_the_penalty(planted):
    net = fcn(6, 8, 3).double()
    net.register_parameter("idle", torch.nn.Parameter(torch.ones(4, dtype=torch.float64)))
    recipe = replace(RECIPE, length="10it", optimiser=SGD(learning_rate=0.1))
    still = training.train(net, planted, recipe)
    assert torch.equal(still.final["idle"], still.initial["idle"])
    drawn = training.train(net, planted, replace(recipe, penalty=L1(strength=0.1)))
    torch.testing.assert_close(drawn.final["idle"], torch.full((4,), 0.9, dtype=torch.float64))


def test_a_tied_tensor_counts_once():
    net = transformer(11, 8, 8, 2, 1).double()
    ids = torch.arange(8).repeat(8, 1).add(torch.arange(8)[:, None]) % 11
    recipe = Recipe(
        length="1it",
        batch_size=8,
        optimiser=SGD(learning_rate=1.0),
        penalty=Radius(radius=1.0, strength=0.3),
    )
    run = training.train(net, (ids[:, :-1], ids[:, 1:]), recipe)
    loss = torch.nn.functional.cross_entropy(net(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
    (loss + radius_of(recipe.penalty)(list(net.parameters()))).backward()
    for name, p in net.named_parameters():
        torch.testing.assert_close(run.final[name], p.detach() - p.grad)


def test_kinds_are_not_stacked_and_numbers_are(planted):
    a, b = members_of("radius")[0], members_of("l1")[0]
    keys = [training.likeness(m, 45) for m in (*members_of("radius"), b)]
    assert len(set(keys)) == 2 and len(set(keys[:3])) == 1
    with pytest.raises(UsageError, match="are alike"):
        training.train_together([a, b], planted)


def test_a_member_that_ends_takes_its_penalty_along(planted):
    """The others keep theirs when the stack shrinks."""
    recipe = replace(RECIPE, length="30ep", optimiser=Adam(learning_rate=0.02), stop_below=0.25)
    members = [
        Member(
            fcn(6, 16, 3, seed=s).double(), replace(recipe, penalty=L1(strength=strength)), seed=s
        )
        for s, strength in enumerate((0.0, 0.02, 0.001, 0.05))
    ]
    together = training.train_together(members, planted)
    assert {run.stopped for run in together} == {True, False}
    for member, run in zip(members, together, strict=True):
        (alone,) = training.train_together([member], planted)
        for name, x in alone.final.items():
            torch.testing.assert_close(run.final[name], x, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError, match="`strength` must be"):
        L1(strength=wrong)
    with pytest.raises(UsageError, match="`radius` must be"):
        Radius(radius=wrong, strength=1.0)
