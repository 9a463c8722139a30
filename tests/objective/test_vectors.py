"""Flat vectors of the tensors that a point moves by."""

import numpy as np
import pytest
import torch
from torch import nn

import ridgeline as rl
from ridgeline.errors import NonFinite, StateMismatch, UsageError
from ridgeline.objective.point import Point
from ridgeline.objective.vectors import Vectors


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(2, 2, bias=False), nn.Linear(2, 2)
        self.two.weight = self.one.weight

    def forward(self, x):
        return self.two(self.one(x))


class Plain(Vectors):
    def _matmat(self, matrix):
        raise AssertionError("no product is asked for")


@pytest.fixture(scope="module", params=[torch.float32, torch.float64])
def made(request):
    torch.manual_seed(0)
    net = Tied()
    data = torch.randn(4, 2), torch.randn(4, 2)
    objective = rl.Objective(net, data, loss="mse", dtype=request.param)
    state = rl.state.capture(net)
    return Plain(Point(objective, state)), state, request.param


def test_tied_names_are_one_and_types_are_those_of_the_objective(made):
    vectors, _, dtype = made
    assert vectors.names == ("one.weight", "two.bias") and vectors.shape == (6, 6)
    assert vectors.dtype == (np.float64 if dtype == torch.float64 else np.float32)


def test_an_operator_may_have_other_rows(made):
    assert Plain(made[0].point, rows=3).shape == (3, 6)


def test_a_vector_is_the_tensors_one_after_another_and_back(made):
    vectors, state, _ = made
    flat = vectors.flatten(state)
    want = torch.cat([state["one.weight"].flatten(), state["two.bias"]])
    np.testing.assert_array_equal(flat, want.numpy().astype(vectors.dtype))
    back = vectors.unflatten(flat)
    assert set(back) == {"one.weight", "two.weight", "two.bias"}
    assert back["one.weight"] is back["two.weight"]
    assert torch.equal(back["two.bias"].float(), state["two.bias"])


def test_the_other_name_of_a_tied_tensor_will_do(made):
    vectors, state, _ = made
    other = {"two.weight": state["one.weight"], "two.bias": state["two.bias"]}
    np.testing.assert_array_equal(vectors.flatten(other), vectors.flatten(state))


def test_what_is_missing_is_named(made):
    vectors, state, _ = made
    with pytest.raises(StateMismatch, match="the operator and what is to be a vector") as caught:
        vectors.flatten({"one.weight": state["one.weight"]})
    assert list(caught.value.missing) == ["two.bias"]


def test_columns_of_a_matrix_become_leaves_and_back(made):
    vectors, _, _ = made
    matrix = np.arange(12.0, dtype=vectors.dtype).reshape(6, 2)
    columns = vectors.columns(matrix)
    assert [[tuple(x.shape) for x in column] for column in columns] == [[(2, 2), (2,)]] * 2
    assert columns[1][1].tolist() == [9.0, 11.0]
    np.testing.assert_array_equal(vectors.stacked(columns), matrix)


def test_complex_vectors_are_refused_with_their_type(made):
    with pytest.raises(UsageError, match="Vectors are real") as caught:
        made[0].columns(np.zeros((6, 1), dtype=np.complex64))
    assert caught.value.got == "a vector of complex64"
    assert caught.value.remedy == "Multiply real and imaginary part apart."


def test_products_that_are_not_finite_are_named(made):
    vectors, _, _ = made
    bad = [torch.zeros(2, 2), torch.tensor([0.0, torch.nan])]
    with pytest.raises(NonFinite, match=r"a product with a vector.*two.bias \(1 NaN, 0 infinite\)"):
        vectors.stacked([bad])


def test_the_first_derivatives_are_looked_at_and_others_only_if_it_is_asked(made, monkeypatch):
    seen = []
    monkeypatch.setattr("ridgeline.objective.vectors.check_twice", seen.append)
    vectors = Plain(made[0].point)
    vectors.check(["first"])
    vectors.check(["second"])
    vectors.check(["third"], again=True)
    assert seen == [["first"], ["third"]]
