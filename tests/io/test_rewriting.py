"""A state written as the checkpoint that it takes the place of."""

import pytest
import torch
from torch import nn

from ridgeline import io, nets
from ridgeline.errors import StateMismatch


def halved(state):
    return {n: x / 2 if x.is_floating_point() else x for n, x in state.items()}


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(5, 4)
        self.head = nn.Linear(4, 5, bias=False)
        self.head.weight = self.wte.weight

    def forward(self, x):
        return self.head(self.wte(x))


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module._orig_mod."])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_names_order_and_types_are_the_files(tmp_path, prefix, dtype):
    net = nets.fcn(4, 3, 2)
    names = list(reversed(net.state_dict()))
    held = {prefix + n: net.state_dict()[n].to(dtype) for n in names}
    path = tmp_path / "b.pt"
    torch.save({"state_dict": held, "epoch": 3}, path)
    state = halved(io.load(path, model=net))
    found = io.in_format_of(path, state, model=net)
    assert list(found) == list(held)
    assert all(found[n].dtype == dtype for n in found)
    assert all(torch.equal(found[n], held[n] / 2) for n in found)


def test_buffers_and_what_is_beside_them_stay(tmp_path):
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    held = dict(net.state_dict()) | {"n_averaged": torch.tensor(7)}
    torch.save(held, tmp_path / "b.pt")
    state = io.load(tmp_path / "b.pt", model=net)
    found = io.in_format_of(tmp_path / "b.pt", state, model=net)
    assert list(found) == list(held)
    assert found["1.num_batches_tracked"].dtype == torch.int64
    assert found["n_averaged"] == 7


@pytest.mark.parametrize("copied", [False, True])
def test_ties_stay_ties_and_copies_follow(tmp_path, copied):
    net = Tied()
    held = dict(net.state_dict())
    if copied:  # the same values in a tensor of its own
        held["head.weight"] = held["head.weight"].clone()
    torch.save(held, tmp_path / "b.pt")
    state = io.load(tmp_path / "b.pt", model=net)
    half = state["wte.weight"] / 2
    found = io.in_format_of(tmp_path / "b.pt", {"wte.weight": half, "head.weight": half}, model=net)
    assert torch.equal(found["head.weight"], half)
    io.save(found, tmp_path / "c.safetensors")
    again = io.load(tmp_path / "c.safetensors", model=net)
    assert again["wte.weight"] is again["head.weight"]


def test_a_file_of_another_network_is_refused(tmp_path):
    io.save(dict(nets.fcn(4, 5, 2).state_dict()), tmp_path / "b.safetensors")
    net = nets.fcn(4, 3, 2)
    with pytest.raises(StateMismatch):
        io.in_format_of(tmp_path / "b.safetensors", net.state_dict(), model=net)


def test_of_several_states_in_a_file_the_one_that_fits_the_model_is_rewritten(tmp_path):
    small, large = nets.fcn(4, 3, 2), nets.fcn(4, 5, 2)
    held = {"teacher": dict(large.state_dict()), "student": dict(small.state_dict())}
    torch.save(held, tmp_path / "b.pt")
    state = halved(dict(small.state_dict()))
    found = io.in_format_of(tmp_path / "b.pt", state, model=small)
    assert all(torch.equal(found[n], x) for n, x in state.items())
    io.save_like(tmp_path / "b.pt", found, tmp_path / "c.pt", model=small)
    again = torch.load(tmp_path / "c.pt", weights_only=True)
    assert list(again) == ["student"]
    with pytest.raises(StateMismatch):
        io.in_format_of(tmp_path / "b.pt", nets.fcn(4, 7, 2).state_dict(), model=nets.fcn(4, 7, 2))
