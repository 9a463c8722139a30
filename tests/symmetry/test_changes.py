"""How much outputs changed: each by its own scale."""

from math import inf

import pytest
import torch

from ridgeline.symmetry.changes import change_of, finite

T = torch.tensor


def test_a_change_is_over_the_size_of_the_element_or_of_the_output():
    assert change_of([T([1.0, 1.0, 10.0])], [T([1.0, 1.0, 11.0])]) == pytest.approx(0.1)
    assert change_of([T([0.0, 2.0, 2.0])], [T([1.0, 2.0, 2.0])]) == pytest.approx(0.5)
    assert change_of([T([1.0])], [T([1.0])]) == 0


def test_the_largest_of_several_outputs_counts():
    assert change_of([T([1.0]), T([4.0])], [T([1.1]), T([4.0])]) == pytest.approx(0.1)
    assert change_of([T([4.0]), T([1.0])], [T([4.0]), T([1.1])]) == pytest.approx(0.1)


def test_a_tiny_output_is_measured_against_the_floor_of_the_largest():
    assert change_of([T([1.0]), T([0.0])], [T([1.0]), T([1e-5])]) == pytest.approx(1.0)
    assert change_of([T([0.0])], [T([0.5])]) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("before", "after", "want"),
    [
        ([1.0, torch.nan], [1.0, torch.nan], 0.0),
        ([1.0, torch.nan], [1.0, 2.0], inf),
        ([1.0, 2.0], [1.0, torch.nan], inf),
        ([1.0, torch.inf], [1.0, torch.inf], 0.0),
        ([1.0, torch.inf], [1.0, -torch.inf], inf),
        ([torch.nan], [torch.nan], 0.0),
    ],
)
def test_what_is_not_finite_is_compared_exactly(before, after, want):
    assert change_of([T(before)], [T(after)]) == want


def test_shapes_must_agree_and_whole_numbers_count_by_their_share():
    assert change_of([T([1.0])], [T([[1.0]])]) == inf
    assert change_of([T([1, 2, 3, 4])], [T([1, 2, 3, 5])]) == 0.25
    assert change_of([torch.empty(0)], [torch.empty(0)]) == 0


def test_masks_that_are_added_do_not_set_the_scale():
    x = torch.cat([torch.ones(50), torch.full((50,), -1e32)])
    y = x.clone()
    y[0] = 1.5
    assert change_of([x], [y]) == pytest.approx(0.5)


def test_something_must_be_finite():
    assert finite([T([torch.nan, 1.0])]) and finite([torch.empty(0)])
    assert not finite([T([torch.nan])]) and finite([T([torch.nan]), T([1.0])])
