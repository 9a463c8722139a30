"""States of an objective's network: what a state must hold, and types."""

import pytest
import torch
from torch import nn

from ridgeline.errors import StateMismatch
from ridgeline.graph import Network
from ridgeline.objective.states import check_state, dtype_of, settle_other_buffers


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(5, 3), nn.Linear(3, 5)
        self.head.weight = self.embed.weight

    def forward(self, x):
        return self.head(self.embed(x))


class Table(nn.Linear):
    def __init__(self):
        super().__init__(2, 2)
        self.register_buffer("table", torch.ones(2, dtype=torch.float64), persistent=False)
        self.register_buffer("count", torch.tensor(3), persistent=False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("bias"), r"- bias \(2,\)"),
        (lambda s: s.update(more=torch.ones(1)), r"\+ more \(1,\)"),
        (lambda s: s.update(bias=torch.ones(3)), r"! bias \(2,\) -> \(3,\)"),
    ],
)
def test_a_state_of_another_network_is_compared_with_the_model(change, said):
    network = Network(nn.Linear(2, 2))
    state = dict(network.tensors)
    check_state(network, state, "the first")
    change(state)
    with pytest.raises(StateMismatch, match=rf"the model and the first must have[\s\S]*{said}"):
        check_state(network, state, "the first")


def test_tied_names_have_one_value_or_one_of_them_is_left_out():
    network = Network(Tied())
    whole = {n: x.detach().clone() for n, x in network.module.state_dict().items()}
    check_state(network, whole, "a")
    check_state(network, {n: x for n, x in whole.items() if n != "head.weight"}, "a")
    with pytest.raises(StateMismatch, match=r"tied to embed\.weight -> another value") as caught:
        check_state(network, whole | {"head.weight": whole["head.weight"] + 1}, "a")
    assert list(caught.value.changed) == ["head.weight"]
    assert "untie it in the model" in caught.value.remedy


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_the_type_of_a_network_is_that_of_its_first_floating_tensor(dtype):
    net = nn.Sequential(nn.Linear(2, 2).to(dtype), nn.Linear(2, 2))
    net[0].register_buffer("n", torch.tensor(1))
    assert dtype_of(Network(net)) is dtype
    assert dtype_of(Network(nn.ReLU())) is torch.float32


def test_buffers_that_no_state_holds_are_copies_in_the_type_that_is_computed_in():
    network = Network(Table())
    before = network.module.table
    settle_other_buffers(network, torch.device("cpu"), torch.float32)
    after = network.module
    assert after.table.dtype is torch.float32 and after.count.dtype is torch.int64
    assert before.dtype is torch.float64 and after.table.data_ptr() != before.data_ptr()
