"""Gram matrices against hooks, and what they are for."""

import pytest
import torch
from torch import nn

import zoo
from ridgeline.merging import RegMean, gram_matrices, merge
from ridgeline.objective import Objective


def made(name, n=17, **options):
    model, data, a, b = zoo.build(name, n)
    objective = Objective(model.double(), data, dtype=torch.float64, **options)
    a, b = ({k: x.double() if x.is_floating_point() else x for k, x in s.items()} for s in (a, b))
    return model, objective, a, b


@pytest.mark.parametrize("name", ["mlp", "residual", "resnet20"])
def test_gram_matrices_are_those_of_hooks(name):
    model, objective, a, _ = made(name, 33, rows=16, statistics="keep")
    model.load_state_dict(a)
    seen = {}
    for key, module in model.named_modules():
        if isinstance(module, nn.Linear):
            module.register_forward_hook(
                lambda m, x, y, key=key: seen.__setitem__(f"{key}.weight", x[0])
            )
    with torch.no_grad():
        model(objective.samples.inputs)
    found = gram_matrices(objective, a)
    assert set(found) == set(seen)
    for n, x in seen.items():
        torch.testing.assert_close(found[n], x.T @ x)


def test_the_regression_mean_fits_features_better_than_the_mean():
    """One layer: the sum of squares that it minimises is lower, by the definition."""
    draw = torch.Generator().manual_seed(0)
    model = nn.Linear(5, 3, bias=False).double()
    states, objectives = [], []
    for scale in (1.0, 4.0):
        x = torch.randn(40, 5, generator=draw, dtype=torch.float64)
        x[:, :2] *= scale
        objectives.append(Objective(model, (x, torch.zeros(40, dtype=torch.int64))))
        weight = torch.randn(3, 5, generator=draw, dtype=torch.float64)
        states.append({"weight": weight})
    grams = [gram_matrices(o, s) for o, s in zip(objectives, states, strict=True)]

    def misfit(found):
        return sum(
            float((o.samples.inputs @ (found["weight"] - s["weight"]).T).square().sum())
            for o, s in zip(objectives, states, strict=True)
        )

    regression = merge(states, by=RegMean(grams, 1.0)).state
    assert misfit(regression) < misfit(merge(states).state)
    draw = torch.Generator().manual_seed(1)
    for _ in range(20):
        near = torch.randn(3, 5, generator=draw, dtype=torch.float64)
        moved = {"weight": regression["weight"] + 0.01 * near}
        assert misfit(moved) > misfit(regression)
