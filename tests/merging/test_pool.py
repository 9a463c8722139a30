"""What is merged: weights, shares, the base and task vectors."""

import pytest
import torch

from ridgeline.errors import UsageError
from ridgeline.merging.pool import Pool, affine, mean

A, B, BASE = ({"w": torch.tensor(v)} for v in ([1.0, 2.0], [3.0, 6.0], [1.0, 1.0]))


def pool(weights=None, base=BASE, states=(A, B)):
    return Pool(states, base, weights, ("w",))


def test_weights_are_ones_and_shares_are_equal_by_default():
    assert pool().factors == (1.0, 1.0) and pool().shares == (0.5, 0.5)


def test_shares_sum_to_one_and_factors_are_as_given():
    assert pool((1.0, 3.0)).factors == (1.0, 3.0)
    assert pool((1.0, 3.0)).shares == (0.25, 0.75)
    assert pool((1.0, 3.0)).equal == (0.5, 0.5) and pool((0.0, 2.0)).shares == (0.0, 1.0)


@pytest.mark.parametrize("weights", [(-1.0, 2.0), (0.0, 0.0), (1.0, float("nan"))])
def test_weights_of_no_mean_are_refused(weights):
    with pytest.raises(UsageError, match="not negative, and one at least is positive") as caught:
        _ = pool(weights).shares
    assert caught.value.got == str(list(weights))
    assert caught.value.remedy == "To go beyond a state use a path, or task arithmetic."


def test_a_task_vector_is_what_changed_in_double_precision():
    found = pool().delta(1, "w")
    assert found.tolist() == [2.0, 5.0] and found.dtype is torch.float64


def test_without_a_base_nothing_changed_since():
    assert pool().origin is BASE
    with pytest.raises(UsageError, match=r"since a common start\. Got no base") as caught:
        pool(base=None).delta(0, "w")
    assert caught.value.remedy == "Give it: merge(states, by=..., base=pretrained)."


def test_an_affine_combination_is_of_the_points_that_count():
    points = [torch.tensor([v]) for v in (torch.nan, 2.0, 6.0)]
    assert affine(points, (0, 0.75, 0.25)).tolist() == [3.0]
    assert affine(points[1:], (0, 1)).tolist() == [6.0]
    assert affine(points[1:], (2, -1)).tolist() == [-2.0]


def test_equal_points_keep_their_bits():
    x = torch.tensor([0.1])
    assert affine([x, x, x], (1 / 3,) * 3).tolist() == x.double().tolist()


def test_a_mean_is_with_the_pools_shares_or_with_others():
    assert mean(pool((1.0, 3.0)), "w").tolist() == [2.5, 5.0]
    assert mean(pool((1.0, 3.0)), "w", (0.75, 0.25)).tolist() == [1.5, 3.0]
