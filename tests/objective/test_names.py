"""Losses and metrics by name."""

import pytest
import torch
from torch import nn

from ridgeline.errors import UnknownName, WrongKind
from ridgeline.objective import (
    LOSSES,
    METRICS,
    Objective,
    accuracy,
    binary_cross_entropy,
    cross_entropy,
    error,
    loss,
    metric,
    squared_error,
)
from ridgeline.objective.declared import direction
from ridgeline.objective.names import metrics_of

X = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))


def test_losses_by_name_and_by_the_names_of_torch():
    assert [loss(n) for n in ("cross_entropy", "ce")] == [cross_entropy] * 2
    assert [loss(n) for n in ("squared_error", "mse")] == [squared_error] * 2
    assert [loss(n) for n in ("binary_cross_entropy", "bce")] == [binary_cross_entropy] * 2
    assert metric("mse") is squared_error


@pytest.mark.parametrize("name", ["error", "accuracy", "top5_error"])
def test_a_metric_that_is_no_loss_is_none_by_name(name):
    assert name in METRICS and name not in LOSSES
    with pytest.raises(UnknownName, match=f"loss.*'{name}'.*cross_entropy"):
        loss(name)


def test_metrics_by_name():
    assert metric("error") is error
    assert float(metric("top5_error")(torch.eye(5), torch.arange(5)).sum()) == 0
    with pytest.raises(UnknownName, match=r"Got 'acuracy'\. Did you mean 'accuracy'"):
        metric("acuracy")
    assert {n for n, f in METRICS.items() if direction(f)} == {"accuracy"}


def test_metrics_in_a_text_a_list_and_a_mapping():
    both = {"error": error, "accuracy": accuracy}
    assert metrics_of("error, accuracy") == metrics_of(["error", "accuracy"]) == both
    own = metrics_of({"wrong": "error", "right": accuracy})
    assert own == {"wrong": error, "right": accuracy}


def test_an_objective_takes_names():
    model = nn.Linear(3, 3)
    objective = Objective(model, (X, X), loss="mse", metrics={"again": "squared_error"})
    found = objective(model.state_dict())
    with torch.no_grad():
        want = (model(X) - X).square().mean(1)
    assert torch.allclose(found["loss"], want) and torch.allclose(found["again"], want)


def test_functions_are_called_by_their_own_name():
    own = {"error": error, "accuracy": accuracy}
    assert metrics_of([error, "accuracy"]) == own and metrics_of(error) == {"error": error}


@pytest.mark.parametrize(
    ("given", "got"), [(None, "NoneType"), (nn.MSELoss, "the class MSELoss"), (5, "int")]
)
def test_what_is_no_function_is_refused(given, got):
    with pytest.raises(WrongKind, match=f"A loss is a function of outputs.*{got}"):
        Objective(nn.Linear(3, 3), (X, X), loss=given)
    with pytest.raises(WrongKind, match=f"A metric is a function of outputs.*{got}"):
        Objective(nn.Linear(3, 3), (X, X), loss="mse", metrics={"m": given})
