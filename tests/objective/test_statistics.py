"""Running statistics: recomputed where calibration reaches, the state's own elsewhere."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import TensorDataset

import ridgeline as rl
from ridgeline import state as states
from ridgeline.objective import Objective

X = torch.randn(40, 5, generator=torch.Generator().manual_seed(0)).double() * 2 + 1
Y = torch.arange(40) % 3


def seeded(make, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make().double()


def lived(model, x=X, times=20):
    """With statistics that some training gathered."""
    model.train()
    for _ in range(times):
        model(x)
    return states.capture(model)


def own(model, state, x=X):
    model.load_state_dict(state)
    model.eval()
    with torch.no_grad():
        return F.cross_entropy(model(x), Y, reduction="none")


def images(norm):
    return lambda: nn.Sequential(
        nn.Conv2d(3, 4, 3), norm, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )


PICTURES = torch.randn(40, 3, 6, 6, generator=torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize("momentum", [0.1, None])
def test_instance_norm_is_recomputed_like_batch_norm(momentum):
    norm = nn.InstanceNorm2d(4, affine=True, track_running_stats=True, momentum=momentum)
    model = seeded(images(norm))
    goal = Objective(model, (PICTURES, Y), dtype=torch.float64, calibration_rows=9)
    state = states.capture(model)
    fresh = goal.recomputed(goal.tensors(state))
    with torch.no_grad():
        h = model[0](PICTURES)
        # Each batch's mean of its samples' own statistics; five equal batches of eight.
        mean = h.mean((2, 3)).mean(0)
        var = h.var((2, 3), unbiased=True).mean(0)
    assert torch.allclose(fresh["1.running_mean"], mean, atol=1e-12)
    assert torch.allclose(fresh["1.running_var"], var, atol=1e-12)
    assert norm.momentum == momentum


class Auxiliary(nn.Module):
    """A head that is asked in training alone."""

    def __init__(self):
        super().__init__()
        self.f, self.n, self.h = nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)
        self.an, self.ah = nn.BatchNorm1d(6), nn.Linear(6, 3)

    def forward(self, x):
        z = F.relu(self.n(self.f(x)))
        if self.training:
            self.ah(self.an(z))
        return self.h(z)


class Frozen(nn.Module):
    """A layer that stays in evaluation mode when the network trains."""

    def __init__(self):
        super().__init__()
        self.f, self.n, self.h = nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)

    def train(self, mode=True):
        super().train(mode)
        self.n.eval()
        return self

    def forward(self, x):
        return self.h(F.relu(self.n(self.f(x))))


class Constant(nn.BatchNorm1d):
    """A subclass that updates nothing."""

    def forward(self, x):
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias)


class OwnMomentum(nn.BatchNorm1d):
    """A subclass that averages with 0.1, whatever its momentum is set to."""

    def forward(self, x):
        held = self.running_mean, self.running_var, self.weight, self.bias
        return F.batch_norm(x, *held, self.training, 0.1, self.eps)


class Skipped(nn.Module):
    """Batch normalisation whose numbers are used, without its code being called."""

    def __init__(self):
        super().__init__()
        self.f, self.n, self.h = nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)

    def forward(self, x):
        n = self.n
        z = self.f(x)
        return self.h((z - n.running_mean) / (n.running_var + n.eps).sqrt() * n.weight + n.bias)


def constant():
    return nn.Sequential(nn.Linear(5, 6), Constant(6), nn.ReLU(), nn.Linear(6, 3))


def own_momentum():
    return nn.Sequential(nn.Linear(5, 6), OwnMomentum(6), nn.ReLU(), nn.Linear(6, 3))


KEPT = {
    "own momentum": (own_momentum, "1", "averaged with a momentum of its own"),
    "auxiliary": (Auxiliary, "an", "not reached, or not updated"),
    "frozen": (Frozen, "n", "frozen: in evaluation mode"),
    "constant": (constant, "1", "not reached, or not updated"),
    "skipped": (Skipped, "n", "not reached, or not updated"),
}


@pytest.mark.parametrize("name", list(KEPT))
def test_layers_that_calibration_does_not_change_keep_the_states_own(name):
    make, layer, why = KEPT[name]
    model = seeded(make)
    state = lived(model)
    state[f"{layer}.running_var"] = torch.linspace(1, 2, 6).double()
    state[f"{layer}.num_batches_tracked"] = torch.tensor(7)
    goal = Objective(model, (X, Y), dtype=torch.float64)
    for part in ("running_mean", "running_var", "num_batches_tracked"):
        after = {**state, **goal.recomputed(goal.tensors(state))}
        assert torch.equal(after[f"{layer}.{part}"], state[f"{layer}.{part}"])
    assert list(goal.provenance()["kept statistics"]) == [layer]
    assert why in goal.provenance()["kept statistics"][layer]
    assert f"{layer} ({goal.kept_statistics[layer]})" in goal.notes[-1]
    if name != "auxiliary":  # nothing is left to recompute: the loss is that of a plain loop
        assert torch.allclose(goal(state)["loss"], own(seeded(make), state), atol=1e-12)


def test_a_layer_that_was_frozen_by_hand_keeps_its_own():
    model = seeded(lambda: nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)))
    lived(model)
    model[1].eval()
    assert "1" in Objective(model, (X, Y)).kept_statistics
    assert not Objective(model.eval(), (X, Y)).kept_statistics  # all are: none is frozen


@pytest.mark.parametrize("name", list(KEPT))
def test_a_repair_of_statistics_writes_no_zeros(name):
    make, layer, _ = KEPT[name]
    ends = [lived(seeded(make, seed), X * (seed + 1)) for seed in (0, 1)]
    goal = Objective(seeded(make), (X, Y), dtype=torch.float64)
    plain = rl.midpoint(*ends)
    made = rl.midpoint(*ends, goal, repair=rl.Repair(data=X, kind="statistics"))
    for part in ("running_mean", "running_var"):
        assert torch.equal(made[f"{layer}.{part}"], plain[f"{layer}.{part}"])


@pytest.mark.parametrize("settings", [{"affine": False}, {"momentum": None}, {"momentum": 0.9}])
def test_settings_of_batch_norm_do_not_matter(settings):
    net = seeded(lambda: nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3, **settings)))
    goal = Objective(net, (X, Y), dtype=torch.float64)
    with torch.no_grad():
        h = net[0](X)
        norm = (h - h.mean(0)) / (h.var(0) + net[1].eps).sqrt()
    for _ in range(2):
        assert torch.allclose(
            goal(states.capture(net))["loss"], F.cross_entropy(norm, Y, reduction="none")
        )


def test_statistics_that_a_layer_assigns_are_recomputed_too():
    class Assigning(nn.BatchNorm1d):
        def forward(self, x):
            mean, var = self.running_mean, self.running_var
            if self.training:
                mean, var = x.mean(0), x.var(0)
                self.running_mean = torch.lerp(self.running_mean, mean, self.momentum)
                self.running_var = torch.lerp(self.running_var, var, self.momentum)
            return (x - mean) / (var + self.eps).sqrt()

    model = seeded(lambda: nn.Sequential(nn.Linear(5, 3), Assigning(3)))
    goal = Objective(model, (X, Y), dtype=torch.float64, calibration_rows=20)
    fresh = goal.recomputed(goal.tensors(states.capture(model)))
    with torch.no_grad():
        h = model[0](X)
    assert torch.allclose(fresh["1.running_mean"], h.mean(0), atol=1e-12)
    assert torch.allclose(fresh["1.running_var"], (h[:20].var(0) + h[20:].var(0)) / 2, atol=1e-12)
    assert not goal.kept_statistics


def test_a_layer_that_is_called_twice_averages_both():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.n, self.h = nn.BatchNorm1d(5), nn.Linear(5, 3)

        def forward(self, x):
            return self.h(self.n(self.n(x) * 3 + 2))

    model = seeded(Twice)
    goal = Objective(model, (X, Y), dtype=torch.float64)
    fresh = goal.recomputed(goal.tensors(states.capture(model)))
    first = (X - X.mean(0)) / (X.var(0, unbiased=False) + model.n.eps).sqrt()
    mean = (X.mean(0) + (first * 3 + 2).mean(0)) / 2
    assert torch.allclose(fresh["n.running_mean"], mean, atol=1e-12)
    assert int(fresh["n.num_batches_tracked"]) == 2


def test_statistics_that_are_not_finite_are_recomputed_too():
    model = seeded(lambda: nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 3)))
    state = states.capture(model)
    want = Objective(model, (X, Y), dtype=torch.float64)(state)["loss"]
    spoilt = {**state, "0.running_var": torch.full((5,), torch.inf).double()}
    assert torch.equal(Objective(model, (X, Y), dtype=torch.float64)(spoilt)["loss"], want)


class Own(nn.Module):
    """No subclass of torch's."""

    def __init__(self, n=6):
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(n))
        self.register_buffer("running_var", torch.ones(n))

    def forward(self, x):
        return (x - self.running_mean) / (self.running_var + 1e-5).sqrt()


class Moving(Own):
    """Under the names of other libraries."""

    def __init__(self, n=6):
        nn.Module.__init__(self)
        self.register_buffer("moving_mean", torch.zeros(n))

    def forward(self, x):
        return x - self.moving_mean


def test_statistics_of_other_names_are_named_too():
    model = seeded(lambda: nn.Sequential(nn.Linear(5, 6), Moving(), nn.Linear(6, 3)))
    assert list(Objective(model, (X, Y)).provenance()["kept statistics"]) == ["1"]


def test_a_normalisation_of_ones_own_is_named():
    model = seeded(lambda: nn.Sequential(nn.Linear(5, 6), Own(), nn.Linear(6, 3)))
    goal = Objective(model, (X, Y), dtype=torch.float64)
    about = goal.provenance()
    assert about["statistics"] == "keep"
    assert about["kept statistics"] == {"1": "Own is no layer of torch's that gathers any"}
    assert torch.allclose(goal(states.capture(model))["loss"], own(model, states.capture(model)))


# --- what is calibrated on ---------------------------------------------------------------------


def normed():
    return seeded(lambda: nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)))


TRAIN = X.flip(0) * 3


@pytest.mark.parametrize(
    "given",
    [
        {"test": (X, Y), "train": (TRAIN, Y)},
        {"train": TRAIN},
        {"train": TensorDataset(TRAIN, Y), "test": TensorDataset(X, Y)},
        TRAIN,
    ],
)
def test_of_several_splits_the_training_data_calibrate(given):
    model = normed()
    state = states.capture(model)
    goal = Objective(model, (X, Y), calibration=given, dtype=torch.float64)
    fresh = goal.recomputed(goal.tensors(state))
    with torch.no_grad():
        assert torch.allclose(fresh["1.running_mean"], model[0](TRAIN).mean(0))
    assert not goal.notes and repr(goal).endswith("statistics='recompute' on calibration data)")


def test_calibration_on_what_is_measured_is_told():
    goal = Objective(normed(), (X, Y))
    assert repr(goal).endswith("statistics='recompute' on the objective's own inputs)")
    assert "recomputed on the samples that are measured" in goal.notes[0]
    assert goal.provenance()["notes"] == list(goal.notes)
    kept = Objective(normed(), (X, Y), statistics="keep")
    assert not kept.notes and "notes" not in kept.provenance()


def test_where_one_split_is_train_all_are_calibrated_on_it():
    model = normed()
    ends = [states.capture(model), states.scale(states.capture(model), 1.5)]
    train, test = (Objective(model, (x, Y), dtype=torch.float64) for x in (TRAIN, X))
    found = rl.profile(rl.Line(*ends), {"test": test, "train": train}, points=3)
    want = Objective(model, (X, Y), calibration=TRAIN, dtype=torch.float64)
    means = [float(want(rl.Line(*ends)(t))["loss"].mean()) for t in (0, 0.5, 1)]
    assert found.curve(split="test").mean == pytest.approx(means)
    on = found.provenance["splits"]["test"]["objective"]["calibration"]["on"]
    assert on == "calibration data" and test.calibration_data is None
