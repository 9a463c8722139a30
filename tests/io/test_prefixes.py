"""A network's tensors are found under whatever a trainer put before their names."""

import warnings

import pytest
import torch
from torch import nn

from ridgeline import io
from ridgeline.errors import CheckpointError, RidgelineWarning, StateMismatch


def network():
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Sequential(nn.Linear(8, 3)))


def values(seed=0):
    drawn = torch.Generator().manual_seed(seed)
    own = network().state_dict()
    return {
        k: torch.randn(x.shape, generator=drawn) if x.is_floating_point() else x
        for k, x in own.items()
    }


def before(prefix, state):
    return {prefix + k: v for k, v in state.items()}


def loads(path, content, want, model=None):
    torch.save(content, path)
    found = io.load(path, model=model or network())
    assert list(found) == list(network().state_dict())
    return all(torch.equal(found[k], want[k]) for k in want)


@pytest.mark.parametrize(
    "prefix",
    ["net.", "_forward_module.", "_fsdp_wrapped_module.", "_forward_module.module.model.",
     "generator.", "student.encoder.", "module._orig_mod.", "policy.actor.net.", "0.", "model.0."],
)  # fmt: skip
def test_any_common_prefix_is_resolved(tmp_path, prefix):
    assert loads(tmp_path / "a.pt", {"state_dict": before(prefix, values())}, values())


@pytest.mark.parametrize(
    "word",
    ["_orig_mod", "_forward_module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"],
)
def test_wrappers_are_removed_wherever_they_are(tmp_path, word):
    renamed = {
        f"module.{k.replace('.', f'.{word}.', 1)}".replace(".weight", f".{word}.weight"): v
        for k, v in values().items()
    }
    assert loads(tmp_path / "a.pt", renamed, values())


BESIDE = {
    "criterion.weight": torch.ones(3),
    "loss_fn.pos_weight": torch.ones(1),
    "train_accuracy.tp": torch.tensor(3),
    "val_metrics.f1.tp": torch.tensor(3),
    "optimizer.state": torch.ones(2),
}


@pytest.mark.parametrize("prefix", ["", "model.", "net."])
def test_what_lies_beside_the_network_is_left_out_and_told(tmp_path, prefix):
    content = {"state_dict": before(prefix, values()) | BESIDE}
    with pytest.warns(
        RidgelineWarning, match=r"5 tensors beside .*criterion \(1\).*optimizer \(1\)"
    ):
        assert loads(tmp_path / "a.ckpt", content, values())


@pytest.mark.parametrize("average", ["ema.", "ema_model.module.", "model_ema.", "net_ema.", "swa."])
@pytest.mark.parametrize("prefix", ["", "model."])
def test_averages_are_left_out_whichever_comes_first(tmp_path, average, prefix):
    content = before(average, values(1)) | before(prefix, values())
    with pytest.warns(RidgelineWarning, match=rf"{len(values())} of them averages"):
        assert loads(tmp_path / "a.pt", content, values())


def test_averages_alone_are_the_network(tmp_path):
    assert loads(tmp_path / "a.pt", before("ema_model.", values()), values())


def test_another_part_of_the_module_is_left_out_and_told(tmp_path):
    content = before("backbone.", values()) | {"head.weight": torch.ones(2, 3)}
    with pytest.warns(RidgelineWarning, match=r"1 tensor beside the model's left out: head \(1\)"):
        assert loads(tmp_path / "a.pt", content, values())


@pytest.mark.parametrize("prefix", ["", "model.", "net."])
@pytest.mark.parametrize(
    "name",
    ["3.weight", "2.1.weight", "loss.scale", "loss_head.weight", "test_proj.bias",
     "iou_prediction_head.weight", "val_embed.weight", "precision_encoder.weight"],
)  # fmt: skip
def test_a_tensor_of_a_larger_network_is_never_left_out(tmp_path, prefix, name):
    model = network()
    content = values()
    if name == "loss.scale":  # a child of the network that is called so is no criterion
        model.loss = nn.Linear(2, 2)
        content = dict(model.state_dict())
    torch.save(before(prefix, content | {name: torch.ones(2)}), tmp_path / "a")
    with pytest.raises(StateMismatch) as caught:
        io.load(tmp_path / "a", model=model)
    assert list(caught.value.extra) == [name]


def test_two_networks_in_one_state_must_be_told_apart(tmp_path):
    path = tmp_path / "a.pt"
    torch.save(before("student.", values()) | before("teacher.", values(1)), path)
    with pytest.raises(
        CheckpointError, match=r"under student, teacher\. Choose one: key='student'"
    ):
        io.load(path, model=network())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = io.load(path, model=network(), key="teacher")
    assert torch.equal(found["0.weight"], values(1)["0.weight"])


def test_the_key_that_a_message_names_is_taken_inside_a_nested_file(tmp_path):
    path = tmp_path / "a.pt"
    inner = before("module.encoder_q.", values()) | before("module.encoder_k.", values(1))
    torch.save({"state_dict": inner, "epoch": 1}, path)
    with pytest.raises(CheckpointError, match=r"key='module\.encoder_q'"):
        io.load(path, model=network())
    found = io.load(path, model=network(), key="module.encoder_k")
    assert torch.equal(found["0.weight"], values(1)["0.weight"])


def test_equal_copies_need_no_choice(tmp_path):
    content = before("student.", values()) | before("teacher.", values())
    with pytest.warns(RidgelineWarning, match="left out: teacher"):
        assert loads(tmp_path / "a.pt", content, values())


def test_a_model_in_its_wrapper_takes_a_bare_file(tmp_path):
    torch.save(values(), tmp_path / "a.pt")
    found = io.load(tmp_path / "a.pt", model=nn.ModuleDict({"net": network()}))
    assert torch.equal(found["net.0.weight"], values()["0.weight"])


def test_what_is_written_keeps_the_names_of_the_file(tmp_path):
    torch.save({"state_dict": before("net.", values()) | BESIDE}, tmp_path / "a.ckpt")
    kept = io.in_format_of(tmp_path / "a.ckpt", values(1), model=network())
    want = before("net.", values(1)) | BESIDE
    assert kept.keys() == want.keys()
    assert all(torch.equal(kept[k], want[k]) for k in want)


# --- what the module itself makes of older names ---------------------------------------------


def test_weight_norm_of_before_parametrisations(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old = nn.utils.weight_norm(nn.Linear(4, 3))
    new = nn.utils.parametrizations.weight_norm(nn.Linear(4, 3))
    torch.save(before("model.", old.state_dict()), tmp_path / "a.pt")
    found = io.load(tmp_path / "a.pt", model=new)
    assert list(found) == list(new.state_dict())
    new.load_state_dict(found)
    torch.testing.assert_close(
        new.weight, old.weight_g * old.weight_v / old.weight_v.norm(dim=1, keepdim=True)
    )


class Renaming(nn.Linear):
    _version = 2

    def _load_from_state_dict(self, state, prefix, local, *rest):
        if local.get("version", 1) < 2 and f"{prefix}kernel" in state:
            state[f"{prefix}weight"] = state.pop(f"{prefix}kernel").T
        super()._load_from_state_dict(state, prefix, local, *rest)


@pytest.mark.parametrize("prefix", ["", "net."])
def test_names_that_a_module_converts(tmp_path, prefix):
    model = nn.Sequential(Renaming(4, 3))
    before_it = {k: v.clone() for k, v in model.state_dict().items()}
    old = {"0.kernel": torch.randn(4, 3).bfloat16(), "0.bias": torch.ones(3).bfloat16()}
    torch.save(before(prefix, old), tmp_path / "a.pt")
    found = io.load(tmp_path / "a.pt", model=model)
    assert torch.equal(found["0.weight"], old["0.kernel"].T)
    assert all(torch.equal(x, before_it[k]) for k, x in model.state_dict().items())


def test_a_module_is_told_the_version_of_the_file(tmp_path):
    model = nn.Sequential(Renaming(4, 3))
    state = model.state_dict()
    state["0.kernel"] = state.pop("0.weight")
    torch.save(state, tmp_path / "a.pt")  # of version 2, in which `kernel` is nothing
    with pytest.raises(StateMismatch):
        io.load(tmp_path / "a.pt", model=model)


def test_scalars_of_before_torch_0_4(tmp_path):
    class Scaled(nn.Linear):
        def __init__(self):
            super().__init__(2, 3)
            self.gain = nn.Parameter(torch.ones(()))

    model = Scaled()
    want = model.state_dict() | {"gain": torch.tensor(0.25)}
    torch.save(want | {"gain": torch.tensor([0.25])}, tmp_path / "a")
    found = io.load(tmp_path / "a", model=model)
    assert found["gain"].shape == ()
    assert found["gain"] == 0.25
    torch.save(want | {"gain": torch.tensor([0.25, 0.5])}, tmp_path / "a")
    with pytest.raises(StateMismatch, match=r"gain \(\) -> \(2,\)"):
        io.load(tmp_path / "a", model=model)


def test_counts_of_batches_in_floats(tmp_path):
    state = values()
    want = dict(state)
    state["1.num_batches_tracked"] = torch.tensor(7.0)
    want["1.num_batches_tracked"] = torch.tensor(7)
    assert loads(tmp_path / "a.pt", state, want)


# --- extra state -----------------------------------------------------------------------------


class Scaled(nn.Linear):
    scale = 1.0

    def get_extra_state(self):
        return {"scale": self.scale, "history": torch.ones(2)}

    def set_extra_state(self, state):
        self.scale = state["scale"]


@pytest.mark.parametrize("prefix", ["", "model."])
def test_extra_state_is_compared_with_the_models(tmp_path, prefix):
    model = nn.Sequential(Scaled(4, 3))
    torch.save(before(prefix, model.state_dict()), tmp_path / "a.pt")
    assert list(io.load(tmp_path / "a.pt", model=model)) == ["0.weight", "0.bias"]
    model[0].scale = 2.0
    with pytest.warns(RidgelineWarning, match=r"0\._extra_state is not the model's"):
        io.load(tmp_path / "a.pt", model=model)
