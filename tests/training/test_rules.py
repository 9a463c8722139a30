"""The optimisers of a stack's members, with what they remember."""

from dataclasses import replace

import pytest
import torch

from ridgeline.errors import MissingExtra, UsageError
from ridgeline.nets import fcn
from ridgeline.training import SGD, Adam, Library, Member, Recipe
from ridgeline.training.rules import Rules, _asks_for_the_loss, clipped
from ridgeline.training.stacks import Stack

RECIPE = Recipe(length="5it")


def made(*optimisers, origins=None):
    members = [
        Member(fcn(3, 2, seed=k), replace(RECIPE, optimiser=o), origin=(origins or {}).get(k))
        for k, o in enumerate(optimisers)
    ]
    stack = Stack([m.model for m in members], "cpu")
    return Rules(members, stack), stack


def ones(stack):
    return [torch.ones_like(x) for x in stack.parameters.values()]


def test_each_member_moves_by_its_own_rate_times_the_factor():
    rules, stack = made(SGD(learning_rate=0.1), SGD(learning_rate=1.0))
    before = {n: x.clone() for n, x in stack.parameters.items()}
    rules.update(ones(stack), 0.5, None)
    for name, x in stack.parameters.items():
        assert torch.allclose(
            before[name] - x, torch.tensor([0.05, 0.5]).view(-1, *[1] * (x.ndim - 1)).expand_as(x)
        )
    assert rules.count == 1


def test_a_parameter_without_gradient_stays():
    rules, stack = made(SGD(learning_rate=0.1))
    first = next(iter(stack.parameters))
    before = {n: x.clone() for n, x in stack.parameters.items()}
    rules.update(
        [None if n == first else torch.ones_like(x) for n, x in stack.parameters.items()], 1, None
    )
    assert torch.equal(stack.parameters[first], before[first])


def test_gradients_are_scaled_down_to_the_largest_norm_member_by_member():
    found = clipped({"a": torch.tensor([[3.0], [0.3]]), "b": torch.tensor([[4.0], [0.4]])}, 1.0)
    assert found["a"].flatten().tolist() == pytest.approx([0.6, 0.3], rel=1e-5)
    assert found["b"].flatten().tolist() == pytest.approx([0.8, 0.4], rel=1e-5)


def test_what_is_remembered_is_copied_out_and_put_back():
    rules, stack = made(SGD(learning_rate=0.1, momentum=0.9), SGD(learning_rate=0.2, momentum=0.9))
    rules.update(ones(stack), 1.0, None)
    held = rules.state(1)
    (slot,) = held
    name = next(iter(stack.parameters))
    assert torch.equal(held[slot][name], rules.slots[slot][name][1])
    rules.load(0, {slot: {n: x + 1 for n, x in held[slot].items()}})
    assert torch.equal(rules.slots[slot][name][0], held[slot][name] + 1)
    assert torch.equal(rules.state(1)[slot][name], held[slot][name])


def test_slots_of_another_optimiser_are_refused():
    rules, _ = made(Adam(learning_rate=0.1))
    with pytest.raises(UsageError, match="the slots of its own optimiser") as caught:
        rules.load(0, {"odd": {}})
    assert (
        caught.value.got.startswith("odd in place of ")
        and "start the optimiser anew" in caught.value.remedy
    )
    plain, _ = made(SGD(learning_rate=0.1))
    with pytest.raises(UsageError, match="odd in place of none"):
        plain.load(0, {"odd": {}})
    with pytest.raises(UsageError, match="none in place of"):
        rules.load(0, {})


def test_members_may_be_chosen_with_what_they_remember():
    rules, stack = made(*(SGD(learning_rate=r, momentum=0.9) for r in (0.1, 0.2, 0.3)))
    rules.update(
        [
            torch.ones_like(x) * torch.arange(3.0).view(-1, *[1] * (x.ndim - 1))
            for x in stack.parameters.values()
        ],
        1,
        None,
    )
    kept = [rules.state(k) for k in (2, 0)]
    stack.select([2, 0])
    rules.select([2, 0])
    assert [o.learning_rate for o in rules.optimisers] == [0.3, 0.1]
    for row, want in enumerate(kept):
        slot = next(iter(want))
        assert all(torch.equal(x, want[slot][n]) for n, x in rules.state(row)[slot].items())


def test_an_optimiser_of_a_library_moves_as_it_does_alone():
    rules, stack = made(Library(name="torch.optim:AdamW", learning_rate=0.1, weight_decay=0.5))
    own = [x[0].clone().requires_grad_() for x in stack.parameters.values()]
    plain = torch.optim.AdamW(own, lr=0.05, weight_decay=0.5)
    for p in own:
        p.grad = torch.ones_like(p)
    plain.step()
    rules.update(ones(stack), 0.5, None)
    assert all(torch.allclose(x[0], p) for x, p in zip(stack.parameters.values(), own, strict=True))
    held = rules.state(0)
    assert list(held) == ["library"] and held["library"]["state"].dtype is torch.uint8
    rules.load(0, held)


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("AdamW", UsageError, "named package:Class. Got 'AdamW'"),
        ("nowhere_at_all:AdamW", MissingExtra, "The optimiser nowhere_at_all:AdamW needs"),
        ("torch.optim:Nothing", UsageError, "torch.optim must have the class.* Got 'Nothing'"),
        ("torch.optim:lr_scheduler", UsageError, "must have the class that is named"),
        (
            "torch.optim:LBFGS",
            UsageError,
            "given gradients, once a step.*evaluates the loss itself",
        ),
    ],
)
def test_a_library_that_cannot_be_is_refused(name, error, said):
    with pytest.raises(error, match=said):
        made(Library(name=name, learning_rate=0.1))


def test_options_that_it_does_not_take_are_told():
    with pytest.raises(UsageError, match=r"torch\.optim:SGD must accept its options") as caught:
        made(Library(name="torch.optim:SGD", learning_rate=0.1, options={"speed": 3}))
    assert caught.value.got.startswith("{'speed': 3}: ")


def test_optimisers_that_ask_for_the_loss_are_known():
    assert _asks_for_the_loss(torch.optim.LBFGS) and not _asks_for_the_loss(torch.optim.SGD)
    assert not _asks_for_the_loss(int)
