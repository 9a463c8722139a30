"""Metrics, one number per sample, against plain comparisons."""

import pytest
import torch

from ridgeline.errors import UsageError
from ridgeline.objective.forms import labels_of
from ridgeline.objective.metrics import accuracy, binary_accuracy, binary_error, error, top_k

LOGITS = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0], [1.0, 2.0, 9.0]])
Y = torch.tensor([0, 2, 1])


def test_the_error_is_one_where_another_logit_is_larger():
    assert error(LOGITS, Y).tolist() == [0, 1, 1]
    assert accuracy(LOGITS, Y).tolist() == [1, 0, 0]


def test_over_positions_it_is_the_mean_of_those_that_count():
    logits = LOGITS.expand(2, 3, 3)
    labels = torch.tensor([[0, 1, 0], [-100, 1, 0]])
    assert error(logits, labels).tolist() == pytest.approx([1 / 3, 0.5])
    assert accuracy(logits, labels).tolist() == pytest.approx([2 / 3, 0.5])
    assert torch.equal(error(logits.movedim(-1, 1), labels, dim=1), error(logits, labels))


def test_another_label_may_be_the_one_that_does_not_count():
    assert error(LOGITS, Y, ignore_index=1).isnan().tolist() == [False, False, True]
    assert accuracy(LOGITS, Y, ignore_index=1).isnan().tolist() == [False, False, True]


def test_a_single_logit_is_compared_with_its_threshold():
    z, t = torch.tensor([0.2, 0.7, 0.7]), torch.tensor([0.0, 1.0, 0.0])
    assert binary_error(z, t).tolist() == [1, 0, 1]
    assert binary_error(z, t, threshold=0.5).tolist() == [0, 0, 1]
    assert binary_accuracy(z, t, threshold=0.5).tolist() == [1, 1, 0]
    assert binary_error(torch.zeros(1), torch.zeros(1)).tolist() == [0]


def test_a_target_among_the_largest_is_forgiven():
    assert top_k(1)(LOGITS, Y).tolist() == error(LOGITS, Y).tolist()
    assert top_k(2)(LOGITS, Y).tolist() == [0, 0, 0]
    assert top_k(3)(LOGITS, torch.tensor([1, 0, 0])).tolist() == [0, 0, 0]
    assert top_k(2)(LOGITS, torch.tensor([1, 0, 0])).tolist() == [1, 1, 1]


def test_a_label_that_does_not_count_has_no_top():
    assert top_k(2)(LOGITS, torch.tensor([0, -100, 1])).isnan().tolist() == [False, True, False]


def test_a_k_outside_of_the_classes_is_refused():
    with pytest.raises(UsageError, match=r"k is at least 1\. Got 0\."):
        top_k(0)
    with pytest.raises(UsageError, match=r"at least k classes\. Got k = 4 and 3 classes"):
        top_k(4)(LOGITS, Y)


@pytest.mark.parametrize("metric", [error, accuracy, top_k(1)])
def test_metrics_of_classes_say_so_and_others_do_not(metric):
    assert labels_of(metric) == (-100, -1)
    assert labels_of(binary_error) is None


@pytest.mark.parametrize(
    ("metric", "higher"),
    [(error, False), (accuracy, True), (binary_error, False), (binary_accuracy, True)],
)
def test_accuracies_are_better_higher(metric, higher):
    assert metric.higher_is_better is higher


def test_each_position_has_its_value_and_counts_or_not():
    labels = torch.tensor([0, -100, 1])
    for metric, values in ((error, [0, 1, 1]), (accuracy, [1, 0, 0])):
        found, counted = metric.positions(LOGITS, labels)
        assert found.tolist() == values and counted.tolist() == [True, False, True]
    z, t = torch.tensor([1.0, -1.0]), torch.tensor([1.0, 1.0])
    assert binary_error.positions(z, t)[0].tolist() == [0, 1]
    assert binary_accuracy.positions(z, t, threshold=2.0)[0].tolist() == [0, 0]
