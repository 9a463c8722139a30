"""Names and tensors of older checkpoints, as a module's own loading turns them into today's."""

import torch
from torch import nn

from ridgeline.io.conversion import converted


class Renaming(nn.Linear):
    def _load_from_state_dict(self, state_dict, prefix, metadata, *args):
        if f"{prefix}gamma" in state_dict:
            state_dict[f"{prefix}weight"] = state_dict.pop(f"{prefix}gamma")
        if metadata.get("version", 0) == 7:
            state_dict[f"{prefix}bias"] = state_dict[f"{prefix}bias"] + 1
        super()._load_from_state_dict(state_dict, prefix, metadata, *args)


OLD = {"gamma": torch.full((1, 1), 2.0), "bias": torch.zeros(1)}


def test_names_are_the_modules_and_the_rest_is_told():
    state, unused = converted(OLD | {"more": torch.ones(1)}, Renaming(1, 1), None)
    assert float(state["weight"]) == 2 and unused == {"more"} and not state["weight"].requires_grad


def test_the_module_is_told_the_version_of_the_file():
    state, _ = converted(OLD, Renaming(1, 1), {"": {"version": 7}})
    assert float(state["bias"]) == 1


def test_neither_the_module_nor_the_state_is_changed():
    model = Renaming(1, 1)
    before = model.weight.detach().clone()
    converted(OLD, model, None)
    assert torch.equal(model.weight, before) and list(OLD) == ["gamma", "bias"]


def test_tensors_keep_the_type_that_the_file_has():
    state, _ = converted({n: x.double() for n, x in OLD.items()}, Renaming(1, 1), None)
    assert state["weight"].dtype is torch.float64


def test_what_lacks_a_tensor_or_raises_is_nothing():
    assert converted({"gamma": OLD["gamma"]}, Renaming(1, 1), None) is None

    class Raising(nn.Linear):
        def _load_from_state_dict(self, *args):
            raise KeyError

    assert converted(OLD, Raising(1, 1), None) is None


def test_extra_state_may_lack():
    class Extra(Renaming):
        def get_extra_state(self):
            return 1

        def set_extra_state(self, state):
            pass

    assert converted(OLD, Extra(1, 1), None) is not None
