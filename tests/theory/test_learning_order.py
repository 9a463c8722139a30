"""Planted learning orders are found."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from ridgeline.errors import UsageError
from ridgeline.objective import Objective
from ridgeline.theory import LearningOrder, learned_at


class Table(nn.Module):
    """Outputs are its own tensor: sample i is given row i."""

    def __init__(self, samples, classes):
        super().__init__()
        self.rows = nn.Parameter(torch.zeros(samples, classes, dtype=torch.float64))

    def forward(self, x):
        return self.rows[x[:, 0].long()]


TARGETS = torch.tensor([0] * 10 + [1] * 10 + [2] * 10)


def objective():
    index = torch.arange(30, dtype=torch.float64)[:, None]
    return Objective(Table(30, 3), (index, TARGETS), rows=7)


def state(right, strength=10.0):
    """Rows in which the first `right[c]` samples of class c are right, the others wrong."""
    rows = torch.zeros(30, 3, dtype=torch.float64)
    for i, c in enumerate(TARGETS.tolist()):
        rows[i, c if i % 10 < right[c] else (c + 1) % 3] = strength
    return {"rows": rows}


def test_a_class_is_learned_when_enough_of_its_samples_are_right():
    run = {10: state((8, 10, 0)), 0: state((0, 0, 0)), 20: state((9, 9, 0)), 30: state((10, 10, 8))}
    found = learned_at(run, objective())
    assert found.learned.tolist() == [20, 10, math.inf]
    assert found.order == [1, 0, 2] and found.last == [2]
    every = learned_at(run, objective(), share=1.0)
    assert every.learned.tolist() == [30, 30, math.inf]
    assert learned_at(run, objective(), share=1.0, lasting=False).learned.tolist()[1] == 10


def test_a_class_that_all_samples_are_predicted_as_is_not_learned_for_good():
    run = {0: state((10, 0, 0)), 5: state((3, 10, 0)), 9: state((10, 10, 10))}
    assert learned_at(run, objective()).learned.tolist() == [9, 5, 9]
    assert learned_at(run, objective(), lasting=False).learned.tolist() == [0, 5, 9]


def test_confidence_asks_for_more_than_being_right():
    # With logits (s, 0, 0) the probability is e^s / (e^s + 2): 0.9 at s = log 18.
    below, above = math.log(18) - 1e-6, math.log(18) + 1e-6
    run = {1: state((10, 10, 10), below), 2: state((10, 10, 10), above)}
    assert learned_at(run, objective(), confidence=0.9).learned.tolist() == [2, 2, 2]
    assert learned_at(run, objective()).learned.tolist() == [1, 1, 1]


def test_the_order_is_compared_with_the_bias():
    found = LearningOrder(np.array([3.0, 1.0, 2.0, math.inf]))
    assert found.correlation([2.0, -1.0, 0.0, 5.0]) == pytest.approx(1)
    assert found.correlation([-2.0, 1.0, 0.0, -5.0]) == pytest.approx(-1)
    assert found.last_has_largest([0, 0, 0, 1]) and not found.last_has_largest([1, 0, 0, 0])
    assert math.isnan(found.correlation([1, 1, 1, 1]))
    tied = LearningOrder(np.array([1.0, math.inf, math.inf]))
    assert tied.last == [1, 2] and tied.last_has_largest([0, 0, 1])
    with pytest.raises(UsageError):
        found.correlation([1.0, 2.0])


def test_nonsense_is_refused():
    with pytest.raises(UsageError):
        learned_at({}, objective())
    for wrong in ({"share": 0.0}, {"share": 1.5}, {"confidence": 1.0}):
        with pytest.raises(UsageError):
            learned_at({0: state((1, 1, 1))}, objective(), **wrong)


@pytest.mark.parametrize("confidence", [None, 0.9])
def test_labels_that_do_not_count_are_of_no_class(confidence):
    index = torch.arange(30, dtype=torch.float64)[:, None]
    some = TARGETS.clone()
    some[8:10] = -100  # the two of class 0 that are wrong
    goal = Objective(Table(30, 3), (index, some), rows=7)
    found = learned_at({1: state((8, 10, 9))}, goal, share=1.0, confidence=confidence)
    assert found.learned.tolist() == [1, 1, math.inf]


def test_the_correlation_is_of_ranks_and_never_learned_is_latest():
    order = LearningOrder(np.array([5.0, 1.0, math.inf, 3.0]))
    assert order.correlation([0.3, 0.1, 9.0, 0.2]) == pytest.approx(1.0)
    assert order.correlation([-0.3, -0.1, -9.0, -0.2]) == pytest.approx(-1.0)
    two = LearningOrder(np.array([1.0, 2.0, 2.0]))
    assert math.isfinite(two.correlation([1.0, 1.0, 2.0]))
    assert math.isnan(two.correlation([1.0, 1.0, 1.0]))
    assert math.isnan(LearningOrder(np.array([2.0, 2.0])).correlation([1.0, 2.0]))


def test_the_last_class_may_be_one_of_several_and_the_largest_bias_the_first_of_equal():
    tied = LearningOrder(np.array([1.0, 4.0, 4.0]))
    assert tied.last == [1, 2]
    assert tied.last_has_largest([0.0, 0.5, 0.9])
    assert not tied.last_has_largest([1.0, 0.5, 0.9])
    with pytest.raises(UsageError, match=r"one bias for each class.*\(2,\) for 3 classes"):
        tied.correlation([1.0, 2.0])
