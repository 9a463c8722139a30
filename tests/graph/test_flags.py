"""Modes of a module: flags alone cost no copy of its weights, all else is seen."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from ridgeline.graph import Network


class Counting(TorchDispatchMode):
    """Remembers the names of the operations on tensors of more than 100 numbers."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        new = isinstance(made, torch.Tensor) and not func.is_view
        if new and made.numel() > 100:
            self.names.append(func.overloadpacket.__name__)
        return made


class Flagged(nn.Module):
    """Has a mode of its own, of a flag."""

    def __init__(self):
        super().__init__()
        self.layer, self.drop, self.fast = nn.Linear(20, 20), nn.Dropout(), False

    def train(self, mode=True):
        self.fast = not mode
        return super().train(mode)

    def forward(self, x):
        return self.drop(self.layer(x))


class Stubborn(Flagged):
    def eval(self):
        super().eval()
        self.drop.training = True
        return self


class Frozen(Flagged):
    def train(self, mode=True):
        super().train(mode)
        self.layer.training = False
        return self


class Writing(Flagged):
    """Of several ways to compute something of a weight on the way into a mode."""

    def train(self, mode=True):
        if not mode:
            self.settle()
        return super().train(mode)


class InPlace(Writing):
    def settle(self):
        with torch.no_grad():
            self.layer.weight.mul_(2)


class ByData(Writing):
    def settle(self):
        self.layer.weight.data += 1


class Numbers(Writing):
    def settle(self):
        self.scale = float(self.layer.weight.detach().abs().max())


class Arrays(Writing):
    def settle(self):
        self.kept = self.layer.weight.detach().numpy().sum()


class Swallowed(Writing):
    def settle(self):
        try:
            self.kept = self.layer.weight @ self.layer.weight
        except Exception:
            self.kept = None


class Replaced(Writing):
    def settle(self):
        self.layer.weight = nn.Parameter(torch.zeros(20, 20))


@pytest.mark.parametrize("kind", [Flagged, Stubborn, Frozen])
def test_flags_alone_are_found_without_a_copy_of_the_weights(kind):
    model = kind()
    with Counting() as seen:
        modes = Network(model).modes
    assert not seen.names and not modes.settles and not modes.written
    assert model.training


def test_parts_that_keep_a_mode_are_named():
    assert Network(Stubborn()).modes.stubborn == (("drop", "Dropout"),)
    assert Network(Frozen()).modes.frozen == {"layer"}


@pytest.mark.parametrize("kind", [InPlace, ByData, Numbers, Arrays, Swallowed, Replaced])
def test_what_is_computed_of_weights_is_seen_and_the_callers_are_left(kind):
    model = kind()
    before = model.layer.weight.detach().clone()
    assert Network(model).modes.settles
    assert torch.equal(model.layer.weight, before)
