"""Gradients of single samples, against a backward pass for each."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import ridgeline as rl
import zoo
from ridgeline.errors import UsageError
from ridgeline.objective import per_sample


def doubled(state):
    return {n: x.double() if x.is_floating_point() else x.clone() for n, x in state.items()}


def one_by_one(model, state, inputs, targets, loss):
    """A row of all parameters' derivatives for each sample."""
    model = copy.deepcopy(model).eval()
    model.load_state_dict(state)
    rows = []
    for i in range(len(inputs)):
        value = loss(model(inputs[i : i + 1]), targets[i : i + 1])
        found = torch.autograd.grad(value, list(model.parameters()))
        rows.append(torch.cat([g.flatten() for g in found]))
    return torch.stack(rows).numpy()


def made(name, n=7, **more):
    model, (x, y), a, _ = zoo.build(name, n)
    options = {"dtype": torch.float64, "rows": 3, "statistics": "keep"} | more
    return model, rl.Objective(model.double(), (x, y), **options), doubled(a), x, y


def positions(outputs, targets):
    return F.cross_entropy(outputs.reshape(-1, outputs.shape[-1]), targets.reshape(-1))


@pytest.mark.filterwarnings("ignore:Converting a tensor")  # the branching network's own
@pytest.mark.parametrize(
    "name", ["mlp", "cnn-batchnorm", "lstm", "value-branch", "transformer-tied", "residual"]
)
def test_rows_products_and_gram_are_those_of_a_loop_over_samples(name):
    model, objective, state, x, y = made(name)
    x = x.double() if x.is_floating_point() else x
    found = rl.per_sample_gradients(objective, state)
    want = one_by_one(model, state, x, y, positions)
    order = [n for n, _ in model.named_parameters()]
    held = [g for g, _ in found.chunks()]
    rows = torch.cat(
        [torch.cat([torch.atleast_2d(g[n].flatten(1)) for n in order], 1) for g in held]
    )
    np.testing.assert_allclose(rows, want, rtol=1e-8, atol=1e-12)
    assert found.shape == want.shape
    assert tuple(order) == found.names
    draws = np.random.default_rng(0)
    v, u = draws.standard_normal((want.shape[1], 2)), draws.standard_normal((len(want), 2))
    np.testing.assert_allclose(found @ v, want @ v, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found @ v[:, 0], want @ v[:, 0], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.T @ u, want.T @ u, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.T @ u[:, 0], want.T @ u[:, 0], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.gram(), want @ want.T, rtol=1e-8, atol=1e-10)


def test_chunks_are_as_large_as_memory_allows(monkeypatch):
    _, objective, state, *_ = made("mlp", rows=5)
    whole = rl.per_sample_gradients(objective, state).gram()
    monkeypatch.setattr(per_sample, "BUDGET", 2 * 8 * 209)
    found = rl.per_sample_gradients(objective, state)
    assert found.shape[1] == 209
    assert [len(w) for _, w in found.chunks()] == [2, 2, 2, 1]
    np.testing.assert_allclose(found.gram(), whole, rtol=1e-12)


def test_a_sample_that_does_not_count_has_a_row_of_zeros_and_the_mean_is_the_gradient():
    model, (x, y), a, _ = zoo.build("mlp", 9)
    y[2] = y[5] = -100
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    options = {"dtype": torch.float64, "rows": 4, "loss": nn.CrossEntropyLoss(weight)}
    objective, state = rl.Objective(model.double(), (x, y), **options), doubled(a)
    found = rl.per_sample_gradients(objective, state)
    weights = torch.cat([w for _, w in found.chunks()])
    assert not found.gram()[2].any()
    assert not (found @ np.ones(found.shape[1]))[[2, 5]].any()
    want = torch.where(y >= 0, weight[y.clamp(0)], 0.0)
    torch.testing.assert_close(weights, want)
    mean = found.T @ (weights / weights.sum()).numpy()
    np.testing.assert_allclose(mean, found.flatten(rl.gradient(objective, state)), rtol=1e-9)


def test_some_samples_and_some_names():
    model, objective, state, x, y = made("mlp")
    found = rl.per_sample_gradients(
        objective, state, names=["4.bias"], batch=objective.samples[2:5]
    )
    assert found.shape == (3, 4)
    want = one_by_one(model, state, x.double(), y, positions)[2:5, -4:]
    np.testing.assert_allclose(found @ np.eye(4), want, rtol=1e-9)


def test_an_error_is_refused():
    _, objective, state, *_ = made("mlp", loss=rl.error)
    found = rl.per_sample_gradients(objective, state)
    for ask in (lambda: found @ np.ones(209), lambda: next(found.chunks()), found.gram):
        with pytest.raises(UsageError, match="smooth loss"):
            ask()
