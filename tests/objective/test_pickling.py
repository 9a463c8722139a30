"""Objectives go to other processes, also after use."""

import copy
import pickle

import pytest
import torch
from torch import nn

import ridgeline as rl
import zoo
from ridgeline.errors import UsageError
from ridgeline.objective import Objective, error

X = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
Y = torch.arange(40) % 3


@pytest.mark.parametrize("name", ["mlp", "cnn-batchnorm", "transformer-tied", "lstm"])
@pytest.mark.parametrize(
    "again", [copy.deepcopy, copy.copy, lambda goal: pickle.loads(pickle.dumps(goal))]
)
def test_an_objective_that_was_used_gives_the_same_elsewhere(name, again):
    model, data, a, b = zoo.build(name)
    goal = Objective(model, data, metrics={"error": error}, dtype=torch.float64)
    line = rl.Line(a, b)
    try:
        rl.profile(line, goal, points=5, strategy="shared")
    except rl.errors.NotTraceable:
        rl.profile(line, goal, points=5)
    other = again(goal)
    before, after = (rl.profile(line, g, points=3, strategy="loop") for g in (goal, other))
    for metric in ("loss", "error"):
        assert (before.curve(metric).mean == after.curve(metric).mean).all()
    assert other.provenance() == goal.provenance()


def hidden():
    class Hidden(nn.Linear):
        pass

    return Hidden(4, 3)


def hooked():
    model = nn.Sequential(nn.Linear(4, 3))
    model[0].register_forward_hook(lambda *_: None)
    return model


@pytest.mark.parametrize(
    ("model", "given", "named"),
    [
        (nn.Linear(4, 3), {"metrics": {"size": lambda o, t: o.sum(1)}}, "the metric 'size'"),
        (nn.Linear(4, 3), {"forward": lambda m, x: m(x)}, "`forward`"),
        (hidden(), {}, "the class hidden.<locals>.Hidden"),
        (hooked(), {}, "0._forward_hooks"),
    ],
)
def test_what_pickle_cannot_find_again_is_named(model, given, named):
    goal = Objective(model, (X, Y), **given)
    with pytest.raises(UsageError, match="found there by its name") as caught:
        pickle.dumps(goal)
    assert f"Got {named}, which cannot be pickled" in str(caught.value)
    assert "at the top of a module" in str(caught.value)
    copied = copy.deepcopy(goal)  # which needs no names
    state = model.state_dict()
    assert torch.equal(copied(state)["loss"], goal(state)["loss"])


def test_a_deep_copy_is_of_its_own_weights_where_a_lambda_reads_them():
    class ByLambda(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(4, 3)
            self.f = lambda x: nn.functional.linear(x, 2 * self.a.weight)

        def forward(self, x):
            return self.f(x)

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, other, x = ByLambda(), ByLambda(), torch.randn(8, 4)
    goal = Objective(model, (x, torch.arange(8) % 3))
    state = other.state_dict()
    with torch.no_grad():
        want = nn.functional.cross_entropy(other(x), torch.arange(8) % 3, reduction="none")
    assert torch.allclose(copy.deepcopy(goal)(state)["loss"], want)
