"""Fisher merging and RegMean, and what they refuse."""

import numpy as np
import pytest
import torch

import ridgeline as rl
from ridgeline.errors import NonFinite, StateMismatch, UsageError
from ridgeline.merging import Fisher, RegMean

A, B = {"w": torch.tensor([[1.0, 4.0]])}, {"w": torch.tensor([[3.0, 8.0]])}
F, G = {"w": torch.tensor([[1.0, 0.0]])}, {"w": torch.tensor([[3.0, 0.0]])}


def merged(by, weights=None, states=(A, B)):
    return rl.merge(list(states), by=by, weights=weights)


def test_information_weighs_and_where_there_is_none_the_mean_is_taken():
    assert merged(Fisher([F, G])).state["w"].tolist() == [[2.5, 6.0]]
    assert merged(Fisher([F, G]), [3, 1]).state["w"].tolist() == [[2.0, 5.0]]


@pytest.mark.parametrize(
    ("fishers", "error", "said"),
    [
        ([F], UsageError, r"its own Fisher information\. Got 1 for 2 states"),
        ([F, {}], StateMismatch, r"state 0 and Fisher 1 must[\s\S]*- w \(1, 2\)"),
        (
            [{"w": torch.ones(3)}, G],
            StateMismatch,
            r"state 0 and Fisher 0[\s\S]*\(1, 2\) -> \(3,\)",
        ),
        ([F, {"w": -G["w"]}], UsageError, r"is not negative\. Got w of 1"),
        ([F, {"w": G["w"] * torch.nan}], NonFinite, "Fisher 1"),
    ],
)
def test_information_of_another_form_is_refused(fishers, error, said):
    with pytest.raises(error, match=said):
        merged(Fisher(fishers))


def test_the_regression_mean_solves_its_normal_equations():
    draw = np.random.default_rng(0)
    a, b = (draw.normal(size=(3, 2)) for _ in "ab")
    x, y = (draw.normal(size=(5, 2)) for _ in "xy")
    g, h = x.T @ x, y.T @ y
    found = rl.merge(
        [{"w": torch.tensor(a)}, {"w": torch.tensor(b)}],
        by=RegMean([{"w": torch.tensor(g)}, {"w": torch.tensor(h)}], shrink=0.9),
        weights=[1, 3],
    ).state["w"]
    shrunk = [m * 0.9 + np.diag(np.diag(m)) * 0.1 for m in (g, 3 * h)]
    want = (a @ shrunk[0] + b @ shrunk[1]) @ np.linalg.inv(sum(shrunk))
    np.testing.assert_allclose(found.numpy(), want, rtol=1e-10)


def test_other_tensors_are_averaged_and_named_five_at_most():
    names = [f"b{i}" for i in range(7)]
    more = {n: torch.zeros(1) for n in names}, {n: torch.ones(1) for n in names}
    gram = {"w": torch.eye(2)}
    found = merged(RegMean([gram, gram]), states=(A | more[0], B | more[1]))
    assert found.state["b6"].tolist() == [0.5]
    assert "Averaged, for they have no Gram matrix: b0, b1, b2, b3, b4 and 2 more." in found.notes
    few = merged(RegMean([gram, gram]), states=(A | {"b": more[0]["b0"]}, B | {"b": more[1]["b0"]}))
    assert "Averaged, for they have no Gram matrix: b." in few.notes
    assert not merged(RegMean([gram, gram])).notes


@pytest.mark.parametrize(
    ("grams", "said"),
    [
        ([{"w": torch.eye(2)}], r"its own Gram matrices\. Got 1 for 2 states"),
        ([{"w": torch.eye(2)}, {}], r"has a Gram matrix in every state\. Got matrices of w"),
        ([{}, {"w": torch.eye(2)}], r"in every state\. Got matrices of nothing"),
        (
            [{"w": torch.eye(2)}, {"w": torch.eye(3)}],
            r"\(in, in\)\. Got \(3, 3\) for 'w' of \(1, 2\)",
        ),
    ],
)
def test_matrices_of_another_form_are_refused(grams, said):
    with pytest.raises(UsageError, match=said):
        merged(RegMean(grams))


def test_a_gram_matrix_is_of_a_matrix():
    with pytest.raises(UsageError, match=r"Got \(2, 2\) for 'v' of \(2,\)"):
        rl.merge([{"v": torch.ones(2)}] * 2, by=RegMean([{"v": torch.eye(2)}] * 2))


def test_a_matrix_that_is_not_finite_is_named():
    with pytest.raises(NonFinite, match="Gram matrices 1"):
        merged(RegMean([{"w": torch.eye(2)}, {"w": torch.eye(2) * torch.inf}]))


@pytest.mark.parametrize("shrink", [-0.1, 1.1])
def test_off_diagonals_shrink(shrink):
    with pytest.raises(UsageError, match=rf"a factor in \[0, 1\]\. Got {shrink}"):
        RegMean([], shrink=shrink)
    assert RegMean([]).shrink == 0.9


def test_directions_that_no_state_saw_are_averaged():
    gram = {"w": torch.diag(torch.tensor([1.0, 0.0]))}, {"w": torch.diag(torch.tensor([3.0, 0.0]))}
    assert merged(RegMean(gram)).state["w"].tolist() == [[2.5, 6.0]]
