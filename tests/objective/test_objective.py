"""Objectives: equal to the slow reference, deterministic, and they leave everything alone."""

import copy
import random
from collections import OrderedDict
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import zoo
from ridgeline import state as states
from ridgeline.errors import DataError, ForwardFailed, NotDeterministic, StateMismatch, UsageError
from ridgeline.objective import Objective, accuracy, cross_entropy, error, squared_error, top_k
from ridgeline.testing import evaluate

X = torch.randn(23, 4, generator=torch.Generator().manual_seed(0))
Y = torch.arange(23) % 3


def mlp():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))


def normed(features=6):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(
            nn.Linear(4, features), nn.BatchNorm1d(features), nn.ReLU(), nn.Linear(features, 3)
        )


# --- equal to the reference --------------------------------------------------------------------


@pytest.mark.parametrize("statistics", ["recompute", "keep"])
@pytest.mark.parametrize("name", list(zoo.ZOO))
def test_an_objective_is_the_slow_reference(name, statistics):
    model, data, a, b = zoo.build(name)
    objective = Objective(model, data, dtype=torch.float64, statistics=statistics, rows=16)
    wanted = evaluate(model, [a, b], data, metrics={"error": error}, statistics=statistics, rows=7)
    for k, state in enumerate((a, b)):
        found = objective(state)
        assert set(found) == {"loss", "error"}
        for metric, values in found.items():
            np.testing.assert_allclose(values.numpy(), wanted[metric][k], rtol=1e-9, atol=1e-9)


def test_the_mean_is_that_of_samples_and_not_of_batches():
    loader = DataLoader(TensorDataset(X, Y), batch_size=20)  # batches of 20 and 3
    model = mlp()
    found = Objective(model, loader, rows=5)(model.state_dict())
    model.requires_grad_(False)
    whole = F.cross_entropy(model(X), Y)
    assert float(found["loss"].mean()) == pytest.approx(float(whole), rel=1e-6)
    assert float(found["error"].mean()) == float((model(X).argmax(1) != Y).float().mean())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_models_are_measured_in_float32(dtype):
    model = mlp().to(dtype)
    objective = Objective(model, (X, Y))
    assert objective.dtype == torch.float32
    wanted = evaluate(model, [model.state_dict()], (X, Y))["loss"][0]
    np.testing.assert_allclose(objective(model.state_dict())["loss"].numpy(), wanted, rtol=1e-4)


class Wrapped(nn.Module):
    def __init__(self, wrap):
        super().__init__()
        self.net, self.wrap = mlp(), wrap

    def forward(self, x):
        return self.wrap(self.net(x))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda z: {"logits": z, "hidden": z * 0},
        lambda z: OrderedDict(logits=z),
        lambda z: SimpleNamespace(logits=z, loss=None),
        lambda z: (z, z * 0),
    ],
)
def test_outputs_that_hold_logits_are_understood(wrap):
    model = Wrapped(wrap)
    found = Objective(model, (X, Y))(model.state_dict())
    want = Objective(model.net, (X, Y))(model.net.state_dict())
    assert torch.equal(found["loss"], want["loss"])


def test_inputs_by_name_by_position_and_in_another_way():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = mlp()

        def forward(self, x, scale):
            return self.net(x * scale)

    model, scale = Two(), torch.rand(23, 1)
    want = cross_entropy(model(X, scale), Y)
    for data, forward in (
        (({"x": X, "scale": scale}, Y), None),
        (TensorDataset(X, scale, Y), None),
        ([{"x": X, "scale": scale, "labels": Y}], None),
        ((torch.cat([X, scale], 1), Y), lambda m, x: m(x[:, :4], x[:, 4:])),
    ):
        found = Objective(model, data, forward=forward)(model.state_dict())
        assert torch.allclose(found["loss"], want)


def test_losses_and_metrics_of_all_kinds():
    model = mlp()
    state = model.state_dict()
    want = F.cross_entropy(model(X), Y, reduction="none")
    for loss in (nn.CrossEntropyLoss(), lambda o, t: F.cross_entropy(o, t, reduction="none")):
        assert torch.allclose(Objective(model, (X, Y), loss=loss)(state)["loss"], want)
    assert list(Objective(model, (X, Y), loss=nn.CrossEntropyLoss()).metrics) == ["loss", "error"]
    several = {"top2": top_k(2), "accuracy": accuracy}
    objective = Objective(model, (X, Y), metrics=several)
    assert list(objective(state)) == ["loss", "top2", "accuracy"]
    assert objective.higher_is_better == {"loss": False, "top2": False, "accuracy": True}
    regression = Objective(model, (X, torch.zeros(23, 3)), loss=squared_error)
    assert list(regression.metrics) == ["loss"]
    assert torch.allclose(regression(state)["loss"], model(X).square().mean(1))


def test_nan_and_infinity_are_carried():
    model = mlp()
    state = states.capture(model)
    x = X.clone()
    x[3, 0] = float("nan")
    loss = Objective(model, (x, Y))(state)["loss"]
    assert torch.isnan(loss[3]) and torch.isfinite(loss[torch.arange(23) != 3]).all()
    far = Objective(model, (X, Y), metrics={"size": lambda o, t: o.exp().sum(1) * 1e38})
    assert torch.isinf(far(states.scale(state, 10))["size"]).any()


def test_what_defines_the_numbers_is_recorded():
    about = Objective(normed(), (X, Y), calibration_rows=9).provenance()
    assert about["samples"] == 23 and about["statistics"] == "recompute"
    assert about["calibration"] == {
        "on": "the objective's own inputs",
        "samples": 23,
        "batch": 9,
    }
    assert Objective(mlp(), (X, Y)).provenance()["statistics"] == "none in the model"
    kept = Objective(normed(), (X, Y), statistics="keep")
    assert kept.provenance()["statistics"] == "keep" and "calibration" not in kept.provenance()
    assert repr(kept) == "Objective(23 samples; loss, error; statistics='keep')"
    assert len(kept) == 23 and kept.classes == 3


# --- the caller's things are left alone ----------------------------------------------------------


def snapshot(model):
    modules = {
        name: (m.training, list(m._forward_hooks), m.__dict__.get("momentum"))
        for name, m in model.named_modules()
    }
    tensors = {
        name: (id(x), x.detach().clone(), x.requires_grad, x.grad)
        for name, x in [*model.named_parameters(), *model.named_buffers()]
    }
    generators = (
        torch.random.get_rng_state().tolist(),
        str(np.random.get_state()),  # noqa: NPY002 (the global generator itself is meant)
        random.getstate(),
        torch.is_grad_enabled(),
    )
    return modules, tensors, generators


def agree(before, after):
    assert before[0] == after[0] and before[2] == after[2]
    assert list(before[1]) == list(after[1])
    for name, (identity, x, flag, grad) in before[1].items():
        again = after[1][name]
        assert (identity, flag) == (again[0], again[2]) and grad is again[3], name
        assert torch.equal(x, again[1]), name


def lively():
    """In training mode, one parameter frozen, with hooks and a buffer that no state holds."""
    model = nn.Sequential(normed(), nn.Dropout(0.5)).train()
    model[0][1].eval()
    model[0][0].weight.requires_grad_(False)
    model.register_buffer("scratch", torch.ones(2, dtype=torch.float64), persistent=False)
    model[0][3].register_forward_hook(lambda m, args, out: None)
    return model


@pytest.mark.parametrize("statistics", ["recompute", "keep"])
def test_the_callers_model_is_bit_identical_afterwards(statistics):
    model = lively()
    state = states.capture(model)
    kept = copy.deepcopy(state)
    before = snapshot(model)
    Objective(model, (X, Y), statistics=statistics)(state)
    agree(before, snapshot(model))
    assert all(torch.equal(x, kept[n]) for n, x in state.items())


def test_also_after_an_exception():
    model, before = lively(), None

    def fails_late(outputs, targets):
        torch.rand(1)
        raise RuntimeError("on purpose")

    before = snapshot(model)
    with pytest.raises(ForwardFailed, match="on purpose"):
        Objective(model, (X, Y), metrics={"late": fails_late})
    objective = Objective(model, (X, Y))
    objective.network.module[0][3].register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ForwardFailed, match="ZeroDivisionError"):
        objective(states.capture(model))
    after = snapshot(model)
    assert before[0] == after[0]
    agree((before[0], before[1], None), (after[0], after[1], None))
    for layer in objective.network.module.modules():
        assert not layer.training  # our own copy, too, is as it was


def test_dropout_that_is_properly_switched_is_fine():
    model = nn.Sequential(mlp(), nn.Dropout(0.9)).train()
    objective = Objective(model, (X, Y))
    state = model.state_dict()
    assert torch.equal(objective(state)["loss"], objective(state)["loss"])
    assert model.training


# --- refusals ------------------------------------------------------------------------------------


class AlwaysDrop(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, x):
        return self.two(F.dropout(self.one(x), training=True))


class Stubborn(nn.Dropout):
    def train(self, mode=True):
        return super().train(True)


class Noise(nn.Module):
    def forward(self, x):
        return x + torch.randn_like(x)


class Counter(nn.Module):
    def __init__(self, persistent):
        super().__init__()
        self.net = mlp()
        self.register_buffer("calls", torch.zeros(()), persistent=persistent)

    def forward(self, x):
        self.calls += 1
        return self.net(x)


class Centred(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = mlp()

    def forward(self, x):
        return self.net(x - x.mean(0))


@pytest.mark.parametrize(
    ("model", "culprit"),
    [
        (AlwaysDrop(), r"AlwaysDrop\.forward, which gives another output each time"),
        (nn.Sequential(nn.Identity(), AlwaysDrop()), "AlwaysDrop at '1', which gives another"),
        (nn.Sequential(mlp(), Noise()), "Noise at '1', which gives another output each time"),
        (nn.Sequential(Stubborn(), mlp()), "Stubborn at '0', which stays in training mode"),
        (
            nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6, track_running_stats=False)),
            "BatchNorm1d at '1', which normalises by its batch",
        ),
        (Centred(), r"Centred\.forward, in which a sample's output depends on its batch"),
        (Counter(True), r"Counter\.forward, which writes to its buffer 'calls'"),
        (Counter(False), r"Counter\.forward, which writes to its buffer 'calls'"),
    ],
)
def test_an_objective_that_is_none_is_refused_with_its_culprit(model, culprit):
    before = snapshot(model)
    with pytest.raises(NotDeterministic, match=f"Got {culprit}"):
        Objective(model, (X, Y))
    agree(before, snapshot(model))


def test_labels_outside_the_classes_are_refused_with_the_sample():
    many = torch.zeros(60, dtype=torch.long)
    many[50], many[57] = 3, -1
    x = torch.randn(60, 4)
    pattern = r"Labels of a model with 3 outputs are 0 to 2\. Got label 3 at sample 50 \(2 in all\)"
    for given in (
        {},
        {"loss": nn.CrossEntropyLoss()},
        {"metrics": {}},
        {"loss": squared_error, "metrics": {"top2": top_k(2)}},
    ):
        with pytest.raises(DataError, match=pattern):
            Objective(mlp(), (x, many), **given)


def test_labels_that_are_left_out_are_no_mistake():
    y = Y.clone()
    y[2] = -100
    model = mlp()
    found, kept = Objective(model, (X, y))(model.state_dict()), y != Y
    whole = Objective(model, (X, Y))(model.state_dict())
    for name in ("loss", "error"):  # the sample is left out: 22 numbers, and not one of 0
        assert torch.equal(found[name], whole[name][~kept])
    y[2] = 255
    loss = nn.CrossEntropyLoss(ignore_index=255)
    same = Objective(model, (X, y), loss=loss)(model.state_dict())
    for name in ("loss", "error"):
        assert torch.allclose(same[name], found[name])


def test_labels_of_a_sequence_are_checked_too():
    model, (tokens, targets), a, _ = zoo.build("transformer-tied")
    targets[4, 2] = 99
    with pytest.raises(DataError, match="Got label 99 at sample 4"):
        Objective(model, (tokens, targets))


def test_a_mean_over_the_batch_is_no_loss():
    with pytest.raises(UsageError, match=r"The loss must return one number per .*Got \(\) for"):
        Objective(mlp(), (X, Y), loss=lambda o, t: F.cross_entropy(o, t).mean())
    with pytest.raises(UsageError, match="'late'"):
        Objective(mlp(), (X, Y), metrics={"late": lambda o, t: 0.5})


def test_a_metric_that_gives_an_array_is_told_to_give_a_tensor():
    with pytest.raises(UsageError, match=r"Got ndarray for 23 samples.*torch\.from_numpy"):
        Objective(mlp(), (X, Y), metrics={"late": lambda o, t: (o.argmax(1) != t).numpy()})


def test_a_forward_that_raises_keeps_its_own_error():
    with pytest.raises(ForwardFailed, match=r"probing the first samples.*mat1 and mat2") as caught:
        Objective(mlp(), (torch.randn(23, 5), Y))
    assert type(caught.value.__cause__) is RuntimeError

    class Sometimes(nn.Linear):
        def forward(self, x):
            if self.weight.sum() > 100:
                raise KeyError("too large")
            return super().forward(x)

    model = Sometimes(4, 3)
    objective, large = Objective(model, (X, Y)), {**model.state_dict()}
    large["weight"] = large["weight"] + 100
    with pytest.raises(ForwardFailed, match=r"on samples 0 to 23\. Got KeyError: 'too l") as caught:
        objective(large)
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_dict_that_the_model_wants_whole_is_refused_with_what_to_do():
    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = mlp()

        def forward(self, batch):
            return {"logits": self.net(batch["x"])}

    data = ({"x": X}, Y)
    with pytest.raises(ForwardFailed, match=r"`forward=lambda model, example: model\(example\)`"):
        Objective(Whole(), data)
    with pytest.raises(
        ForwardFailed, match=r'are a dict of logits.*lambda model, x: model\(x\)\["l'
    ):
        Objective(Whole(), data, forward=lambda model, x: model(x))
    assert len(Objective(Whole(), data, forward=lambda model, x: model(x)["logits"])) == 23


def test_a_loss_of_the_users_own_that_raises_is_not_told_of_the_model():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = mlp()

        def forward(self, x, more):
            return {"logits": self.net(x + more)}

    with pytest.raises(ForwardFailed, match=r"KeyError: 'zz'") as caught:
        Objective(Two(), ((X, X), Y), loss=lambda out, y: {}["zz"], metrics={})
    assert "forward=" not in str(caught.value)


def test_a_state_of_another_model_is_refused_with_a_diff():
    model = mlp()
    objective, wrong = Objective(model, (X, Y)), model.state_dict()
    wrong["head.bias"] = wrong.pop("2.bias")
    wrong["0.weight"] = torch.ones(4, 6)
    with pytest.raises(StateMismatch) as caught:
        objective(wrong)
    text = str(caught.value)
    for line in ("- 2.bias (3,)", "+ head.bias (3,)", "! 0.weight (6, 4) -> (4, 6)", "the model"):
        assert line in text


def test_tied_tensors_that_differ_are_refused():
    model, data, a, _ = zoo.build("transformer-tied")
    (first, second, *_), *_ = states.ties(model.state_dict())
    objective = Objective(model, data)
    equal = {**a, second: a[first].clone()}  # untied, but equal: as a file may hold them
    assert torch.equal(objective(equal)["loss"], objective(a)["loss"])
    with pytest.raises(StateMismatch, match=f"tied to {first} -> another value"):
        objective({**a, second: a[second] + 1})


def test_a_state_may_leave_out_the_other_name_of_a_tied_tensor():
    model, data, a, _ = zoo.build("transformer-tied")
    (_, second, *_), *_ = states.ties(model.state_dict())
    objective = Objective(model, data)
    without = {n: x for n, x in a.items() if n != second}
    assert torch.equal(objective(without)["loss"], objective(a)["loss"])


def test_arguments_that_mean_nothing_are_refused():
    with pytest.raises(UsageError, match="'recompute' or 'keep'"):
        Objective(mlp(), (X, Y), statistics="train")
    with pytest.raises(UsageError, match="name 'loss'"):
        Objective(mlp(), (X, Y), metrics={"loss": error})
    with pytest.raises(DataError, match="at least one sample"):
        Objective(mlp(), (X[:0], Y[:0]))


# --- normalisation statistics --------------------------------------------------------------------


def by_hand(model, state, x, rows):
    """Plain means over equal batches, with the unbiased variance that BatchNorm keeps."""
    with torch.no_grad():
        h = F.linear(x.double(), state["0.weight"].double(), state["0.bias"].double())
        parts = h.reshape(len(h) // rows, rows, -1)
        return parts.mean(1).mean(0), parts.var(1, unbiased=True).mean(0)


def test_recomputed_statistics_are_means_over_equal_batches():
    model, x = normed(), torch.randn(24, 4, generator=torch.Generator().manual_seed(3))
    state = states.capture(model)
    objective = Objective(model, (x, Y[:1].expand(24)), calibration_rows=8, dtype=torch.float64)
    fresh = objective.recomputed(objective.tensors(state))
    mean, var = by_hand(model, state, x, 8)
    np.testing.assert_allclose(fresh["1.running_mean"].numpy(), mean.numpy(), atol=1e-12)
    np.testing.assert_allclose(fresh["1.running_var"].numpy(), var.numpy(), atol=1e-12)
    assert int(fresh["1.num_batches_tracked"]) == 3
    assert set(fresh) == {"1.running_mean", "1.running_var", "1.num_batches_tracked"}


def test_batches_differ_by_one_sample_at_most():
    """A last batch of one would weigh as much as the others, and has no variance."""
    objective = Objective(normed(), (X, Y), calibration_rows=22)
    fresh = objective.recomputed(objective.tensors(normed().state_dict()))
    assert int(fresh["1.num_batches_tracked"]) == 2
    assert all(torch.isfinite(x).all() for x in fresh.values())


def test_recomputing_is_deterministic_and_differs_from_keeping():
    model, data, a, _ = zoo.build("cnn-batchnorm")
    anew, kept = (Objective(model, data, statistics=s) for s in ("recompute", "keep"))
    once, again = anew(a)["loss"], anew(a)["loss"]
    assert torch.equal(once, again)
    assert (once - kept(a)["loss"]).abs().max() > 1e-2


def test_recomputing_does_not_look_at_the_states_own_statistics():
    model, data, a, _ = zoo.build("cnn-batchnorm")
    objective = Objective(model, data)
    odd = {n: x * 7 + 1 if states.is_statistic(n) else x for n, x in a.items()}
    assert torch.equal(objective(odd)["loss"], objective(a)["loss"])


def test_calibration_data_are_used_when_given():
    model, (x, y), a, _ = zoo.build("cnn-batchnorm")
    other = x.flip(0)[:20] * 2
    objective = Objective(model, (x, y), calibration=other, dtype=torch.float64)
    want = evaluate(model, [a], (x, y), calibration=other)["loss"][0]
    np.testing.assert_allclose(objective(a)["loss"].numpy(), want, rtol=1e-9)
    assert objective.provenance()["calibration"]["on"] == "calibration data"


@pytest.mark.parametrize(
    ("norm", "shape"),
    [(nn.BatchNorm1d, (6,)), (nn.BatchNorm2d, (6, 3, 2)), (nn.BatchNorm3d, (6, 2, 2, 2))],
)
def test_all_batch_norms_alike(norm, shape):
    model = nn.Sequential(norm(6), nn.Flatten())
    x = torch.randn(30, *shape, generator=torch.Generator().manual_seed(0)) * 3 + 1
    y = torch.zeros(30, dtype=torch.long)
    objective = Objective(model, (x, y), dtype=torch.float64)
    want = evaluate(model, [model.state_dict()], (x, y))["loss"][0]
    np.testing.assert_allclose(objective(model.state_dict())["loss"].numpy(), want, rtol=1e-9)
    fresh = objective.recomputed(objective.tensors(model.state_dict()))
    axes = (0, *range(2, x.ndim))
    np.testing.assert_allclose(fresh["0.running_mean"], x.double().mean(axes), rtol=1e-9)
    np.testing.assert_allclose(fresh["0.running_var"], x.double().var(axes), rtol=1e-9)
