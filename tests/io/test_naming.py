"""Fitting a state to a model: names that share a tensor, a diff of the rest, and what is told."""

import warnings

import pytest
import torch
from torch import nn

from ridgeline.errors import CheckpointError, RidgelineWarning, StateMismatch
from ridgeline.io.naming import _alike, fit
from ridgeline.io.nesting import Stored


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
        self.two.weight = self.one.weight


def plain(seed=0):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    return model, {n: x.detach().clone() for n, x in model.state_dict().items()}


def fitted(state, model, **more):
    return fit(Stored(state), model, where="f.pt", **more)


def test_names_stand_in_the_models_order():
    model, state = plain()
    assert list(fitted(dict(reversed(state.items())), model)) == list(state)


def test_tied_names_that_a_file_leaves_out_are_shared():
    x = torch.ones(2, 2)
    for name in ("one.weight", "two.weight"):
        found = fitted({name: x}, Tied())
        assert found["one.weight"] is found["two.weight"] is x


def test_tied_names_with_two_values_are_refused():
    with pytest.raises(CheckpointError, match="must have one value in a checkpoint") as caught:
        fitted({"one.weight": torch.ones(2, 2), "two.weight": torch.zeros(2, 2)}, Tied())
    assert caught.value.got == "one.weight and two.weight differ in f.pt"
    assert "without tying them" in caught.value.remedy


def test_a_count_of_batches_may_lack_or_be_in_floats():
    model, state = plain()
    model[1].num_batches_tracked.fill_(9)
    given = {n: x for n, x in state.items() if not n.endswith("tracked")}
    assert int(fitted(given, model)["1.num_batches_tracked"]) == 9
    found = fitted(given | {"1.num_batches_tracked": torch.tensor(4.0)}, model)
    assert found["1.num_batches_tracked"].dtype is torch.int64
    assert int(found["1.num_batches_tracked"]) == 4


def test_a_scalar_may_be_a_vector_of_one():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(1.0))

    assert fitted({"scale": torch.tensor([3.0])}, Scaled())["scale"].shape == ()


def test_a_mismatch_is_a_diff_against_the_model():
    model, state = plain()
    state["0.weight"] = torch.ones(3, 2)
    del state["0.bias"]
    with pytest.raises(StateMismatch, match=r"the model and f\.pt must") as caught:
        fitted(state, model)
    assert caught.value.changed == {"0.weight": ((2, 2), (3, 2))}
    assert list(caught.value.missing) == ["0.bias"]
    assert "Prefixes of wrappers were resolved already" in caught.value.remedy


def test_a_label_in_a_floating_place_is_a_mismatch_of_types():
    model, state = plain()
    state["0.bias"] = torch.ones(2).long()
    with pytest.raises(StateMismatch) as caught:
        fitted(state, model)
    assert caught.value.changed == {"0.bias": (torch.float32, torch.int64)}


def test_a_network_that_is_there_twice_must_be_told_apart():
    model, state = plain()
    _, other = plain(1)
    both = {f"{p}.{n}": x for p, s in (("s", state), ("t", other)) for n, x in s.items()}
    with pytest.raises(CheckpointError, match="told which one is meant") as caught:
        fitted(both, model)
    assert "under s, t" in caught.value.got and caught.value.remedy.startswith(
        "Choose one: key='s'"
    )
    same = {f"{p}.{n}": x for p in "st" for n, x in state.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RidgelineWarning)
        assert torch.equal(fitted(same, model)["0.weight"], state["0.weight"])


def test_what_lies_beside_is_left_out_and_counted():
    model, state = plain()
    given = {f"net.{n}": x for n, x in state.items()} | {
        "head.w": torch.ones(1),
        "head.b": torch.ones(1),
        "log.w": torch.ones(1),
    }
    said = r"f\.pt: 3 tensors beside the model's left out: head \(2\), log \(1\)\."
    with pytest.warns(RidgelineWarning, match=said):
        fitted(given, model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(given, model, tell=False)


def test_extra_state_that_differs_is_told():
    class Extra(nn.Linear):
        def get_extra_state(self):
            return {"scale": 1}

    model = Extra(1, 1)
    state = Stored({"weight": torch.ones(1, 1), "bias": torch.ones(1)})
    state.extras = {"_extra_state": {"scale": 1}}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(state, model, where="f.pt")
    state.extras = {"_extra_state": {"scale": 2}}
    with pytest.warns(RidgelineWarning, match=r"f\.pt: _extra_state is not the model's"):
        fit(state, model, where="f.pt")


X = torch.ones(1)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (X, X.clone(), True), (X, X + 1, False), (X, 1.0, False), (1.0, X, False),
        ({"a": [1, X]}, {"a": [1, X.clone()]}, True), ({"a": 1}, {"b": 1}, False),
        ([1, 2], [1, 2, 3], False), ((1, 2), [1, 2], True), ("x", "x", True), (1, 2, False),
    ],
)  # fmt: skip
def test_values_of_any_kind_are_compared(a, b, same):
    assert _alike(a, b) is same


def test_what_cannot_be_compared_is_not_equal():
    class Raising:
        def __eq__(self, other):
            raise ValueError

        __hash__ = None

    assert not _alike(Raising(), Raising())
