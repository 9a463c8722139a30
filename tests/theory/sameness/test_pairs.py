"""The barriers between all pairs, and clusters of networks planted in two valleys."""

import numpy as np
import pytest
import torch
from torch import nn

from ridgeline.errors import RidgelineWarning, UnknownName, UsageError
from ridgeline.objective import Objective
from ridgeline.paths import Line
from ridgeline.profiles import profile
from ridgeline.theory.sameness import BarrierMatrix, barrier_matrix


class Wells(nn.Module):
    """The loss (w^2 - 1)^2: valleys at -1 and 1, a barrier of 1 between them."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, x):
        return (self.w**2 - 1).square() * torch.ones_like(x)


def wells(*places):
    x = torch.ones(4, 1, dtype=torch.float64)
    goal = Objective(Wells(), (x, torch.zeros(4)), loss=lambda out, _: out[:, 0])
    return goal, [{"w": torch.tensor(p, dtype=torch.float64)} for p in places]


def test_two_valleys_are_two_clusters():
    goal, states = wells(-1.02, 1.0, -1.0, 1.03, 0.98)
    told = []
    found = barrier_matrix(
        states, goal, names="abcde", points=21, progress=lambda *x: told.append(x)
    )
    assert told == [("pairs", i, 10) for i in range(1, 11)]
    assert (found.heights == found.heights.T).all() and (np.diag(found.heights) == 0).all()
    for i in range(5):
        for j in range(i):
            alone = profile(Line(states[j], states[i]), goal, points=21).barrier()
            assert found.heights[i, j] == pytest.approx(alone.height, abs=1e-12)
            assert found.stderr[i, j] == pytest.approx(alone.stderr, abs=1e-12)
    assert found.heights[1, 2] == pytest.approx(1)
    clusters = found.clusters(count=2)
    assert clusters.groups == [["a", "c"], ["b", "d", "e"]]
    assert clusters.labels == {"a": 1, "b": 2, "c": 1, "d": 2, "e": 2}
    assert found.clusters(height=0.5).labels == clusters.labels
    assert str(clusters) == "a, c; b, d, e"
    assert len(found.clusters(height=2).groups) == 1 and clusters.linkage.shape == (4, 4)
    assert "between 5 networks: 0 to" in str(found)
    assert len(found.between()) == 10 and found.between([(1, 2)])[0] == found.heights[1, 2]


def test_alignment_goes_before_and_the_gap_is_a_distance():
    goal, states = wells(-1.0, 1.0)
    with pytest.warns(RidgelineWarning, match="have the same values"):  # once aligned
        flipped = barrier_matrix(
            states, goal, align=lambda a, b: {"w": b["w"] * a["w"].sign() * b["w"].sign()}
        )
    assert flipped.heights[0, 1] == 0
    gap = barrier_matrix(states, goal, kind="convexity_gap", points=11)
    assert gap.kind == "convexity_gap" and gap.heights[0, 1] > 0.9


def test_refusals():
    goal, states = wells(-1.0, 1.0)
    with pytest.raises(UsageError, match="two networks"):
        barrier_matrix(states[:1], goal)
    with pytest.raises(UsageError, match="name of its own"):
        barrier_matrix(states, goal, names=["a", "a"])
    with pytest.raises(UnknownName, match="metric"):
        barrier_matrix(states, goal, metric="loose")
    found = barrier_matrix(states, goal)
    for options in ({}, {"count": 1, "height": 1.0}, {"count": 3}):
        with pytest.raises(UsageError):
            found.clusters(**options)
    broken = BarrierMatrix(
        ("a", "b"), np.array([[0, np.inf], [np.inf, 0]]), found.stderr, "chord", "loss", 4
    )
    with pytest.raises(UsageError, match="inf between a and b"):
        broken.clusters(count=1)
