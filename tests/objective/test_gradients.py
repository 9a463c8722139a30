"""The loss and its gradient, against one backward pass through a module in a plain loop."""

import copy
import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

import ridgeline as rl
import zoo
from ridgeline.errors import (
    DataError,
    ForwardFailed,
    NonFinite,
    StateMismatch,
    UnknownName,
    UsageError,
)
from ridgeline.state import flatten


def doubled(state):
    return {n: x.double() if x.is_floating_point() else x.clone() for n, x in state.items()}


def cross(outputs, targets):
    outputs = outputs["logits"] if isinstance(outputs, dict) else outputs
    return F.cross_entropy(outputs.reshape(-1, outputs.shape[-1]), targets.reshape(-1))


def plain(model, state, inputs, targets, mean=cross):
    """The loss and its gradient by every parameter, by the module's own backward pass."""
    model = copy.deepcopy(model).eval().requires_grad_(True)
    model.load_state_dict(state)
    value = mean(model(*inputs) if isinstance(inputs, tuple) else model(inputs), targets)
    value.backward()
    return float(value.detach()), {n: p.grad for n, p in model.named_parameters()}


def agree(found, wanted):
    for name, x in wanted.items():
        expected = torch.zeros_like(found[name]) if x is None else x
        torch.testing.assert_close(found[name], expected, rtol=1e-9, atol=1e-12)


def logits(model, inputs):
    return model(**inputs)["logits"]


@pytest.mark.filterwarnings("ignore:Converting a tensor")  # the branching network's own
@pytest.mark.parametrize("name", list(zoo.ZOO))
def test_the_gradient_is_that_of_a_backward_pass_whatever_the_chunks(name):
    model, (inputs, targets), a, _ = zoo.build(name, 17)
    named = {"forward": logits} if name == "dict-inputs" else {}
    given = {"dtype": torch.float64, "statistics": "keep", "rows": 5, **named}
    objective = rl.Objective(model.double(), (inputs, targets), **given)
    state = doubled(a)
    value, found = rl.value_and_gradient(objective, state)
    if name == "dict-inputs":
        inputs = (inputs["tokens"], inputs["mask"].double())
    else:
        inputs = inputs.double() if inputs.is_floating_point() else inputs
    want, slopes = plain(model, state, inputs, targets)
    assert value == pytest.approx(want, rel=1e-12)
    agree(found, slopes)


def tiny(seed=0, widths=(5, 6, 4)):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return zoo.Mlp(*widths).double()


def data(n=11, inside=5, classes=4):
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(n, inside, generator=draw, dtype=torch.float64)
    return x, torch.randint(0, classes, (n,), generator=draw)


def objective_of(model, pair, **more):
    return rl.Objective(model, pair, dtype=torch.float64, **{"rows": 4, **more})


def test_recomputed_statistics_are_those_of_the_state_and_constants():
    model, (x, y), a, _ = zoo.build("cnn-batchnorm", 16)
    objective = objective_of(model.double(), (x, y))
    state = doubled(a)
    fresh = objective.recomputed(objective.tensors(state))
    agree(rl.gradient(objective, state), plain(model, state | fresh, x.double(), y)[1])


def test_statistics_of_a_minibatch_are_its_own():
    model, (x, y), a, _ = zoo.build("cnn-batchnorm", 16)
    objective, state = objective_of(model.double(), (x, y)), doubled(a)
    batch = next(rl.minibatches(objective, 6))
    alone = objective_of(model, (batch.inputs, batch.targets))
    agree(rl.gradient(objective, state, batch=batch), rl.gradient(alone, state))


def test_labels_that_do_not_count_are_left_out():
    model, (x, y) = tiny(), data()
    y = y.clone()
    y[::3] = -100
    objective = objective_of(model, (x, y))
    agree(rl.gradient(objective, model.state_dict()), plain(model, model.state_dict(), x, y)[1])


def test_class_weights_make_the_mean_a_ratio_over_all_chunks():
    model, (x, y) = tiny(), data()
    loss = nn.CrossEntropyLoss(torch.tensor([1.0, 5.0, 0.5, 2.0], dtype=torch.float64))
    objective = objective_of(model, (x, y), loss=loss)
    value, found = rl.value_and_gradient(objective, model.state_dict())
    want, slopes = plain(model, model.state_dict(), x, y, loss)
    assert value == pytest.approx(want)
    agree(found, slopes)


class Sequences(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 4)

    def forward(self, x):
        return self.inner(x).tanh()


@pytest.mark.parametrize("weights", ["tokens", "samples"])
def test_means_are_over_tokens_or_over_samples_as_the_objective_says(weights):
    model = Sequences().double()
    x = torch.randn(6, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.arange(30).reshape(6, 5) % 4
    y[0, 1:] = y[1, 2:] = -100

    def mean(outputs, targets):
        if weights == "tokens":
            return F.cross_entropy(outputs.reshape(-1, 4), targets.reshape(-1))
        each = [F.cross_entropy(o, t) for o, t in zip(outputs, targets, strict=True)]
        return torch.stack(each).mean()

    objective = objective_of(model, (x, y), weights=weights)
    agree(
        rl.gradient(objective, model.state_dict()), plain(model, model.state_dict(), x, y, mean)[1]
    )


def weighed(outputs, targets):
    """Values, and weights that depend on the outputs."""
    return (outputs[:, 0] - targets).square(), outputs[:, 1].square() + 0.1


def weighed_mean(outputs, targets):
    values, weights = weighed(outputs, targets)
    return (values * weights).sum() / weights.sum()


def test_weights_that_depend_on_the_state_are_differentiated_too():
    model, (x, y) = tiny(), data()
    objective = objective_of(model, (x, y.double()), loss=weighed)
    value, found = rl.value_and_gradient(objective, model.state_dict())
    want, slopes = plain(model, model.state_dict(), x, y.double(), weighed_mean)
    assert value == pytest.approx(want)
    agree(found, slopes)


def test_a_tied_weight_has_one_derivative_under_both_names():
    model, (x, y) = tiny(widths=(5, 5, 5)), data(classes=5)
    model[2].weight = model[0].weight
    objective = objective_of(model, (x, y))
    found = rl.gradient(objective, model.state_dict())
    agree(found, plain(model, model.state_dict(), x, y)[1])
    assert found["2.weight"] is found["0.weight"]
    only = rl.gradient(objective, model.state_dict(), names="2.weight")
    torch.testing.assert_close(only["0.weight"], found["0.weight"])
    assert set(only) == {"0.weight", "2.weight"}


def test_tensors_that_only_the_state_shares_have_a_derivative_each():
    model, (x, y) = tiny(widths=(5, 5, 5)), data(classes=5)
    state = model.state_dict()
    state["2.weight"] = state["0.weight"]
    agree(rl.gradient(objective_of(model, (x, y)), state), plain(model, state, x, y)[1])


def test_frozen_parameters_move_as_they_do_on_a_path():
    model, (x, y) = tiny(), data()
    model[0].requires_grad_(False)
    agree(
        rl.gradient(objective_of(model, (x, y)), model.state_dict()),
        plain(model, model.state_dict(), x, y)[1],
    )


class Complex(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(5, 4, dtype=torch.complex128))

    def forward(self, x):
        return (x.to(self.w.dtype) @ self.w).abs()


def test_complex_tensors_have_the_derivative_that_torch_gives_them():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, (x, y) = Complex(), data()
    found = rl.gradient(objective_of(model, (x, y)), model.state_dict())
    assert found["w"].dtype == torch.complex128
    agree(found, plain(model, model.state_dict(), x, y)[1])


class Attending(nn.Module):
    """An additive mask among the state's tensors."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(5, 4)
        mask = torch.zeros(4, dtype=torch.float64)
        mask[3] = -torch.inf
        self.register_buffer("mask", mask)

    def forward(self, x):
        return (self.inner(x) + self.mask).softmax(-1)


def test_infinities_of_a_mask_stand_still():
    model, (x, y) = Attending().double(), data()
    found = rl.gradient(objective_of(model, (x, y)), model.state_dict())
    agree(found, plain(model, model.state_dict(), x, y)[1])
    assert found["mask"][3] == 0
    assert bool((found["mask"][:3] != 0).all())


def test_names_choose_what_derivatives_are_by():
    model, (x, y), a, _ = zoo.build("cnn-batchnorm", 8)
    objective = rl.Objective(model, (x, y), statistics="keep")
    whole = rl.gradient(objective, a)
    layer = rl.state.layers(a)["1"]  # BatchNorm: statistics and a count among its tensors
    found = rl.gradient(objective, a, names=layer)
    assert set(found) == {"1.weight", "1.bias"}
    torch.testing.assert_close(found["1.bias"], whole["1.bias"])
    assert not any(rl.state.is_statistic(n) for n in whole)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_what_the_caller_turned_off_is_on_within_and_off_after(mode):
    model, (x, y) = tiny(), data()
    want = rl.gradient(objective_of(model, (x, y)), model.state_dict())
    with mode():
        state = {n: p.clone() for n, p in model.state_dict().items()}
        objective = objective_of(model, (x.clone(), y.clone()))
        found = rl.gradient(objective, state)
        assert not torch.is_grad_enabled()
    agree(found, want)
    assert not any(g.requires_grad for g in found.values())


def test_the_model_and_the_state_are_left_as_they_are():
    model, (x, y) = tiny(), data()
    model.train()
    state = {n: p.detach().clone() for n, p in model.state_dict().items()}
    before = copy.deepcopy(state)
    rl.gradient(objective_of(model, (x, y)), state)
    assert model.training
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(x, before[n]) for n, x in state.items())


def test_single_precision_stays_and_its_sums_are_in_double():
    model, (x, y) = tiny().float(), data(n=300)
    found = rl.gradient(rl.Objective(model, (x, y), rows=1), model.state_dict())
    exact = plain(model.double(), doubled(model.state_dict()), x, y)[1]
    for name, g in found.items():
        assert g.dtype == torch.float32
        torch.testing.assert_close(g.double(), exact[name], rtol=1e-5, atol=1e-7)


def test_an_input_is_a_state_like_any_other():
    """The gradient that an attack in input space needs: the network is fixed, its input moves."""

    class At(nn.Module):
        def __init__(self, net, x):
            super().__init__()
            self.input = nn.Parameter(x)
            self.net = net

        def forward(self, _):
            return self.net(self.input)

    net, (x, y) = tiny(), data(1)
    objective = objective_of(At(net, x), (torch.zeros(1, 1), y))
    state = objective_state = {n: p.detach() for n, p in At(net, x).state_dict().items()}
    found = rl.gradient(objective, objective_state, names="input")
    leaf = x.clone().requires_grad_()
    F.cross_entropy(net(leaf), y).backward()
    assert set(found) == {"input"}
    torch.testing.assert_close(found["input"], leaf.grad)
    assert state is objective_state


def test_control_points_of_a_curve_have_the_chain_rules_gradient():
    model, (x, y) = tiny(), data()
    objective = objective_of(model, (x, y))
    points = [doubled(tiny(s).state_dict()) for s in range(3)]
    t, share = 0.3, [0.7**2, 2 * 0.3 * 0.7, 0.3**2]
    found = rl.gradient(objective, rl.Bezier(*points)(t))
    middle = {n: p.clone().requires_grad_() for n, p in points[1].items()}
    at = {
        n: share[0] * points[0][n] + share[1] * p + share[2] * points[2][n]
        for n, p in middle.items()
    }
    loss = rl.batch_loss(objective, at, objective.samples)
    loss.backward()
    for name, p in middle.items():
        torch.testing.assert_close(p.grad, share[1] * found[name], rtol=1e-6, atol=1e-9)


class Again(nn.Module):
    """Computes its activations again, going backwards."""

    def __init__(self):
        super().__init__()
        self.inner, self.head = nn.Linear(5, 6), nn.Linear(6, 4)

    def forward(self, x):
        inner = lambda z: self.inner(z).tanh().square()  # noqa: E731 (closes over its weights)
        return self.head(checkpoint(inner, x, use_reentrant=False))


def test_what_is_computed_again_is_computed_at_the_state_and_not_at_the_models_own():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, other, (x, y) = Again().double(), Again().double(), data()
    objective, state = objective_of(model, (x, y)), other.state_dict()
    want = plain(model, state, x, y)[1]
    found = rl.gradient(objective, state)
    agree(found, want)
    rows = rl.per_sample_gradients(objective, state)
    near = {"rtol": 1e-9, "atol": 1e-12}
    share = np.full(len(x), 1 / len(x))
    np.testing.assert_allclose(rows.T @ share, rows.flatten(found), **near)
    each = [g["inner.weight"].mean(0) * len(w) / len(x) for g, w in rows.chunks()]
    torch.testing.assert_close(sum(each), found["inner.weight"])
    for name, p in rl.diagonal_fisher(objective, state, labels="empirical").items():
        squares = [g[name].square().sum(0) / len(x) for g, _ in rows.chunks()]
        torch.testing.assert_close(p, sum(squares))
    moved = {n: p.requires_grad_() for n, p in state.items()}
    with pytest.raises(UsageError, match=r"computes nothing again.*checkpoint.*rl.gradient"):
        rl.batch_loss(objective, moved, objective.samples)


def test_a_tensor_that_nothing_depends_on_has_zeros():
    model, (x, y) = tiny(), data()
    model.register_parameter("idle", nn.Parameter(torch.ones(2, dtype=torch.float64)))
    found = rl.gradient(objective_of(model, (x, y)), model.state_dict())
    assert found["idle"].tolist() == [0, 0]


def test_a_sparse_gradient_is_given_dense():
    class Bag(nn.Module):
        def __init__(self, sparse):
            super().__init__()
            self.table, self.head = nn.Embedding(7, 3, sparse=sparse), nn.Linear(3, 4)

        def forward(self, x):
            return self.head(self.table(x).tanh().mean(1))

    x = torch.randint(0, 7, (6, 2), generator=torch.Generator().manual_seed(0))
    y = torch.arange(6) % 4
    sparse, dense = (Bag(kind).double() for kind in (True, False))
    state = dense.state_dict()
    found = rl.gradient(objective_of(sparse, (x, y)), state)
    agree(found, plain(dense, state, x, y)[1])
    rows = rl.per_sample_gradients(objective_of(sparse, (x, y)), state)
    assert not any(g["table.weight"].is_sparse for g, _ in rows.chunks())


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [rl.error, "error"])
def test_an_error_has_no_derivative_and_is_told_so(loss):
    model, pair = tiny(), data()
    if isinstance(loss, str):
        loss = lambda o, t: (o.argmax(1) != t).double()  # noqa: E731 (one of two)
    objective = objective_of(model, pair, loss=loss)
    with pytest.raises(UsageError, match=r"derivatives by the network's outputs.*the loss.*smooth"):
        rl.gradient(objective, model.state_dict())


def test_outputs_that_are_integers_have_none_either():
    class Chosen(nn.Linear):
        def forward(self, x):
            return super().forward(x).argmax(-1)

    model, (x, y) = Chosen(5, 4).double(), data()
    objective = objective_of(model, (x, y), loss=lambda o, t: (o - t).abs().double())
    with pytest.raises(UsageError, match="outputs that are real numbers"):
        rl.gradient(objective, model.state_dict())


def test_a_network_that_turns_derivatives_off_is_refused_in_its_own_words():
    class Off(nn.Linear):
        @torch.no_grad()
        def forward(self, x):
            return super().forward(x)

    model, pair = Off(5, 4).double(), data()
    with pytest.raises(UsageError, match=r"network's weights.*no_grad\(\)"):
        rl.gradient(objective_of(model, pair), model.state_dict())


def test_other_states_names_and_values_are_refused():
    model, pair = tiny(), data()
    objective, state = objective_of(model, pair), model.state_dict()
    with pytest.raises(UnknownName, match=r"'0.weigth'.*Did you mean '0.weight'"):
        rl.gradient(objective, state, names=["0.weigth"])
    with pytest.raises(UsageError, match=r"must be a coordinate.*none among no names"):
        rl.gradient(objective, state, names=[])
    with pytest.raises(StateMismatch, match=r"2.bias"):
        rl.gradient(objective, {n: x for n, x in state.items() if n != "2.bias"})
    with pytest.raises(NonFinite, match=r"0.bias"):
        rl.gradient(objective, state | {"0.bias": state["0.bias"] * torch.nan})
    with pytest.raises(UsageError, match="state maps names"):
        rl.gradient(objective, model)
    with pytest.raises(UsageError, match=r"is an `rl.Objective`.*Got objective of type Mlp"):
        rl.gradient(model, state)
    with pytest.raises(UsageError, match="Got batch of type tuple"):
        rl.gradient(objective, state, batch=pair)
    with pytest.raises(UsageError, match="Got names of type int"):
        rl.gradient(objective, state, names=3)


def test_a_batch_in_which_nothing_counts_has_no_mean():
    model, (x, y) = tiny(), data()
    y = y.clone()
    y[:4] = -100
    objective = objective_of(model, (x, y))
    with pytest.raises(DataError, match="at least one sample that counts"):
        rl.gradient(objective, model.state_dict(), batch=objective.samples[:4])


def test_what_the_users_loss_raises_is_told_with_its_cause():
    calls = []

    def loss(outputs, targets):
        if calls:
            raise ValueError("not today")
        return F.cross_entropy(outputs, targets, reduction="none")

    model = tiny()
    objective = objective_of(model, data(), loss=loss, metrics={})
    calls.append(1)
    with pytest.raises(ForwardFailed, match=r"differentiating the loss.*not today"):
        rl.gradient(objective, model.state_dict())
    assert torch.is_grad_enabled()


def test_autocast_is_the_objectives():
    model, (x, y) = tiny().float(), data()
    lower = rl.Objective(model, (x, y), autocast=torch.bfloat16)
    found = rl.gradient(lower, model.state_dict())
    exact = rl.gradient(rl.Objective(model, (x, y)), model.state_dict())
    assert not torch.equal(found["0.weight"], exact["0.weight"])
    torch.testing.assert_close(flatten(found), flatten(exact), rtol=0.1, atol=0.01)


def test_threads_do_not_meet():
    model, pair = tiny(), data(64)
    objective = objective_of(model, pair)
    want, found = flatten(rl.gradient(objective, model.state_dict())), []

    def work():
        state = {n: x.clone() for n, x in model.state_dict().items()}
        found.append(flatten(rl.gradient(objective, state)))

    work()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    for each in found:
        np.testing.assert_array_equal(each, want)
