"""Strategies that need no data, on tensors that can be worked out by hand."""

import math

import pytest
import torch

import ridgeline as rl
from ridgeline.errors import UnknownName, UsageError
from ridgeline.merging import Mean, ModelStock, Slerp, TaskArithmetic

X, Y = {"w": torch.tensor([1.0, 0.0])}, {"w": torch.tensor([0.0, 2.0])}


def made(by, states=(X, Y), **more):
    return rl.merge(list(states), by=by, **more)


def values(*given, **more):
    return made(*given, **more).state["w"].tolist()


def test_a_mean_takes_weights_as_shares():
    assert values(Mean()) == [0.5, 1.0]
    assert values(Mean(), weights=[3, 1]) == [0.75, 0.5]


@pytest.mark.parametrize("t", [0.25, 0.5, 0.9])
def test_the_great_circle_between_two_arrows(t):
    p, q = math.sin((1 - t) * math.pi / 2), math.sin(t * math.pi / 2)
    assert values(Slerp(t)) == pytest.approx([p, 2 * q])


def test_an_angle_is_each_tensors_or_one_for_all():
    a = {"w": torch.tensor([1.0, 0.0]), "v": torch.tensor([2.0])}
    b = {"w": torch.tensor([0.0, 1.0]), "v": torch.tensor([4.0])}
    each, whole = (rl.merge([a, b], by=Slerp(0.5, per=p)).state for p in ("tensor", "whole"))
    assert float(each["v"]) == pytest.approx(3.0)
    angle = math.acos(8 / math.sqrt(5 * 17))
    factor = math.sin(angle / 2) / math.sin(angle)
    assert float(whole["v"]) == pytest.approx(6 * factor)
    assert whole["w"].tolist() == pytest.approx([factor, factor])


@pytest.mark.parametrize("per", ["tensor", "whole"])
def test_opposite_arrows_have_no_circle_and_take_the_line(per):
    found = made(Slerp(0.25, per=per), (X, {"w": -X["w"]}))
    assert found.state["w"].tolist() == [0.5, 0.0]
    name = "w" if per == "tensor" else "the whole"
    assert f"No great circle is singled out, the line was taken: {name}." in found.notes


def test_an_arrow_of_no_length_takes_the_line():
    found = made(Slerp(0.25), (X, {"w": torch.zeros(2)}))
    assert found.state["w"].tolist() == [0.75, 0.0] and found.notes


def test_a_circle_that_is_there_has_no_note():
    assert not [n for n in made(Slerp(0.25)).notes if "circle" in n]


@pytest.mark.parametrize(
    ("states", "weights", "got", "remedy"),
    [
        ((X, Y, X), None, "3 states", "Take the mean of more states than two."),
        ((X, Y), [1, 2], "2 states with weights", "Leave out weights: t is the second's."),
    ],
)
def test_a_circle_goes_through_two_states(states, weights, got, remedy):
    with pytest.raises(UsageError, match="goes through two states") as caught:
        made(Slerp(), states, weights=weights)
    assert (caught.value.got, caught.value.remedy) == (got, remedy)


@pytest.mark.parametrize("t", [-0.1, 1.1, math.nan])
def test_the_circle_ends_at_the_states(t):
    with pytest.raises(UsageError, match=rf"t lies in \[0, 1\]\. Got {t}"):
        Slerp(t)
    with pytest.raises(UnknownName, match=r"angle.*'layer'.*tensor.*whole"):
        Slerp(per="layer")


def test_task_vectors_are_added_with_their_weights():
    base = {"w": torch.tensor([1.0, 1.0])}
    assert values(TaskArithmetic(), base=base) == [0.0, 1.0]
    assert values(TaskArithmetic(0.5), base=base, weights=[2, -1]) == [1.5, -0.5]
    with pytest.raises(UsageError, match=r"A scale is finite\. Got -inf"):
        TaskArithmetic(-math.inf)


def test_model_stock_between_base_and_mean():
    base = {"w": torch.zeros(2)}
    a, b = {"w": torch.tensor([2.0, 0.0])}, {"w": torch.tensor([1.0, 1.0])}
    cosine = 1 / math.sqrt(2)
    ratio = 2 * cosine / (1 + cosine)
    assert values(ModelStock(), (a, b), base=base) == pytest.approx([1.5 * ratio, 0.5 * ratio])


def test_model_stock_of_three_takes_the_mean_cosine():
    base = {"w": torch.zeros(2)}
    arrows = [torch.tensor(v) for v in ([1.0, 0.0], [0.0, 3.0], [1.0, 1.0])]
    cosine = (0 + 2 / math.sqrt(2)) / 3
    ratio = 3 * cosine / (1 + 2 * cosine)
    want = (sum(arrows) / 3 * ratio).tolist()
    assert values(ModelStock(), [{"w": x} for x in arrows], base=base) == pytest.approx(want)


def test_task_vectors_that_agree_in_nothing_keep_the_base():
    base = {"w": torch.tensor([5.0, 0.0])}
    a, b = {"w": torch.tensor([6.0, 0.0])}, {"w": torch.tensor([3.0, 0.0])}
    assert values(ModelStock(), (a, b), base=base) == [5.0, 0.0]


def test_a_tensor_that_did_not_change_is_averaged():
    assert values(ModelStock(), (X, Y), base=X) == [0.5, 1.0]


@pytest.mark.parametrize(
    ("states", "weights", "got"),
    [((X,), None, "1 state"), ((X, Y), [1, 2], "2 states with weights")],
)
def test_model_stock_compares_two_states_at_least(states, weights, got):
    with pytest.raises(UsageError, match="compares two states at least") as caught:
        made(ModelStock(), states, base=X, weights=weights)
    assert caught.value.got == got


def test_which_strategies_need_a_base():
    assert not Mean.needs_base and not Slerp.needs_base
    assert TaskArithmetic.needs_base and ModelStock.needs_base
