import os
import pickle
import re
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from ridgeline import io
from ridgeline.errors import CheckpointError, StateMismatch, UnknownName


class Payload:
    def __init__(self, target: Path):
        self.target = target

    def __reduce__(self):
        return (os.system, (f"touch {self.target}",))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", ["a.pt", "a.pth", "a.ckpt", "a.bin", "a"])
def test_a_pickle_that_runs_code_is_refused_and_nothing_runs(tmp_path, zipped, name):
    target, path = tmp_path / "pwned", tmp_path / name
    torch.save(
        {"model": {"w": torch.ones(2)}, "x": Payload(target)},
        path,
        _use_new_zipfile_serialization=zipped,
    )
    with pytest.raises(
        CheckpointError,
        match=r"must not execute code.*needs posix\.system; nothing was run.*"
        r"torch\.save\(model\.state_dict\(\)",
    ):
        io.load(path)
    with pytest.raises(CheckpointError, match="must not execute code"):
        io.inspect(path)
    assert not target.exists()


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_bare_pickle_runs_nothing_either(tmp_path, protocol):
    target, path = tmp_path / "pwned", tmp_path / "a.pt"
    path.write_bytes(pickle.dumps({"w": Payload(target)}, protocol=protocol))
    with pytest.raises(CheckpointError, match="must not execute code"):
        io.load(path)
    assert not target.exists()


def test_a_whole_module_is_refused_by_name(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"needs torch\.nn\.modules\.linear\.Linear"):
        io.load(tmp_path / "a.pt")


def test_torchscript_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("net/constants.pkl", b"x")
    with pytest.raises(CheckpointError, match="needs TorchScript"):
        io.load(tmp_path / "a.pt")


@pytest.mark.parametrize("zipped", [True, False])
def test_truncated_and_corrupt_files(tmp_path, zipped):
    path = tmp_path / "a.pt"
    torch.save({"w": torch.randn(1000)}, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    broken = [whole[: len(whole) // 2], whole[:100], b"hello world" * 10]
    if zipped:  # a flipped bit in the values: torch.load itself would not notice
        flipped = bytearray(whole)
        flipped[2000] ^= 255
        broken.append(bytes(flipped))
    for content in broken:
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"must be whole|must not execute code"):
            io.load(path)


def test_files_written_without_checksums_are_read(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"w": torch.ones(2)}, tmp_path / "a.pt")
    finally:
        torch.serialization.set_crc32_options(True)
    assert torch.equal(io.load(tmp_path / "a.pt")["w"], torch.ones(2))


# --- nesting -----------------------------------------------------------------------------

W = {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}
V = {"weight": torch.full((2, 3), 2.0), "bias": torch.ones(2)}
OPTIMIZER = {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 0.1}]}


@pytest.mark.parametrize(
    "tree",
    [
        W,
        {"state_dict": W, "epoch": 3, "optimizer": OPTIMIZER},
        {"model": W, "optim": OPTIMIZER, "loss": torch.tensor(1.0)},
        {"model_state_dict": W},
        {"model": {"state_dict": W}},
        {"ema": W},
        {"my_own_name": W, "optimizer": OPTIMIZER, "epoch": 1},
        {"model": W, "ema": {k: v.clone() for k, v in W.items()}},
        {k: nn.Parameter(v) for k, v in W.items()},
        {**W, "_extra_state": {"amax": 1}},
    ],
)
def test_a_nested_state_is_found(tmp_path, tree):
    torch.save(tree, tmp_path / "a.pt")
    loaded = io.load(tmp_path / "a.pt")
    assert loaded.keys() == W.keys()
    assert all(torch.equal(loaded[k], W[k]) and not loaded[k].requires_grad for k in W)


def test_several_states_need_a_key(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"model": W, "ema": {"shadow": 1, "params": V}}, path)
    for model in (None, nn.Linear(3, 2)):
        with pytest.raises(
            CheckpointError,
            match=r"several states.*model \(2 tensors\), ema\.params \(2 tensors\), which differ"
            r".*key='model'",
        ):
            io.load(path, model=model)
    assert torch.equal(io.load(path, key="model")["bias"], W["bias"])
    assert torch.equal(io.load(path, key="ema.params")["bias"], V["bias"])


def test_the_only_state_that_fits_the_model_is_taken(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"critic": {"weight": torch.ones(9, 9), "scale": torch.ones(1)}, "actor": V}, path)
    loaded = io.load(path, model=nn.Linear(3, 2))
    assert torch.equal(loaded["bias"], V["bias"])
    with pytest.raises(StateMismatch, match=r"a\.pt at actor"):
        io.load(path, model=nn.Linear(3, 4))


def test_a_wrong_key_lists_what_there_is(tmp_path):
    torch.save({"model": W, "model_ema": V}, tmp_path / "a.pt")
    with pytest.raises(UnknownName, match=r"'modle'.*Did you mean 'model'\?.*Known: model"):
        io.load(tmp_path / "a.pt", key="modle")
    torch.save(W, tmp_path / "b.pt")
    with pytest.raises(UnknownName, match="not nested: leave key out"):
        io.load(tmp_path / "b.pt", key="model")
    torch.save({"a.b": {"c": W}, "n": {"x": 1}}, tmp_path / "c.pt")
    with pytest.raises(CheckpointError, match=r"must hold a state.*dict with x \(int\)"):
        io.load(tmp_path / "c.pt", key="n")


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({}, "a dict with nothing"),
        ({"epoch": 3}, r"epoch \(int\)"),
        ({**W, "epoch": 3}, r"bias \(Tensor\), epoch \(int\)"),
        (torch.ones(2), "Got Tensor in"),
        ([W], "Got list in"),
        (OPTIMIZER, r"state \(dict\), param_groups \(list\)"),
        ({0: torch.ones(2)}, r"0 \(Tensor\)"),
    ],
)
def test_what_holds_no_state_is_refused(tmp_path, tree, message):
    torch.save(tree, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=f"must hold a state: .*{message}"):
        io.load(tmp_path / "a.pt")


def test_sparse_tensors_are_refused_by_name(tmp_path):
    torch.save({"s": torch.eye(2).to_sparse()}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"must be dense.*s in .*sparse_coo"):
        io.load(tmp_path / "a.pt")


def test_names_that_shared_memory_share_one_object(tmp_path):
    w = torch.ones(3)
    torch.save({"a": w, "b": w.detach()}, tmp_path / "a.pt")
    loaded = io.load(tmp_path / "a.pt")
    assert loaded["a"] is loaded["b"]


# --- prefixes ----------------------------------------------------------------------------


def block() -> nn.Module:
    module = nn.Sequential(nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 2)))
    module.head = nn.Linear(2, 1)
    return module


@pytest.mark.parametrize(
    "prefix",
    ["", "module.", "_orig_mod.", "model.", "module._orig_mod.", "_orig_mod.module.model.",
     "model.module.", "module.module."],
)  # fmt: skip
@pytest.mark.parametrize("wrapped", ["", "module.", "model.module."])
def test_wrappers_are_resolved_on_both_sides(tmp_path, prefix, wrapped):
    model = block()
    values = {k: torch.randn_like(v) for k, v in model.state_dict().items()}
    torch.save({prefix + k: v for k, v in values.items()}, tmp_path / "a.pt")
    for part in reversed(wrapped.split(".")[:-1]):
        model = nn.ModuleDict({part: model})

    loaded = io.load(tmp_path / "a.pt", model=model)

    assert list(loaded) == list(model.state_dict())
    assert all(torch.equal(loaded[wrapped + k], v) for k, v in values.items())


def test_a_compiled_part_and_a_part_called_model_keep_their_places(tmp_path):
    model = nn.ModuleDict({"model": block(), "lm_head": nn.Linear(2, 2)})
    values = model.state_dict()
    torch.save(values, tmp_path / "plain.pt")
    renamed = {k.replace("model.head", "model.head._orig_mod"): v for k, v in values.items()}
    torch.save({f"module.{k}": v for k, v in renamed.items()}, tmp_path / "wrapped.pt")
    for name in ("plain.pt", "wrapped.pt"):
        loaded = io.load(tmp_path / name, model=model)
        assert all(torch.equal(loaded[k], values[k]) for k in values)


@pytest.mark.parametrize("wrapped", [False, True])
def test_two_names_never_become_one(tmp_path, wrapped):
    model = nn.Linear(2, 2, bias=False)
    values = {"weight": torch.zeros(2, 2), "model.weight": torch.ones(2, 2)}
    torch.save(values, tmp_path / "a.pt")
    with pytest.raises(StateMismatch) as caught:
        io.load(tmp_path / "a.pt", model=nn.ModuleDict({"model": model}) if wrapped else model)
    assert list(caught.value.extra) == ["weight" if wrapped else "model.weight"]


def test_only_the_real_difference_is_shown(tmp_path):
    values = {f"model.{k}": v for k, v in block().state_dict().items()}
    torch.save({"state_dict": values | {"model.extra.scale": torch.ones(1)}}, tmp_path / "a.pt")
    with pytest.raises(StateMismatch) as caught:
        io.load(tmp_path / "a.pt", model=block())
    assert list(caught.value.extra) == ["extra.scale"]
    assert not caught.value.missing


def test_an_averaged_model_loads_without_its_count(tmp_path):
    averaged = torch.optim.swa_utils.AveragedModel(block())
    torch.save(averaged.state_dict(), tmp_path / "a.pt")
    assert list(io.load(tmp_path / "a.pt", model=block())) == list(block().state_dict())


def test_without_a_model_names_stay_as_they_are(tmp_path):
    torch.save({"module.w": torch.ones(1)}, tmp_path / "a.pt")
    assert list(io.load(tmp_path / "a.pt")) == ["module.w"]


def test_messages_name_no_unsafe_way_that_torch_advises(tmp_path):
    torch.save({"a": {1, re.compile("x")}}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError) as caught:
        io.load(tmp_path / "a.pt")
    assert "add_safe_globals" not in str(caught.value)
    assert caught.value.__cause__ is None
