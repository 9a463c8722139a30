"""Which runs can be trained together."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from ridgeline.nets import fcn
from ridgeline.training import L1, SGD, Adam, Library, Member, Origin, Recipe, Relabel
from ridgeline.training.grouping import likeness

RECIPE = Recipe(length="5it")


def like(one, other, samples=10):
    return likeness(one, samples) == likeness(other, samples)


def member(seed=0, net=None, **more):
    recipe = {k: more.pop(k) for k in list(more) if k in Recipe.__dataclass_fields__}
    return Member(net or fcn(3, 4, 2, seed=seed), replace(RECIPE, **recipe), seed=seed, **more)


def test_seeds_weights_and_rates_may_differ():
    assert like(member(0), member(1))
    assert like(member(optimiser=SGD(learning_rate=0.1)), member(optimiser=SGD(learning_rate=0.5)))
    assert like(member(penalty=L1(strength=0.1)), member(penalty=L1(strength=0.2)))
    assert like(member(targets=torch.zeros(10)), member())


@pytest.mark.parametrize(
    "changes",
    [
        {"optimiser": Adam(learning_rate=0.1)},
        {"optimiser": SGD(learning_rate=0.1, momentum=0.9)},
        {"penalty": L1(strength=0.1)},
        {"batch_size": 64},
        {"clip": 1.0},
        {"relabel": Relabel(share=0.5)},
        {"net": fcn(3, 5, 2)},
        {"net": fcn(3, 4, 2, activation="tanh")},
        {"net": fcn(3, 4, 2).double()},
        {"rows": torch.arange(5)},
        {"origin": Origin({}, step=3)},
    ],
    ids=lambda c: next(iter(c)),
)
def test_what_members_do_may_not(changes):
    assert not like(member(), member(**changes))


def test_what_is_frozen_counts():
    still = fcn(3, 4, 2)
    next(still.parameters()).requires_grad_(False)
    assert not like(member(), member(net=still))


def test_own_attributes_count_and_torchs_hidden_ones_do_not():
    class Own(nn.Module):
        def __init__(self, power, hidden=0):
            super().__init__()
            self.fc, self.power, self._hidden = nn.Linear(3, 2), power, hidden

    assert like(member(net=Own(1)), member(net=Own(1)))
    assert not like(member(net=Own(1)), member(net=Own(2)))
    assert not like(member(net=Own(1)), member(net=Own(1, hidden=1)))
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    other._kept = 1
    assert like(member(net=one), member(net=other))


def test_relabelling_may_differ_in_its_share_but_not_in_time():
    one, other, late = (Relabel(share=0.5), Relabel(share=0.1), Relabel(share=0.5, since="2it"))
    assert like(member(relabel=one), member(relabel=other))
    assert not like(member(relabel=one), member(relabel=late))


def test_as_many_samples_are_alike_whichever_they_are():
    assert like(member(rows=torch.arange(5)), member(rows=torch.arange(5) + 3))
    assert like(member(rows=torch.arange(10)), member())


def test_each_library_optimiser_stands_alone():
    made = [member(optimiser=Library(name="torch.optim:AdamW", learning_rate=0.1)) for _ in "ab"]
    assert not like(*made) and like(made[0], made[0])
