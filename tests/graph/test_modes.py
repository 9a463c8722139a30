"""Evaluation mode, and modules that compute something of their weights on the way into it."""

import pytest
import torch
from torch import nn

from ridgeline.graph.calls import call
from ridgeline.graph.modes import Caller, modes_of


class Folding(nn.Linear):
    """Folds its weight into a table in `eval()`."""

    def __init__(self):
        super().__init__(2, 2)
        self.table = None

    def train(self, mode=True):
        self.table = None if mode else self.weight.detach() * 2
        return super().train(mode)


class Writing(nn.Linear):
    def __init__(self):
        super().__init__(2, 2)
        self.merged = False

    def train(self, mode=True):
        if mode == self.merged:
            self.weight.data.add_(-1 if mode else 1)
            self.merged = not mode
        return super().train(mode)


class Stubborn(nn.Linear):
    def train(self, mode=True):
        return super().train(True)


class Frozen(nn.Sequential):
    def train(self, mode=True):
        super().train(mode)
        self[0].eval()
        return self


class Flagging(nn.Linear):
    def train(self, mode=True):
        self.flag = not mode
        return super().train(mode)


def test_a_plain_module_has_nothing_to_tell():
    found = modes_of(nn.Sequential(nn.Linear(2, 2), nn.Dropout()))
    assert not found.settles and not found.written and not found.stubborn and not found.frozen


def test_a_part_that_is_evaluated_while_training_is_frozen():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    model[1].eval()
    assert modes_of(model).frozen == {"1"}
    assert modes_of(model.eval()).frozen == frozenset()


def test_what_is_computed_on_the_way_is_seen():
    found = modes_of(nn.Sequential(Folding()))
    assert found.settles and found.written == frozenset()


def test_what_is_written_is_named_and_the_model_left_alone():
    model = Writing()
    before = model.weight.detach().clone()
    found = modes_of(model)
    assert found.settles and found.written == {"weight"}
    assert torch.equal(model.weight, before) and model.training


def test_what_stays_in_training_is_named_with_its_class():
    assert modes_of(nn.Sequential(Stubborn(2, 2))).stubborn == (("0", "Stubborn"),)


def test_what_freezes_itself_is_named():
    found = modes_of(Frozen(nn.Linear(2, 2), nn.Linear(2, 2)))
    assert found.frozen == {"0"} and not found.settles


def test_flags_are_no_values():
    assert not modes_of(Flagging(2, 2)).settles


class Keeping(nn.Linear):
    def __init__(self):
        super().__init__(2, 2)
        self.seen = []

    def forward(self, x):
        self.seen.append(x)
        self.last = x
        return super().forward(x)


@pytest.mark.parametrize("raising", [False, True])
def test_a_caller_leaves_nothing_behind(raising):
    model = Keeping()
    caller = Caller(model, call)
    if raising:
        with pytest.raises(RuntimeError):
            caller(torch.ones(1, 3))
    else:
        assert caller(torch.ones(1, 2)).shape == (1, 2)
    assert model.seen == [] and not hasattr(model, "last")


def test_a_caller_lets_look_before_it_puts_back():
    model, looks = Keeping(), []
    caller = Caller(model, call)
    caller.look = lambda: looks.append(len(model.seen))
    caller(torch.ones(1, 2))
    assert looks == [1] and model.seen == []


def test_a_caller_settles_and_empties_classes():
    class Counted(Folding):
        shared = 5

        def forward(self, x):
            return x @ self.table if self.shared is None else x * 0

    model = Counted()
    caller = Caller(model, call, settles=True, blank=[(Counted, "shared")])
    x = torch.ones(1, 2)
    assert torch.equal(caller(x), x @ (model.weight * 2))
    assert model.training and model.table is None and Counted.shared == 5
