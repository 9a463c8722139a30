"""Products with the Hessian and the Gauss-Newton matrix, against autograd's own and curvlinops."""

import copy
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.sparse.linalg import eigsh
from torch import nn
from torch.func import functional_call

import ridgeline as rl
from objective.once import Once
from ridgeline.errors import DataError, NonFinite, StateMismatch, UsageError


def doubled(state):
    return {n: x.double() if x.is_floating_point() else x.clone() for n, x in state.items()}


def cross(outputs, targets):
    return F.cross_entropy(outputs.reshape(-1, outputs.shape[-1]), targets.reshape(-1))


def differences(operator, gradient, at, directions, step=1e-5):
    """Central differences of a gradient: what no rule of torch's for second derivatives is in."""
    columns = []
    for v in directions.T:
        ends = [operator.flatten(gradient(operator.unflatten(at + s * v))) for s in (step, -step)]
        columns.append((ends[0] - ends[1]) / (2 * step))
    return np.stack(columns, 1)


def dense(model, state, names, inputs, targets, mean=cross):
    """The Hessian by autograd, over the flat vector of some tensors."""
    model = copy.deepcopy(model).eval()
    sizes = [state[n].numel() for n in names]

    def value(flat):
        parts = flat.split(sizes)
        moving = {n: p.reshape(state[n].shape) for n, p in zip(names, parts, strict=True)}
        return mean(functional_call(model, {**state, **moving}, (inputs,)), targets)

    flat = torch.cat([state[n].flatten() for n in names])
    return torch.autograd.functional.hessian(value, flat).numpy()


def near(found, wanted, rtol=1e-8):
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=rtol * np.abs(wanted).max())


def seeded(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make().double()


def data(n=9, shape=(5,), classes=3):
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(n, *shape, generator=draw, dtype=torch.float64)
    return x, torch.randint(0, classes, (n,), generator=draw)


def objective_of(model, pair, **more):
    return rl.Objective(model, pair, dtype=torch.float64, **{"rows": 4, **more})


class Attention(nn.Module):
    def __init__(self, *, module=False):
        super().__init__()
        self.qkv = nn.Linear(4, 12)
        self.module = nn.MultiheadAttention(4, 2, batch_first=True) if module else None
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        if self.module is not None:
            return self.head(self.module(x, x, x)[0].mean(1))
        q, k, v = self.qkv(x)[:, None].chunk(3, -1)
        return self.head(F.scaled_dot_product_attention(q, k, v)[:, 0].mean(1))


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.inner, self.head = kind(4, 3, batch_first=True), nn.Linear(3, 3)

    def forward(self, x):
        return self.head(self.inner(x)[0][:, -1])


NETS = {
    "tanh": (lambda: nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)), (5,)),
    "layer norm, silu": (
        lambda: nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4), nn.SiLU(), nn.Linear(4, 3)),
        (5,),
    ),
    "group norm, gelu, pooling": (
        lambda: nn.Sequential(
            *(nn.Conv1d(2, 4, 2), nn.GroupNorm(2, 4), nn.GELU(), nn.MaxPool1d(2)),
            *(nn.Flatten(), nn.Linear(8, 3)),
        ),
        (2, 5),
    ),
    "batch norm": (
        lambda: nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Softplus(), nn.Linear(4, 3)),
        (5,),
    ),
    "weight norm": (
        lambda: nn.Sequential(
            nn.utils.parametrizations.weight_norm(nn.Linear(5, 4)), nn.ELU(), nn.Linear(4, 3)
        ),
        (5,),
    ),
    "attention": (Attention, (3, 4)),
    "attention of torch": (lambda: Attention(module=True), (3, 4)),
    "encoder": (
        lambda: nn.Sequential(
            nn.TransformerEncoderLayer(4, 2, 5, batch_first=True), nn.Flatten(), nn.Linear(12, 3)
        ),
        (3, 4),
    ),
    "lstm": (lambda: Recurrent(nn.LSTM), (3, 4)),
    "gru": (lambda: Recurrent(nn.GRU), (3, 4)),
    "dropout": (lambda: nn.Sequential(nn.Linear(5, 4), nn.Dropout(), nn.Linear(4, 3)), (5,)),
}


@pytest.mark.parametrize("name", list(NETS))
def test_the_hessian_is_the_derivative_of_the_gradient(name):
    make, shape = NETS[name]
    model, (x, y) = seeded(make), data(shape=shape)
    objective = objective_of(model, (x, y), statistics="keep")
    state = doubled(model.state_dict())
    found = rl.hessian(objective, state)
    gradient = lambda moved: rl.gradient(objective, state | moved)  # noqa: E731 (read in place)
    v = np.random.default_rng(0).standard_normal((found.shape[0], 2))
    near(found @ v, differences(found, gradient, found.flatten(state), v), 1e-7)


def test_an_operator_is_scipys_symmetric_and_takes_one_vector_or_several():
    model, (x, y) = seeded(NETS["tanh"][0]), data()
    found = rl.hessian(objective_of(model, (x, y)), model.state_dict())
    whole = dense(model, model.state_dict(), found.names, x, y)
    v = np.random.default_rng(0).standard_normal(39)
    assert found.shape == (39, 39)
    assert found.dtype == np.float64
    near(found @ v, whole @ v)
    near(found.T @ v, whole @ v)
    near(found.rmatmat(v[:, None]), (whole @ v)[:, None])
    near(eigsh(found, k=2, which="LA")[0], np.linalg.eigvalsh(whole)[-2:], rtol=1e-6)


def test_a_layers_names_give_its_block():
    model, (x, y) = seeded(NETS["tanh"][0]), data()
    found = rl.hessian(objective_of(model, (x, y)), model.state_dict(), names="2.weight")
    assert found.shape == (12, 12)
    near(found @ np.eye(12), dense(model, model.state_dict(), ["2.weight"], x, y))


def test_vectors_and_states_are_told_apart_and_carried_over():
    model, pair = seeded(NETS["tanh"][0]), data()
    objective, state = objective_of(model, pair), model.state_dict()
    found, slope = rl.hessian(objective, state), rl.gradient(objective, state)
    v = found.flatten(slope)
    near(v, rl.state.flatten(slope).numpy())
    assert all(torch.equal(x, slope[n]) for n, x in found.unflatten(v).items())
    near(found.flatten(found.product(slope)), found @ v)
    with pytest.raises(StateMismatch, match=r"2.bias"):
        found.flatten({n: x for n, x in slope.items() if n != "2.bias"})
    with pytest.raises(UsageError, match="as many entries"):
        found.unflatten(v[1:])


@pytest.mark.parametrize("weights", ["tokens", "samples"])
def test_means_are_the_objectives(weights):
    model = seeded(lambda: nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 4)))
    x, _ = data(6, (5, 3))
    y = torch.arange(30).reshape(6, 5) % 4
    y[0, 1:] = y[1, 2:] = y[2] = -100

    def mean(outputs, targets):
        if weights == "tokens":
            return cross(outputs, targets)
        counted = [i for i in range(6) if i != 2]
        return torch.stack([cross(outputs[i], targets[i]) for i in counted]).mean()

    found = rl.hessian(objective_of(model, (x, y), weights=weights), model.state_dict())
    near(found @ np.eye(28), dense(model, model.state_dict(), found.names, x, y, mean))


def weighed(outputs, targets):
    """Values, and weights that depend on the outputs."""
    return (outputs[:, 0] - targets).square(), outputs[:, 1].square() + 0.1


def weighed_mean(outputs, targets):
    values, weights = weighed(outputs, targets)
    return (values * weights).sum() / weights.sum()


def test_weights_that_depend_on_the_state_are_differentiated_too():
    model, (x, y) = seeded(NETS["tanh"][0]), data()
    objective = objective_of(model, (x, y.double()), loss=weighed)
    found = rl.hessian(objective, model.state_dict())
    near(
        found @ np.eye(39),
        dense(model, model.state_dict(), found.names, x, y.double(), weighed_mean),
    )


def test_gauss_newton_is_the_hessian_of_a_network_that_is_linear_in_its_weights():
    model, (x, y) = seeded(lambda: nn.Linear(5, 3)), data()
    for loss, targets, mean in (
        (rl.cross_entropy, y, cross),
        (weighed, y.double(), weighed_mean),
        (nn.MSELoss(), x[:, :3], F.mse_loss),
    ):
        objective = objective_of(model, (x, targets), loss=loss)
        found = rl.gauss_newton(objective, model.state_dict())
        whole = dense(model, model.state_dict(), found.names, x, targets, mean)
        near(found @ np.eye(18), whole)


def jacobians(model, state, names, x):
    sizes = [state[n].numel() for n in names]

    def outputs(flat):
        parts = flat.split(sizes)
        moving = {n: p.reshape(state[n].shape) for n, p in zip(names, parts, strict=True)}
        return functional_call(model, {**state, **moving}, (x,))

    return torch.autograd.functional.jacobian(
        outputs, torch.cat([state[n].flatten() for n in names])
    )


@pytest.mark.parametrize("name", [n for n in NETS if n != "dropout"])
def test_gauss_newton_is_the_mean_of_jacobians_about_the_losses_hessian(name):
    make, shape = NETS[name]
    model, (x, y) = seeded(make).eval(), data(shape=shape)
    state = doubled(model.state_dict())
    found = rl.gauss_newton(objective_of(model, (x, y), statistics="keep"), state)
    j = jacobians(model, state, found.names, x)
    p = model(x).detach().softmax(-1)
    h = torch.diag_embed(p) - p[:, :, None] * p[:, None]
    want = torch.einsum("ncd,nce,nef->df", j, h, j) / len(x)
    near(found @ np.eye(found.shape[0]), want.numpy())


def test_gauss_newton_of_outputs_in_a_dict_is_by_all_that_the_loss_looks_at():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(5, 1), nn.Linear(5, 1)

        def forward(self, x):
            return {"mean": self.one(x)[:, 0], "scale": self.two(x)[:, 0], "n": len(x)}

    def loss(outputs, targets):
        scaled = (outputs["mean"] - targets) * (-outputs["scale"]).exp()
        return scaled.square() + outputs["scale"]

    model, (x, y) = seeded(Two), data()
    objective = objective_of(model, (x, y.double()), loss=loss)
    found = rl.gauss_newton(objective, model.state_dict())
    mean = lambda outputs, targets: loss(outputs, targets).mean()  # noqa: E731 (read in place)
    near(found @ np.eye(12), dense(model, model.state_dict(), found.names, x, y.double(), mean))


class Complex(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(5, 3, dtype=torch.complex128))

    def forward(self, x):
        return (x.to(self.w.dtype) @ self.w).abs().square()


def test_complex_tensors_are_pairs_of_real_numbers_in_a_vector():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, (x, y) = Complex(), data()
    objective, state = objective_of(model, (x, y)), model.state_dict()
    found = rl.hessian(objective, state)
    assert found.shape == (30, 30)
    step, v = 1e-5, np.random.default_rng(0).standard_normal(30)
    away = {"w": step * found.unflatten(v)["w"]}
    slopes = [
        found.flatten(rl.gradient(objective, {"w": state["w"] + sign * away["w"]}))
        for sign in (1, -1)
    ]
    near(found @ v, (slopes[0] - slopes[1]) / (2 * step), rtol=1e-6)
    w, targets = torch.view_as_real(state["w"].detach()), y

    def value(w):
        return cross((x.to(torch.complex128) @ torch.view_as_complex(w)).abs().square(), targets)

    whole = torch.autograd.functional.hessian(value, w).reshape(30, 30).numpy()
    near(found @ np.eye(30), whole)


def test_curvature_of_a_mask_is_zero_where_it_is_infinite():
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(5, 3)
            self.register_buffer("mask", torch.tensor([0.0, 0.0, -torch.inf]))

        def forward(self, x):
            return (self.inner(x) + self.mask).softmax(-1)

    model, pair = seeded(Masked), data()
    for of in (rl.hessian, rl.gauss_newton):
        found = of(objective_of(model, pair), model.state_dict()) @ np.eye(21)
        assert np.isfinite(found).all()
        still = found.shape[0] - 1 if list(model.state_dict())[-1] == "mask" else 2
        assert not found[still].any()
        assert found[:2].any()


def test_recomputed_statistics_are_gathered_once_and_stand():
    model, (x, y) = seeded(NETS["batch norm"][0]), data(16)
    objective, state = objective_of(model, (x, y)), doubled(model.state_dict())
    fresh = objective.recomputed(objective.tensors(state))
    found = rl.hessian(objective, state)
    near(found @ np.eye(found.shape[0]), dense(model, state | fresh, found.names, x, y))


def test_a_network_and_loss_of_straight_pieces_have_no_curvature():
    model, (x, _) = seeded(lambda: nn.Linear(5, 2)), data()
    objective = objective_of(model, (x, x[:, :2] + 9), loss=nn.L1Loss())
    for of in (rl.hessian, rl.gauss_newton):
        assert not (of(objective, model.state_dict()) @ np.ones((12, 2))).any()


def test_single_precision_and_batches():
    model, (x, y) = seeded(NETS["tanh"][0]).float(), data()
    objective = rl.Objective(model, (x, y))
    batch = objective.samples[2:6]
    found = rl.hessian(objective, model.state_dict(), batch=batch)
    assert (found @ np.ones(39)).dtype == np.float32
    state = doubled(model.state_dict())
    whole = dense(model.double(), state, found.names, x[2:6].float().double(), y[2:6])
    near(found @ np.eye(39, dtype=np.float32), whole, rtol=1e-4)


def curvlinops():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what it imports
        import curvlinops as found

    return found


@pytest.mark.parametrize("kind", ["hessian", "gauss_newton"])
def test_products_are_those_of_curvlinops(kind):
    theirs = curvlinops()
    model, (x, y) = seeded(NETS["batch norm"][0]).eval(), data(23)
    of = {"hessian": theirs.HessianLinearOperator, "gauss_newton": theirs.GGNLinearOperator}[kind]
    parameters = dict(model.named_parameters())
    batches = [(x[:10], y[:10]), (x[10:], y[10:])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's older interfaces
        other = of(model, nn.CrossEntropyLoss(), list(parameters.values()), batches)
        v = torch.randn(
            other.shape[1], 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64
        )
        want = (other @ v).numpy()
    found = getattr(rl, kind)(objective_of(model, (x, y), statistics="keep"), model.state_dict())
    assert found.names == tuple(parameters)
    near(found @ v.numpy(), want)


# --- refusals -----------------------------------------------------------------------------------


class Twice(torch.autograd.Function):
    """A function of one's own, without a forward derivative."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0]


def test_gauss_newton_goes_backwards_where_an_operation_has_no_forward_derivative():
    class Squared(nn.Linear):
        def forward(self, x):
            return Twice.apply(super().forward(x))

    class Plain(nn.Linear):
        def forward(self, x):
            return super().forward(x).square()

    (x, y), v = data(), np.random.default_rng(0).standard_normal((18, 2))
    state = seeded(lambda: nn.Linear(5, 3)).state_dict()
    found, want = (
        rl.gauss_newton(objective_of(kind(5, 3).double(), (x, y)), state)
        for kind in (Squared, Plain)
    )
    near(found @ v, want @ v)
    near(found @ v[:, 0], want @ v[:, 0])


def test_an_operation_without_a_second_derivative_is_named():
    class Squared(nn.Linear):
        def forward(self, x):
            return Once.apply(super().forward(x))

    model, pair = Squared(5, 3).double(), data()
    for of in (rl.hessian, rl.gauss_newton):
        found = of(objective_of(model, pair), model.state_dict())
        with pytest.raises(UsageError, match=r"the derivative that is asked for.*once_diff"):
            found @ np.ones(18)


def test_an_error_has_no_curvature():
    model, pair = seeded(NETS["tanh"][0]), data()
    objective = objective_of(model, pair, loss=rl.error)
    for of in (rl.hessian, rl.gauss_newton):
        with pytest.raises(UsageError, match="smooth loss"):
            of(objective, model.state_dict()) @ np.ones(39)


def test_half_precision_has_vectors_in_single():
    model, (x, y) = seeded(NETS["tanh"][0]).bfloat16(), data()
    objective = rl.Objective(model, (x.bfloat16(), y), dtype=torch.bfloat16)
    found = rl.hessian(objective, model.state_dict()) @ np.ones(39)
    assert found.dtype == np.float32
    whole = dense(model.double(), doubled(model.state_dict()), dict(model.named_parameters()),
                  x.bfloat16().double(), y).sum(1)  # fmt: skip
    assert np.corrcoef(found, whole)[0, 1] > 0.99


def test_a_complex_vector_is_refused():
    model, pair = seeded(NETS["tanh"][0]), data()
    found = rl.hessian(objective_of(model, pair), model.state_dict())
    with pytest.raises(UsageError, match=r"Vectors are real.*Got a vector of complex128"):
        found @ np.ones(39, complex)


def test_nothing_that_counts_and_products_that_are_not_finite_are_refused():
    model, (x, y) = seeded(NETS["tanh"][0]), data()
    objective = objective_of(model, (x, torch.where(torch.arange(9) < 4, -100, y)))
    with pytest.raises(DataError, match="that counts"):
        rl.hessian(objective, model.state_dict(), batch=objective.samples[:4]) @ np.ones(39)
    with pytest.raises(NonFinite, match="product with a vector"):
        rl.hessian(objective, model.state_dict()) @ np.full(39, np.nan)
