"""Products of rows with the matrix whose run they lie in."""

import pytest
import torch

from ridgeline.graph.grouped import Ungrouped, grouped_product, plain

X = torch.arange(10.0).reshape(5, 2)
W = torch.arange(12.0).reshape(3, 2, 2)
ENDS = torch.tensor([2, 2, 5], dtype=torch.int32)  # two rows, none, three


def by_loop():
    return torch.stack([X[i] @ W[0 if i < 2 else 2] for i in range(5)])


def test_each_row_meets_the_matrix_of_its_run():
    assert torch.equal(grouped_product(X, W, ENDS), by_loop())


def test_arguments_go_by_place_or_by_either_name():
    for given in (
        plain((X, W), {"offs": ENDS}),
        plain((X, W, ENDS), {}),
        plain((), {"mat_a": X, "mat_b": W, "offs": ENDS}),
        plain((), {"self": X, "mat2": W, "offsets": ENDS}),
    ):
        assert torch.equal(given, by_loop())


def test_the_result_has_the_type_that_is_asked_for():
    assert plain((X, W, ENDS), {"out_dtype": torch.float64}).dtype is torch.float64


@pytest.mark.parametrize(
    "args", [(X, W), (X, W[0], ENDS), (X[None], W, ENDS), (X, W, ENDS, torch.ones(2)), (1, W, ENDS)]
)
def test_other_forms_are_left_to_torch(args):
    assert plain(args, {}) is None


def test_within_the_mode_a_function_of_that_name_is_computed_plainly():
    class Called(torch.Tensor):
        pass

    with Ungrouped():
        if hasattr(torch.nn.functional, "grouped_mm"):
            got = torch.nn.functional.grouped_mm(X, W, offs=ENDS)
            assert torch.equal(got, by_loop())
        assert torch.equal(torch.mm(X, W[0]), X @ W[0])
