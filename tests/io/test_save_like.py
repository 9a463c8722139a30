"""What is written in the place of a checkpoint can be read where the checkpoint was."""

import resource
import warnings

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from ridgeline import io
from ridgeline.errors import OutputError


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, 4)
        self.norm = nn.BatchNorm1d(4)
        self.head = nn.Linear(4, 5, bias=False)
        self.head.weight = self.embed.weight


def written(path, out, factor=2.0):
    """The file at `path` with every floating tensor multiplied, written to `out`."""
    model = Tied()
    state = io.load(path, model=model)
    made = {n: x * factor if x.is_floating_point() else x for n, x in state.items()}
    kept = io.in_format_of(path, made, model=model)
    return io.save_like(path, kept, out, model=model, metadata={"from": "a"})


def test_the_nesting_the_settings_and_the_versions_are_the_files(tmp_path):
    model = Tied()
    tree = {
        "epoch": 3,
        "hyper_parameters": {"lr": 0.1, "widths": [1, 2]},
        "state_dict": model.state_dict(),
        "optimizer_states": [{"state": {0: {"step": torch.tensor(1.0)}}}],
        "lr_schedulers": [{"last": 1}],
    }
    torch.save(tree, tmp_path / "a.ckpt")
    written(tmp_path / "a.ckpt", tmp_path / "b.ckpt")
    found = torch.load(tmp_path / "b.ckpt", weights_only=True)
    assert found["hyper_parameters"] == tree["hyper_parameters"]
    assert found.keys() == {"hyper_parameters", "state_dict"}  # no epoch: it is of other weights
    assert found["state_dict"]._metadata == model.state_dict()._metadata
    for name, x in model.state_dict().items():
        want = x * 2 if x.is_floating_point() else x
        assert torch.equal(found["state_dict"][name], want)
    Tied().load_state_dict(found["state_dict"])


@pytest.mark.parametrize("places", [("model",), ("model", "state_dict"), ("a", "b", "params")])
def test_a_deeper_place_is_kept(tmp_path, places):
    tree = Tied().state_dict()
    for place in reversed(places):
        tree = {place: tree, "arch": "net"}
    torch.save(tree, tmp_path / "a.pt")
    key = ".".join(places)
    model = Tied()
    state = io.load(tmp_path / "a.pt", model=model, key=key)
    kept = io.in_format_of(tmp_path / "a.pt", state, model=model, key=key)
    io.save_like(tmp_path / "a.pt", kept, tmp_path / "b.pt", model=model, key=key)
    found = torch.load(tmp_path / "b.pt", weights_only=True)
    for place in places:
        assert found["arch"] == "net"
        found = found[place]
    assert found.keys() == Tied().state_dict().keys()


@pytest.mark.parametrize("out", ["b.pt", "b.safetensors"])
@pytest.mark.parametrize(
    "names", [["embed.weight"], ["head.weight"], ["embed.weight", "head.weight"]]
)
def test_tied_names_are_there_as_they_were(tmp_path, out, names):
    state = {n: x.clone() for n, x in Tied().state_dict().items()}
    state["head.weight"] = state["embed.weight"].clone()
    state = {n: x for n, x in state.items() if n in names or not n.endswith("d.weight")}
    save_file(state, tmp_path / "a.safetensors")
    written(tmp_path / "a.safetensors", tmp_path / out)
    if out.endswith(".pt"):
        found = torch.load(tmp_path / out, weights_only=True)
    else:
        with safe_open(tmp_path / out, "pt") as file:
            found = {n: file.get_tensor(n) for n in file.keys()}  # noqa: SIM118
            assert file.metadata()["format"] == "pt"
            assert "ridgeline.ties" not in file.metadata()
    assert found.keys() == state.keys()
    for name in names:
        assert torch.equal(found[name], state[name] * 2)


def test_names_that_shared_memory_share_it_again(tmp_path):
    torch.save(Tied().state_dict(), tmp_path / "a.pt")
    written(tmp_path / "a.pt", tmp_path / "b.pt")
    found = torch.load(tmp_path / "b.pt", weights_only=True)
    assert found["embed.weight"].data_ptr() == found["head.weight"].data_ptr()
    written(tmp_path / "a.pt", tmp_path / "c.safetensors")
    with safe_open(tmp_path / "c.safetensors", "pt") as file:
        assert {"embed.weight", "head.weight"} <= set(file.keys())


def test_the_same_twice_is_the_same_bytes_and_known_as_ours(tmp_path):
    torch.save({"model": Tied().state_dict()}, tmp_path / "a.pt")
    made = [written(tmp_path / "a.pt", tmp_path / name) for name in ("b.pt", "c.pt")]
    assert made[0].read_bytes() == made[1].read_bytes()
    assert io.is_made_here(made[0])
    assert not io.is_made_here(tmp_path / "a.pt")
    assert made[0].stat().st_mode == (tmp_path / "a.pt").stat().st_mode


def test_a_full_disk_leaves_nothing(tmp_path):
    model = nn.Linear(200, 200)
    torch.save(model.state_dict(), tmp_path / "a.pt")
    kept = io.in_format_of(tmp_path / "a.pt", dict(model.state_dict()), model=model)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OutputError):
            io.save_like(tmp_path / "a.pt", kept, tmp_path / "b.pt", model=model)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [p.name for p in tmp_path.iterdir()] == ["a.pt"]


def test_older_names_become_the_models(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old = nn.utils.weight_norm(nn.Linear(4, 3))
    new = nn.utils.parametrizations.weight_norm(nn.Linear(4, 3))
    path = tmp_path / "a.pt"
    torch.save({f"net.{n}": x for n, x in old.state_dict().items()}, path)
    state = {n: x + 1 for n, x in io.load(path, model=new).items()}
    kept = io.in_format_of(path, state, model=new)
    assert kept.keys() == {f"net.{n}" for n in new.state_dict()}
    assert all(torch.equal(kept[f"net.{n}"], x) for n, x in state.items())
