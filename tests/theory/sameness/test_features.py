"""Layer-wise feature connectivity against hooks, in cases with known answers, on real data."""

import numpy as np
import pytest
import torch
from torch import nn

import zoo
from ridgeline.errors import StateMismatch, UnknownName, UsageError
from ridgeline.objective import Objective
from ridgeline.state import lerp
from ridgeline.theory.sameness import feature_connectivity


def made(name, n=37, **options):
    model, data, a, b = zoo.build(name, n)
    objective = Objective(model.double(), data, dtype=torch.float64, **options)
    a, b = ({k: x.double() if x.is_floating_point() else x for k, x in s.items()} for s in (a, b))
    return model, objective, a, b


def hooked(model, state, inputs, kind):
    """Input and output of each module of a kind, in the order of calls."""
    model.load_state_dict(state)
    seen = []
    handles = [
        # Copies: an in-place activation that follows writes to what the layer gave.
        m.register_forward_hook(lambda m, x, y: seen.append((m, x[0].clone(), y.clone())))
        for m in model.modules()
        if isinstance(m, kind)
    ]
    with torch.no_grad():
        model.eval()(inputs)
    for handle in handles:
        handle.remove()
    return seen


def cosine_distance(x, y):
    x, y = np.asarray(x).ravel(), np.asarray(y).ravel()
    return 1 - abs(x @ y) / (np.linalg.norm(x) * np.linalg.norm(y))


@pytest.mark.parametrize("t", [0.5, 0.3])
@pytest.mark.parametrize("name", ["mlp", "cnn-batchnorm"])
def test_distances_are_those_of_hooked_features(name, t):
    model, objective, a, b = made(name, rows=16, statistics="keep")
    kinds = nn.Linear | nn.Conv2d | nn.BatchNorm2d
    inputs = objective.samples.inputs
    at_a, at_b, at_t = (hooked(model, s, inputs, kinds) for s in (a, b, lerp(a, b, t)))
    found = feature_connectivity(a, b, objective, t=t)
    layers = [x for x in found.layers if x.site.kind != "relu"]
    assert len(layers) == len(at_a) and found.samples == 37
    for layer, (_, _, x), (_, _, y), (_, _, z) in zip(layers, at_a, at_b, at_t, strict=True):
        mixed = (1 - t) * x + t * y
        assert layer.interpolated.whole == pytest.approx(cosine_distance(z, mixed), abs=1e-12)
        assert layer.between.whole == pytest.approx(cosine_distance(x, y), abs=1e-12)
        each = [cosine_distance(p, q) for p, q in zip(z, mixed, strict=True)]
        assert layer.interpolated.mean == pytest.approx(np.mean(each), abs=1e-12)
        assert layer.interpolated.stderr == pytest.approx(np.std(each, ddof=1) / 37**0.5)
        assert layer.interpolated.n == 37
        wanted = float((z * mixed).sum() / mixed.square().sum())
        assert layer.coefficient == pytest.approx(wanted)
    names = [x.site.name for x in layers]
    assert names == {"mlp": ["0", "2", "4"], "cnn-batchnorm": ["0", "1", "4", "5", "8"]}[name]


def test_commutativity_and_additivity_by_hand():
    model, objective, a, b = made("mlp")
    inputs = objective.samples.inputs
    found = feature_connectivity(a, b, objective)
    at_a, at_b = (hooked(model, s, inputs, nn.Linear) for s in (a, b))
    for key, (_, h, _), (_, k, _) in zip(("0", "2", "4"), at_a, at_b, strict=True):
        w, v = a[f"{key}.weight"], b[f"{key}.weight"]
        wanted = cosine_distance(h @ w.T + k @ v.T, h @ v.T + k @ w.T)
        layer = found.layer(key)
        assert layer.commutativity.whole == pytest.approx(wanted, abs=1e-12)
        assert layer.additivity is None
    for node, (_, _, x), (_, _, y) in zip(("relu", "relu_1"), at_a, at_b, strict=False):
        wanted = cosine_distance(x.relu() + y.relu(), (x + y).relu())
        layer = found.layer(node)
        assert layer.additivity.whole == pytest.approx(wanted, abs=1e-12)
        assert layer.commutativity is None


def test_one_network_with_itself_and_the_first_layer_are_exact():
    _, objective, a, b = made("cnn-batchnorm", statistics="keep")
    for x in feature_connectivity(a, a, objective).layers:
        assert x.interpolated.whole < 1e-12 and x.between.whole < 1e-12
        assert x.coefficient == pytest.approx(1)
        for extra in (x.commutativity, x.additivity):
            assert extra is None or extra.whole < 1e-12
    first = feature_connectivity(a, b, objective).layers[0]
    assert first.interpolated.whole < 1e-12 < first.between.whole  # linear in its weights
    assert first.ratio < 1e-9


def test_dead_features_have_no_angle():
    model = zoo.Mlp(6, 10, 4)
    state = {n: torch.zeros_like(x) for n, x in model.state_dict().items()}
    state["0.bias"] -= 1
    objective = Objective(model, zoo.vectors(6, 4)(9, torch.Generator().manual_seed(0)))
    relu = feature_connectivity(state, state, objective).layer("relu")
    assert np.isnan(relu.between.whole) and np.isnan(relu.coefficient) and np.isnan(relu.ratio)
    assert relu.between.n == 0 and np.isnan(relu.between.stderr)


def test_sites_and_samples_can_be_chosen():
    _, objective, a, b = made("resnet20", 12)
    found = feature_connectivity(a, b, objective, only=["relu_1"], samples=7)
    (layer,) = found.layers
    assert layer.site.kind == "relu" and layer.between.n == found.samples == 7
    low, high = layer.between.interval()
    assert low < layer.between.mean < high
    assert "relu_1 (relu)" in str(found)


def test_refusals():
    _, objective, a, b = made("mlp")
    with pytest.raises(UsageError, match="strictly"):
        feature_connectivity(a, b, objective, t=1.0)
    with pytest.raises(UsageError, match="one sample"):
        feature_connectivity(a, b, objective, samples=0)
    with pytest.raises(UnknownName, match="relu_7"):
        feature_connectivity(a, b, objective, only=["relu_7"])
    with pytest.raises(UnknownName, match="layer"):
        feature_connectivity(a, b, objective).layer("9")
    with pytest.raises(StateMismatch):
        feature_connectivity(a, {"x": torch.zeros(1)}, objective)
