import numpy as np
import pytest
import torch

from repairs.networks import Convolutions, mlp, objective, spread
from ridgeline import state as states
from ridgeline.errors import UnknownName
from ridgeline.repairs import Repair, collapse
from ridgeline.testing.symmetries import of_chain


def planted(depth=6, width=64):
    """A wide network and the same with its units in another order: one function, far apart."""
    model = mlp(8, *[width] * depth, 3)
    with torch.no_grad():
        for name, x in model.named_parameters():
            fan = x.shape[-1]
            x.normal_(std=(2 / fan) ** 0.5) if name.endswith("weight") else x.normal_(std=0.1)
    a = states.capture(model)
    layers = [str(2 * i) for i in range(depth + 1)]
    b = of_chain(model, layers).random(5)(a)
    return model, a, b, objective(model, torch.randn(200, 8).double())


def test_variance_collapses_halfway_and_is_restored():
    _, a, b, goal = planted()
    found = collapse(a, b, goal, np.linspace(0, 1, 5))
    np.testing.assert_allclose(found.ratio[[0, -1]], 1, rtol=1e-9)
    assert (np.diff(found.ratio[2]) < 0.02).all() and found.ratio[2, -1] < 0.2
    assert found.bias_share[2, -1] > found.bias_share[0, -1]
    mended = collapse(a, b, goal, [0.5], repair=Repair())
    # Both ends have each channel's deviations, in another order; their means lie between.
    assert (mended.ratio > 0.8).all() and (mended.ratio < 1 + 1e-9).all()
    assert mended.ratio[0, -1] == pytest.approx(1, rel=1e-9)  # the outputs are in one order


def test_numbers_are_those_of_the_whole_sample():
    torch.manual_seed(0)
    model = Convolutions()
    a, b = spread(model, 1), spread(model, 2)
    goal = objective(model, torch.randn(37, 2, 6, 6).double())
    found = collapse(a, b, goal, [0.25])
    model.load_state_dict(states.lerp(a, b, 0.25))
    with torch.no_grad():
        z = model.plain(goal.samples.inputs).movedim(1, -1).flatten(0, -2)
    variance, mean = z.var(0, correction=0).sum(), z.mean(0).square().sum()
    assert len(str(found).splitlines()) == 2
    assert f"t = 0.25: plain.weight {found.ratio[0, 0]:.3g} (" in str(found)
    assert found.layers[0] == "plain.weight" and found.variance.shape == (1, 5)
    assert found.variance[0, 0] == pytest.approx(float(variance))
    assert found.bias_share[0, 0] == pytest.approx(float(mean / (mean + variance)))


def test_layers_are_chosen_by_name():
    _, a, b, goal = planted(depth=2, width=8)
    assert collapse(a, b, goal, at=["2"]).layers == ("2.weight",)
    with pytest.raises(UnknownName):
        collapse(a, b, goal, at=["3"])


def test_a_dead_layer_has_no_ratio():
    _, a, b, goal = planted(depth=2, width=8)
    for s in (a, b):
        s["2.weight"] = torch.zeros_like(s["2.weight"])
    found = collapse(a, b, goal)
    assert np.isnan(found.ratio[:, 1:]).all() and np.isfinite(found.ratio[:, 0]).all()
    assert (found.bias_share[:, 1:] == 1).all()
