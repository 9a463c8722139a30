"""Words on a derivative that is not there."""

import pytest
import torch

import ridgeline as rl
from objective.once import Once
from ridgeline.errors import ForwardFailed, UsageError
from ridgeline.objective.derivable import (
    check_twice,
    derivable,
    differentiating,
    flat,
    severed,
    twice,
)


def objective_of(**more):
    net = torch.nn.Linear(2, 2)
    return rl.Objective(net, (torch.ones(3, 2), torch.zeros(3, dtype=torch.long)), **more)


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ("element 0 of tensors does not require grad", "derivatives by the network's weights"),
        ("Inference tensors cannot be saved for backward.", "derivatives by the network's weights"),
        ("derivative for aten::x_backward is not implemented", "derivative that is asked for"),
        ("the derivative for '_cdist_backward' is not implemented.", "derivative that is asked"),
        ("hooks on saved tensors, as of torch.utils.checkpoint", "computes nothing again"),
    ],
)
def test_torchs_words_become_ours_with_theirs_in_them(said, rule):
    with pytest.raises(UsageError, match=rule) as told, derivable("here"):
        raise RuntimeError(f"{said}\nand a second line")
    assert said.rstrip(".") in told.value.got
    assert "second line" not in told.value.got
    assert told.value.remedy


def test_what_the_users_code_raises_is_told_only_where_a_place_is_named():
    said = r"model or its loss raised while here.*KeyError"
    with pytest.raises(ForwardFailed, match=said), derivable("here"):
        raise KeyError("x")
    with pytest.raises(KeyError), derivable():
        raise KeyError("x")
    with pytest.raises(UsageError, match="own words"), derivable("here"):
        raise UsageError("own words")


def test_gradients_are_on_within_and_modes_are_back_after():
    objective = objective_of(autocast=torch.bfloat16)
    with torch.no_grad():
        with differentiating(objective, "here"):
            assert torch.is_grad_enabled()
            assert torch.is_autocast_enabled("cpu")
            assert torch.get_autocast_dtype("cpu") == torch.bfloat16
        assert not torch.is_grad_enabled()
    with torch.autocast("cpu"), differentiating(objective_of(), "here"):
        assert not torch.is_autocast_enabled("cpu")
    with torch.inference_mode(), differentiating(objective_of(), "here"):
        assert not torch.is_inference_mode_enabled()


def test_attention_has_a_second_derivative_within():
    q = torch.randn(1, 1, 3, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    with twice():
        out = torch.nn.functional.scaled_dot_product_attention(q, q, q).square().sum()
        (g,) = torch.autograd.grad(out, q, create_graph=True)
        (h,) = torch.autograd.grad(g.sum(), q)
    assert bool(h.any())


def test_a_mark_deep_in_a_graph_is_found_and_none_where_there_is_none():
    x = torch.ones(3, requires_grad=True)
    (g,) = torch.autograd.grad((Once.apply(x.sin()) ** 2).sum(), x, create_graph=True)
    with pytest.raises(UsageError, match="marked @once_differentiable"):
        check_twice([torch.zeros(2), g.exp()])
    (g,) = torch.autograd.grad((x.sin() ** 2).sum(), x, create_graph=True)
    check_twice([torch.zeros(2), g])


def test_refusals_say_what_to_do():
    assert "no_grad" in severed("x").remedy
    assert severed("x").got == "x"
    told = flat("the loss")
    assert told.got.startswith("the loss, which no derivative passes")
    assert "rl.cross_entropy" in told.remedy
