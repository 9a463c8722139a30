"""The same laws on a GPU."""

from dataclasses import replace

import pytest
import torch

from ridgeline import training
from ridgeline.nets import fcn, resnet20
from ridgeline.training import L1, SGD, Adam, Grafted, Member, Radius, Recipe, Relabel

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

RECIPE = Recipe(
    length="50it", batch_size=16, optimiser=SGD(learning_rate=0.05, momentum=0.9), assess=None
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimiser": Adam(learning_rate=0.01)},
        {"optimiser": Grafted(length=RECIPE.optimiser, direction=Adam(learning_rate=0.01))},
        {"penalty": Radius(radius=3.0, strength=0.1)},
        {"penalty": L1(strength=0.01)},
        {"relabel": Relabel(share=1.0, until="5ep")},
    ],
)
def test_members_equal_runs_alone_and_those_of_the_cpu(planted, changes):
    recipe = replace(RECIPE, **changes)
    members = [Member(fcn(6, 8, 3, seed=s).double(), recipe, seed=s) for s in range(4)]
    together = training.train_together(members, planted, device="cuda")
    for member, run in zip(members, together, strict=True):
        (alone,) = training.train_together([member], planted, device="cuda")
        (cpu,) = training.train_together([member], planted)
        for name, x in run.final.items():
            torch.testing.assert_close(x, alone.final[name], rtol=1e-9, atol=1e-11)
            torch.testing.assert_close(x.cpu(), cpu.final[name], rtol=1e-9, atol=1e-11)


def test_convolutions_and_snapshots(planted):
    draws = torch.Generator().manual_seed(0)
    images = torch.randn(40, 3, 8, 8, generator=draws, dtype=torch.float64)
    data = (images, torch.randint(4, (40,), generator=draws))
    members = [Member(resnet20(4, width=2, seed=s).double(), RECIPE, seed=s) for s in range(2)]
    taken = []
    whole = training.train_together(
        members, data, device="cuda", snapshot=taken.append, snapshot_seconds=0.0
    )
    again = training.train_together(members, data, device="cuda", resume=taken[len(taken) // 2])
    for a, b in zip(whole, again, strict=True):
        for name, x in a.final.items():
            torch.testing.assert_close(x, b.final[name], rtol=1e-9, atol=1e-11)


def test_a_stack_is_chosen_by_measuring(planted):
    members = [Member(fcn(6, 8, 3, seed=s).double(), RECIPE, seed=s) for s in range(4)]
    found = training.arrange(members, planted, device="cuda")
    assert found.workers == 1
    assert found.size >= 1
