"""Shapes and conventions of losses and metrics: what fits, and what each refusal says."""

from functools import partial

import pytest
import torch

import ridgeline as rl
from ridgeline.errors import UsageError
from ridgeline.objective.forms import (
    Labels,
    aligned,
    as_labels,
    by_position,
    classes_at,
    classes_last,
    labels_of,
    number,
    positions_of,
    unwrapped,
)

LONG, REAL = torch.long, torch.float32


def shaped(*shape, kind=REAL):
    return torch.zeros(shape, dtype=kind)


@pytest.mark.parametrize(
    ("outputs", "targets", "want"),
    [((4, 1), (4,), (4,)), ((4,), (4, 1), (4,)), ((4, 3), (4, 3), (4, 3)),
     ((4, 1, 3), (4, 3), (4, 3)), ((1, 1), (1,), (1,))],
)  # fmt: skip
def test_an_axis_of_one_that_the_other_lacks_is_left_out(outputs, targets, want):
    found = aligned(shaped(*outputs), shaped(*targets, kind=LONG), "It")
    assert [tuple(x.shape) for x in found] == [want, want]
    assert found[1].dtype == REAL


@pytest.mark.parametrize(("outputs", "targets"), [((4, 3), (4,)), ((4,), (3,)), ((1, 4), (4,))])
def test_what_would_be_broadcast_is_refused(outputs, targets):
    with pytest.raises(UsageError, match="It takes outputs and targets of one shape") as told:
        aligned(shaped(*outputs), shaped(*targets), "It")
    assert told.value.got == f"{outputs} and {targets}"
    assert "compare every sample with every other" in told.value.remedy


def test_targets_that_are_several_are_refused():
    for check in (
        lambda t: aligned(shaped(4), t, "It"),
        lambda t: classes_at(shaped(4, 3), t, -1, "It"),
    ):
        with pytest.raises(UsageError, match=r"It takes one tensor of targets.*a dict"):
            check({"y": shaped(4)})


def test_real_targets_keep_their_type():
    _, targets = aligned(shaped(4), torch.zeros(4, dtype=torch.float64), "It")
    assert targets.dtype == torch.float64


@pytest.mark.parametrize(
    ("outputs", "targets", "kind", "dim", "remedy"),
    [
        ((4, 1), (4,), LONG, -1, "A single logit"),
        ((4, 3, 5), (4, 3), LONG, 1, "Here the classes are last"),
        ((4, 3, 5), (4, 5), LONG, -1, "Here the classes are axis 1"),
        ((4, 3), (4,), REAL, -1, "no class indices"),
        ((4, 3), (4, 3), LONG, -1, "one-hot"),
        ((4, 3), (4, 1), LONG, -1, "targets.squeeze"),
        ((4, 3), (5,), LONG, -1, "loss(outputs, targets) -> (N,) of your own"),
        ((4,), (4,), LONG, -1, "one-hot"),
    ],
)
def test_each_shape_that_is_no_classification_has_its_remedy(outputs, targets, kind, dim, remedy):
    with pytest.raises(UsageError, match="It takes outputs") as told:
        classes_at(shaped(*outputs), shaped(*targets, kind=kind), dim, "It")
    assert remedy in told.value.remedy
    assert ("(N, ..., C)" if dim == -1 else "(N, C, ...)") in told.value.rule
    assert f"outputs {outputs}, targets {targets}" in told.value.got


@pytest.mark.parametrize(
    ("outputs", "targets", "dim"),
    [((4, 3), (4,), -1), ((4, 3), (4,), 1), ((4, 5, 3), (4, 5), -1), ((4, 3, 5), (4, 5), 1)],
)
def test_classes_on_either_axis_fit_and_are_moved_last(outputs, targets, dim):
    classes_at(shaped(*outputs), shaped(*targets, kind=LONG), dim, "It")
    found, labels = classes_last(shaped(*outputs), shaped(*targets, kind=torch.int32), dim)
    assert tuple(found.shape) == (*targets, 3)
    assert labels.dtype == LONG


def test_labels_are_tensors_of_integers():
    assert as_labels(shaped(2, kind=LONG))
    assert as_labels(shaped(2, kind=torch.bool))
    assert not as_labels(shaped(2))
    assert not as_labels([1, 2])


def test_a_number_is_the_mean_over_what_counts_and_nan_where_nothing_does():
    found = number(
        (torch.tensor([[1.0, 3.0], [5.0, 7.0]]), torch.tensor([[True, True], [False] * 2]))
    )
    assert found[0] == 2
    assert found[1].isnan()


def test_arguments_that_are_bound_go_along():
    bound = partial(partial(rl.cross_entropy, dim=1), ignore_index=7)
    assert unwrapped(bound) is rl.cross_entropy
    assert labels_of(bound) == Labels(ignored=7, dim=1)
    assert labels_of(rl.error) == Labels(ignored=-100, dim=-1)
    assert labels_of(rl.squared_error) is None
    assert positions_of(bound).keywords == {"dim": 1, "ignore_index": 7}
    assert positions_of(print) is None


def test_a_note_on_a_function_leaves_it_as_it_is():
    def at(outputs, targets):
        return outputs, None

    @by_position(at, higher_is_better=True)
    def metric(outputs, targets):
        return outputs

    assert metric.positions is at
    assert metric.higher_is_better
    assert labels_of(metric) is None
