"""Surfaces: an objective over a plane, against a plain loop."""

import numpy as np
import pytest
import torch
from torch import nn

import ridgeline as rl
from ridgeline.errors import GridError, UnknownName
from ridgeline.paths import Plane
from ridgeline.profiles import surface

X, Y = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 2
AXES = np.array([0.0, 0.5, 1.5]), np.array([-1.0, 0.25])


@pytest.fixture(scope="module")
def parts():
    torch.manual_seed(0)
    net = nn.Linear(3, 2).double()
    a = rl.state.capture(net)
    draw = lambda: {n: torch.randn_like(x) for n, x in a.items()}  # noqa: E731 (three states)
    return Plane(a, draw(), draw()), rl.Objective(net, (X, Y), dtype=torch.float64)


def test_rows_are_y_and_columns_are_x(parts):
    plane, objective = parts
    found = surface(plane, objective, points=AXES)
    for i, y in enumerate(AXES[1]):
        for j, x in enumerate(AXES[0]):
            loss = objective(plane(x, y))["loss"].numpy()
            assert found.value()[i, j] == pytest.approx(loss.mean(), rel=1e-10)
            error = loss.std(ddof=1) / np.sqrt(len(loss))
            assert found.stderr["data"]["loss"][i, j] == pytest.approx(error, rel=1e-9)
    assert found.value("error").shape == (2, 3)


def test_axes_and_corners_are_told(parts):
    found = surface(*parts, points=AXES)
    assert found.x.tolist() == AXES[0].tolist() and found.y.tolist() == AXES[1].tolist()
    assert np.array_equal(found.corners, parts[0].corners)
    about = found.provenance["plane"]
    assert about["points"] == [3, 2] and about["centred"] is False
    assert about["unit"] == parts[0].unit


def test_a_number_of_points_frames_the_states(parts):
    found = surface(*parts, points=4, margin=0.5)
    x, y = parts[0].axes(4, 0.5)
    assert np.array_equal(found.x, x) and np.array_equal(found.y, y)
    assert found.value().shape == (4, 4)


@pytest.mark.parametrize(
    "axis", [[0.0], [0.0, 0.0], [1.0, 0.0], [[0.0, 1.0]]], ids=["one", "equal", "falling", "nested"]
)
@pytest.mark.parametrize("which", [0, 1])
def test_an_axis_has_two_increasing_points(parts, axis, which):
    axes = [np.array([0.0, 1.0]), np.array([0.0, 1.0])]
    axes[which] = np.array(axis)
    with pytest.raises(GridError, match="two increasing points or more") as caught:
        surface(*parts, points=tuple(axes))
    assert caught.value.got == f"{np.array(axis)}"


def test_splits_are_measured_one_after_another_and_told(parts):
    plane, objective = parts
    told = []
    found = surface(
        plane,
        {"train": objective, "test": objective},
        points=AXES,
        progress=lambda *a: told.append(a),
    )
    assert list(found.values) == ["train", "test"]
    assert told == [("train", 20, 20), ("test", 20, 20)]
    assert set(found.provenance["splits"]["test"]) >= {"strategy", "objective", "evaluations"}
    assert np.array_equal(found.value("loss", "test"), found.value())


def test_an_interrupted_surface_keeps_finished_splits(parts):
    plane, objective = parts
    few = rl.Objective(objective.network.module, (X, Y), dtype=torch.float64, rows=5)
    found = surface(plane, {"a": few, "b": few}, points=AXES, interrupted=lambda: True)
    assert list(found.values) == ["a"]
    assert found.provenance["splits"]["a"]["stopped"] == "interrupted"


def test_unknown_splits_and_metrics_list_those_known(parts):
    found = surface(*parts, points=AXES)
    with pytest.raises(UnknownName, match=r"split.*'test'.*data"):
        found.value("loss", "test")
    with pytest.raises(UnknownName, match=r"metric.*'top'.*loss, error"):
        found.value("top")


def test_a_failure_says_its_coordinates(parts):
    def loss(outputs, targets):
        if float(outputs.abs().max()) > 50:
            raise ValueError("mine")
        return outputs[:, 0]

    two = nn.Linear(2, 1, bias=False)
    objective = rl.Objective(two, (torch.ones(2, 2), Y[:2]), loss=loss)
    corners = [{"weight": torch.tensor([v])} for v in ([0.0, 0.0], [1.0, 0.0], [0.0, 1.0])]
    axes = np.array([0.0, 100.0]), np.array([0.25, 0.5])
    with pytest.raises(rl.errors.ForwardFailed, match=r"x = 100, y = 0\.25"):
        surface(Plane(*corners), objective, points=axes, strategy="loop")
