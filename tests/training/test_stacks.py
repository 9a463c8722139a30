import pytest
import torch

from ridgeline.errors import StateMismatch, UsageError
from ridgeline.nets import fcn, transformer
from ridgeline.training.stacks import Stack


def test_states_come_back_as_they_went_in():
    models = [fcn(6, 8, 3, norm="batch", seed=s) for s in range(3)]
    stack = Stack(models, "cpu")
    assert len(stack) == 3
    assert stack.size == sum(p.numel() for p in models[0].parameters())
    for row, model in enumerate(models):
        state = stack.state(row)
        assert list(state) == list(model.state_dict())
        assert all(torch.equal(x, state[name]) for name, x in model.state_dict().items())


def test_ties_are_kept_and_nothing_else_is_shared():
    stack = Stack([transformer(11, 4, 8, 2, 1, seed=s) for s in range(2)], "cpu")
    state = stack.state(1)
    assert state["head.weight"] is state["token.weight"]
    assert "head.weight" not in stack.parameters
    state["norm.weight"].add_(1)
    assert not torch.equal(stack.state(1)["norm.weight"], state["norm.weight"])


def test_load_and_select():
    models = [fcn(6, 3, seed=s) for s in range(4)]
    stack = Stack(models, "cpu")
    stack.load(1, models[3].state_dict())
    stack.select([1, 2])
    assert torch.equal(stack.state(0)["fc1.weight"], models[3].fc1.weight)
    assert torch.equal(stack.state(1)["fc1.weight"], models[2].fc1.weight)
    assert len(stack) == 2


def test_frozen_parameters_are_fixed():
    model = fcn(6, 4, 3)
    model.fc1.requires_grad_(False)
    stack = Stack([model], "cpu")
    assert set(stack.parameters) == {"fc2.weight", "fc2.bias"}
    assert set(stack.fixed) == {"fc1.weight", "fc1.bias"}


def test_networks_of_other_shapes_are_refused():
    with pytest.raises(StateMismatch):
        Stack([fcn(6, 4, 3), fcn(6, 5, 3)], "cpu")
    with pytest.raises(StateMismatch):
        Stack([fcn(6, 3)], "cpu").load(0, fcn(6, 4, 3).state_dict())
    with pytest.raises(UsageError, match="needs a gradient"):
        Stack([fcn(6, 3).requires_grad_(False)], "cpu")
