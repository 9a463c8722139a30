"""Numbers per sample and what each weighs."""

import math

import pytest
import torch

from ridgeline.objective.weighted import (
    Weighted,
    concatenated,
    linearised,
    mean,
    over_positions,
    where_counted,
)

VALUES = torch.tensor([[1.0, 3.0, 8.0], [2.0, math.nan, math.nan], [math.nan] * 3])
COUNTED = torch.tensor([[True, True, True], [True, False, False], [False, False, False]])


def test_a_sample_has_the_mean_over_its_positions_that_count():
    found = over_positions(VALUES, COUNTED)
    assert found.values[:2].tolist() == [4.0, 2.0]
    assert found.weights.tolist() == [1, 1, 0]


def test_a_sample_weighs_as_many_as_its_tokens_do():
    found = over_positions(VALUES, COUNTED, tokens=True)
    assert found.values[:2].tolist() == [4.0, 2.0]
    assert found.weights.tolist() == [3, 1, 0]


def test_a_total_is_the_sum_over_positions_that_count():
    found = over_positions(VALUES, COUNTED, total=True)
    assert found.values[:2].tolist() == [12.0, 2.0]
    assert found.weights.tolist() == [1, 1, 0]
    plain = torch.tensor([[1.0, 3.0], [2.0, 5.0]])
    assert over_positions(plain, None, total=True).values.tolist() == [4, 7]
    assert over_positions(plain, None).values.tolist() == [2, 3.5]
    assert over_positions(plain, None).weights is None


def test_weights_of_positions_make_a_weighted_mean():
    found = over_positions(torch.tensor([[1.0, 4.0]]), torch.tensor([[2.0, 1.0]]), tokens=True)
    assert found.values.tolist() == [2.0]
    assert found.weights.tolist() == [3.0]


def test_a_number_a_sample_stays_and_its_weights_take_its_type():
    found = over_positions(torch.tensor([1.0, 2.0]), torch.tensor([True, False]))
    assert found.values.tolist() == [1, 2]
    assert found.weights.tolist() == [1, 0]
    assert found.weights.dtype == torch.float32


def test_the_mean_is_the_ratio_and_passes_no_gradient_to_what_does_not_count():
    values = torch.tensor([1.0, 5.0, math.nan], requires_grad=True)
    found = mean(Weighted(values, torch.tensor([3.0, 1.0, 0.0])))
    assert float(found.detach()) == 2.0
    found.backward()
    assert values.grad.tolist() == [0.75, 0.25, 0.0]
    assert float(mean(Weighted(torch.tensor([1.0, 5.0])))) == 3.0
    assert float(mean(Weighted(torch.tensor([math.nan]), torch.tensor([0.0])))) == 0.0


def test_what_does_not_count_is_nan_where_it_is_shown():
    shown = where_counted(Weighted(torch.tensor([1.0, 5.0]), torch.tensor([2.0, 0.0])))
    assert shown[0] == 1
    assert shown[1].isnan()
    plain = torch.tensor([1.0])
    assert where_counted(Weighted(plain)) is plain


def test_linearised_numbers_have_the_weighted_mean_as_their_plain_one():
    values, weights = torch.tensor([1.0, 5.0, 9.0, 2.0]), torch.tensor([3.0, 1.0, 0.0, 2.0])
    found = linearised(Weighted(values, weights))
    assert len(found) == 3
    assert float(found.mean()) == pytest.approx((3 * 1 + 5 + 2 * 2) / 6)
    assert float(found[0]) == pytest.approx(2 + 3 * (1 - 2) / 2)


def test_equal_weights_change_nothing_and_nothing_that_counts_gives_nothing():
    values = torch.tensor([1.0, 5.0, 9.0])
    assert linearised(Weighted(values, torch.tensor([2.0, 0.0, 2.0]))).tolist() == [1, 9]
    assert linearised(Weighted(values)) is values
    assert len(linearised(Weighted(values, torch.zeros(3)))) == 0


def test_batches_with_and_without_weights_join():
    one, two = Weighted(torch.tensor([1.0])), Weighted(torch.tensor([2.0]), torch.tensor([3.0]))
    found = concatenated([one, two])
    assert found.values.tolist() == [1, 2]
    assert found.weights.tolist() == [1, 3]
    assert concatenated([one, one]).weights is None
