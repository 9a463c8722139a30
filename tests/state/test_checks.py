"""Refusing what is no state, not of one network, or not finite."""

import pytest
import torch
from torch import nn

from points import draw
from ridgeline import state
from ridgeline.errors import NonFinite, StateMismatch, UsageError, WrongKind


def test_states_that_differ_are_refused_with_a_diff():
    a, b = draw(0), draw(1)
    b["fc2.bias"] = b.pop("fc1.bias")
    b["norm.weight"] = torch.ones(5)
    with pytest.raises(StateMismatch) as caught:
        state.check_same(a, b, names=("init", "final"))
    text = str(caught.value)
    for line in (
        "init and final must have the same tensors.",
        "- fc1.bias (4,)",
        "+ fc2.bias (4,)",
        "! norm.weight (4,) -> (5,)",
    ):
        assert line in text
    assert caught.value.missing == {"fc1.bias": (4,)} and caught.value.extra == {"fc2.bias": (4,)}


def test_dtypes_that_differ_are_refused_with_how_to_convert():
    a = draw(0)
    with pytest.raises(StateMismatch, match=r"float32 -> torch\.float16") as caught:
        state.check_same(a, state.cast(a, torch.float16))
    assert "state.cast" in str(caught.value)


def test_twelve_differences_are_ten_lines_and_a_count():
    many = {f"w{i}": torch.ones(1) for i in range(12)}
    with pytest.raises(StateMismatch, match=r"\.\.\. and 2 more"):
        state.check_same(many, {})


def test_a_tensor_that_is_not_finite_is_named():
    a = draw(0)
    a["fc1.weight"][0, :2] = float("nan")
    a["fc1.bias"][1] = -float("inf")
    assert state.non_finite(a) == {"fc1.weight": (2, 0), "fc1.bias": (0, 1)}
    with pytest.raises(NonFinite, match=r"of b must.*fc1\.weight \(2 NaN, 0 infinite\)"):
        state.check_finite(a, "b")
    state.check_finite(draw(1))


class Holder:
    def __init__(self, **parts):
        vars(self).update(parts)


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        (nn.Linear(2, 2), "state.capture"),
        ("a.pt", "Read the file"),
        (Holder(state=draw(0)), r"`\.state`"),
        (Holder(states=[draw(0)]), r"`\.states`"),
        ({"model": draw(0), "epoch": 3}, "'model' is no tensor.*finds the state"),
        ({}, "finds the state"),
        (3, "order of the arguments"),
    ],
)
def test_what_is_no_state_is_refused_with_where_the_state_is(given, remedy):
    with pytest.raises(WrongKind, match=f"b (of type|=).*{remedy}"):
        state.detached(given, "b")
    with pytest.raises(UsageError, match=f"state 1.*{remedy}"):
        state.check_states([draw(0), given])


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ({"a": draw(0), "b": draw(1)}, r"list\(states.values\(\)\)"),
        (draw(0), r"`\[state\]`"),
        ("a.pt", "Read the file"),
        (Holder(states=[draw(0)]), r"`\.states`"),
    ],
)
def test_several_states_are_a_list(given, remedy):
    with pytest.raises(WrongKind, match=f"as a list.*{remedy}"):
        state.check_states(given)


def test_a_list_may_be_as_long_as_must_be_and_no_shorter():
    two = [{"x": torch.ones(1)}, {"x": torch.zeros(1)}]
    assert len(state.check_states(two, 2)) == 2
    with pytest.raises(UsageError, match="3 states at least") as caught:
        state.check_states(two, 3)
    assert caught.value.got == "2"
    with pytest.raises(UsageError, match="one state at least") as caught:
        state.check_states([])
    assert caught.value.got == "none"


def test_states_of_a_list_are_named_by_their_number():
    with pytest.raises(StateMismatch, match="state 0 and state 1 must"):
        state.check_states([{"x": torch.ones(1)}, {"x": torch.ones(2)}])
    with pytest.raises(NonFinite, match="value of state 1 must"):
        state.check_states([{"x": torch.ones(1)}, {"x": torch.tensor([torch.nan])}])


def test_states_of_parameters_lose_their_history():
    (found,) = state.check_states([{"x": nn.Parameter(torch.ones(1))}])
    assert not found["x"].requires_grad
    assert not state.detached({"x": nn.Parameter(torch.ones(1))})["x"].requires_grad


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float8_e5m2])
def test_nan_and_infinities_are_counted_apart(dtype):
    x = torch.tensor([torch.nan, torch.inf, 1.0, -torch.inf, torch.inf]).to(dtype)
    assert state.non_finite({"x": x, "fine": torch.ones(2), "n": torch.tensor(3)}) == {"x": (1, 3)}


def test_infinities_are_allowed_only_where_all_states_have_the_same():
    low, high = torch.tensor([-torch.inf, 1.0]), torch.tensor([torch.inf, 1.0])
    state.check_finite({"bias": low}, among=[{"bias": low}, {"bias": low.clone()}])
    for other in (high, torch.tensor([-torch.inf, torch.inf]), torch.ones(2)):
        with pytest.raises(NonFinite, match="bias"):
            state.check_finite({"bias": low}, among=[{"bias": low}, {"bias": other}])
    both = torch.tensor([torch.nan, torch.inf])
    with pytest.raises(NonFinite, match=r"bias \(1 NaN, 1 infinite\)"):
        state.check_finite({"bias": both}, among=[{"bias": both}])


def test_a_tensor_without_numbers_is_named_with_what_it_is():
    with pytest.raises(UsageError, match="dense and hold numbers") as caught:
        state.check_state({"ok": torch.ones(1), "w": torch.eye(2).to_sparse()}, "the first")
    assert caught.value.got.startswith("the first with w (torch.sparse_coo")
    assert "to_dense()" in caught.value.remedy
