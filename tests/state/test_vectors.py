"""States as flat vectors."""

import pytest
import torch

from ridgeline.errors import UnknownName, UsageError
from ridgeline.state import chosen, flatten, unflatten


def made():
    shared = torch.arange(6.0).reshape(2, 3)
    return {
        "a.weight": shared,
        "norm.running_mean": torch.full((3,), 9.0),
        "norm.num_batches_tracked": torch.tensor(4),
        "c": torch.tensor([1 + 2j, 3 - 4j]),
        "half": torch.tensor([0.5], dtype=torch.float16),
        "b.weight": shared,
    }


def test_coordinates_stand_one_after_another_without_labels_and_statistics():
    want = [0, 1, 2, 3, 4, 5, 1, 2, 3, -4, 0.5]
    assert flatten(made()).tolist() == want
    assert flatten(made()).dtype == torch.float32
    assert flatten(made() | {"half": torch.tensor([0.5]).double()}).dtype == torch.float64


def test_unflatten_is_the_inverse_in_each_tensors_own_type():
    state = made()
    found = unflatten(2 * flatten(state), state)
    assert set(found) == {"a.weight", "b.weight", "c", "half"}
    assert found["a.weight"] is found["b.weight"]
    for name, x in found.items():
        assert x.dtype == state[name].dtype
        assert torch.equal(x, 2 * state[name])


def test_a_conjugated_tensor_is_its_values():
    assert flatten({"c": torch.tensor([1 + 2j]).conj()}).tolist() == [1, -2]


def test_names_are_chosen_in_the_states_order_and_a_tied_one_by_its_first():
    assert chosen(made(), ["half", "c"]) == ["c", "half"]
    assert chosen(made(), "b.weight") == ["a.weight"]
    assert chosen(made(), ["norm.running_mean", "c"]) == ["c"]
    assert flatten(made(), "half").tolist() == [0.5]


def test_refusals():
    state = made()
    with pytest.raises(UnknownName, match=r"'a.wieght'"):
        chosen(state, ["a.wieght"])
    with pytest.raises(UsageError, match=r"must be a coordinate.*among norm.running_mean"):
        flatten(state, ["norm.running_mean"])
    with pytest.raises(UsageError, match=r"as many entries.*Got shape \(3,\) for 11"):
        unflatten(torch.zeros(3), state)
