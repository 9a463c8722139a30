import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from repairs.networks import Convolutions, Normalised, Odd, Tied, mlp, objective, spread
from ridgeline import state as states
from ridgeline.errors import NonFinite, UnknownName, UsageError
from ridgeline.merging import merge
from ridgeline.nets import resnet20
from ridgeline.objective.statistics import recompute
from ridgeline.paths import Line
from ridgeline.profiles import profile
from ridgeline.repairs import Repair, calibrated, collapse, midpoint, repaired, repaired_among
from ridgeline.repairs.running import Graphs, Run, each
from ridgeline.repairs.sites import sites

CASES = {
    "mlp": (lambda: mlp(4, 9, 7, 3), (4,)),
    "odd": (Odd, (5,)),
    "convolutions": (Convolutions, (2, 6, 6)),
    "sequence": (lambda: nn.Sequential(mlp(4, 6, 5), Mean()), (3, 4)),
    "layer norm": (lambda: nn.Sequential(mlp(4, 6), nn.LayerNorm(6), mlp(6, 3)).double(), (4,)),
    "residual": (lambda: resnet20(width=2, norm=None).double(), (3, 8, 8)),
    "batch norm": (Normalised, (2, 7, 7)),
}


class Mean(nn.Module):
    def forward(self, x):
        return x.mean(1)


def case(name, n=45, **settings):
    torch.manual_seed(3)
    make, shape = CASES[name]
    model = make()
    a, b = spread(model, 1, 0.2), spread(model, 2, 0.2)
    goal = objective(model, torch.randn(n, *shape).double(), **settings)
    return model, a, b, goal


def seen(goal, state):
    """Mean and deviation of each channel of each layer, from values of the whole sample."""
    graphs = Graphs(goal, goal.samples)
    layers = sites(graphs.trace)
    values = {s.value: [] for s in layers}
    with torch.no_grad():
        for value, (x,) in each(graphs, [goal.tensors(state)], list(values)):
            values[value].append(x)
    out = {}
    for s in layers:
        x = torch.cat(values[s.value]).movedim(s.axis, -1).flatten(0, -2)
        out[s.weight] = (s, x.mean(0), x.std(0, correction=0))
    return out


@pytest.mark.parametrize("name", CASES)
def test_the_fused_state_has_the_statistics_between_the_ends(name):
    _, a, b, goal = case(name, statistics="keep")
    t = 0.3
    state = repaired(states.lerp(a, b, t), a, b, t, goal)
    of_a, of_b = seen(goal, a), seen(goal, b)
    for weight, (site, mean, deviation) in seen(goal, state).items():
        if site.can in ("mean and deviation", "deviation"):
            wanted = (1 - t) * of_a[weight][2] + t * of_b[weight][2]
            torch.testing.assert_close(deviation, wanted, rtol=1e-9, atol=1e-10)
        if site.can == "mean and deviation":
            wanted = (1 - t) * of_a[weight][1] + t * of_b[weight][1]
            torch.testing.assert_close(mean, wanted, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_values_held_or_computed_anew_give_the_same(name):
    _, a, b, goal = case(name)
    repairer = Repair().between(a, b, goal)
    kept = repairer.correction(states.lerp(a, b, 0.4), 0.4)
    repairer.graphs.needed = 2**60
    anew = repairer.correction(states.lerp(a, b, 0.4), 0.4)
    for p, q in zip(kept.layers, anew.layers, strict=True):
        assert torch.equal(p.scale, q.scale) and torch.equal(p.shift, q.shift)
    assert all(torch.equal(x, anew.statistics[n]) for n, x in kept.statistics.items())


def authors_way(model, a, b, x, t):
    """Jordan et al.'s code on a chain of linear layers: track, reset, fuse; one batch."""

    def outputs(net, values):
        out = []
        for layer in net:
            values = layer(values)
            if isinstance(layer, nn.Linear):
                out.append(values)
        return out

    def loaded(state):
        net = mlp(*(m.in_features for m in model if isinstance(m, nn.Linear)), 3)
        net.load_state_dict(state)
        return net

    goals = []
    for p, q in zip(outputs(loaded(a), x), outputs(loaded(b), x), strict=True):
        mean = (1 - t) * p.mean(0) + t * q.mean(0)
        goals.append((mean, (1 - t) * p.std(0, correction=0) + t * q.std(0, correction=0)))
    net = loaded(states.lerp(a, b, t))
    wanted = iter(goals)
    values = x
    for layer in net:
        if isinstance(layer, nn.Linear):
            mean, deviation = next(wanted)
            plain = layer(values)
            gamma = deviation / plain.std(0, correction=0)
            layer.bias.data = mean + gamma * (layer.bias.data - plain.mean(0))
            layer.weight.data = gamma[:, None] * layer.weight.data
        values = layer(values)
    return net.state_dict()


def test_the_authors_way_gives_the_same_state():
    model, a, b, goal = case("mlp")
    with torch.no_grad():
        reference = authors_way(model, a, b, goal.samples.inputs, 0.35)
    state = repaired(states.lerp(a, b, 0.35), a, b, 0.35, goal)
    for name, x in reference.items():
        torch.testing.assert_close(state[name], x, rtol=1e-9, atol=1e-11)


def test_the_fused_state_computes_what_the_corrected_network_does():
    model, a, b, goal = case("convolutions")
    middle = states.lerp(a, b, 0.5)
    repairer = Repair().between(a, b, goal)
    correction = repairer.correction(middle, 0.5)
    run = Run(repairer.graphs, goal.tensors(middle))
    run.changes = {layer.site.value: layer for layer in correction.layers}
    with torch.no_grad():
        corrected = torch.cat(list(run.at(repairer.sites[-1].value)))
        plain = functional_call(model, repairer(middle, 0.5), (goal.samples.inputs,))
    torch.testing.assert_close(plain, corrected, rtol=1e-6, atol=1e-9)


def test_the_ends_are_given_back_as_they_are():
    _, a, b, goal = case("batch norm")
    for kind in ("forward", "closed-form", "statistics"):
        repairer = Repair(kind=kind).between(a, b, goal)
        for t, end in ((0, a), (1, b)):
            assert all(x is end[n] for n, x in repairer(end, t).items())


def test_what_is_given_is_left_alone():
    model, a, b, goal = case("batch norm")
    middle = states.lerp(a, b, 0.5)
    copies = [states.cast(s, torch.float64) for s in (model.state_dict(), a, b, middle)]
    copies = [{n: x.clone() for n, x in s.items()} for s in copies]
    draws = torch.get_rng_state()
    repaired(middle, a, b, 0.5, goal)
    for before, after in zip(copies, (model.state_dict(), a, b, middle), strict=True):
        assert all(torch.equal(x, after[n]) for n, x in before.items())
    assert torch.equal(draws, torch.get_rng_state())


# --- closed form ---------------------------------------------------------------------------


def test_closed_form_is_exact_for_layers_that_read_the_data():
    class Sides(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(4, 3), nn.Linear(4, 3)

        def forward(self, x):
            return self.left(x) + self.right(x)

    torch.manual_seed(0)
    model = Sides().double()
    a, b = spread(model, 1), spread(model, 2)
    goal = objective(model, torch.randn(45, 4).double() + 2)
    for t in (0.2, 0.5):
        middle = states.lerp(a, b, t)
        once = repaired(middle, a, b, t, goal, Repair(kind="closed-form"))
        exact = repaired(middle, a, b, t, goal)
        for name, x in exact.items():
            torch.testing.assert_close(once[name], x, rtol=1e-9, atol=1e-12)


def test_closed_form_is_exact_in_a_deep_linear_network_corrected_at_its_first_moving_layer():
    """Layers that do not move and are not corrected pass on what the formula expects."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 5), nn.Linear(5, 3)).double()
    a, b = spread(model, 1), spread(model, 2)
    b |= {n: a[n] for n in a if not n.startswith("1.")}
    goal = objective(model, torch.randn(45, 4).double())
    middle = states.lerp(a, b, 0.4)
    at = ["0", "1"]
    once = repaired(middle, a, b, 0.4, goal, Repair(kind="closed-form", at=at))
    exact = repaired(middle, a, b, 0.4, goal, Repair(at=at))
    for name, x in exact.items():
        torch.testing.assert_close(once[name], x, rtol=1e-9, atol=1e-11)


def test_equal_ends_need_no_correction():
    for kind in ("forward", "closed-form"):
        _, a, _, goal = case("mlp")
        state = repaired(a, a, dict(a), 0.5, goal, Repair(kind=kind))
        assert all(torch.allclose(x, a[n], rtol=1e-9, atol=1e-12) for n, x in state.items())


# --- statistics ----------------------------------------------------------------------------


def test_statistics_are_those_of_the_policy():
    model, a, b, goal = case("batch norm", statistics="keep", calibration_rows=13)
    middle = states.lerp(a, b, 0.5)
    state = repaired(middle, a, b, 0.5, goal, Repair(kind="statistics"))
    policy = recompute(goal.network, goal.tensors(middle), goal.samples, 13)
    assert set(policy) == {n for n in middle if not torch.equal(middle[n], state[n])}
    assert all(torch.equal(x, state[n]) for n, x in policy.items())


def test_statistics_of_the_forward_repair_are_those_that_the_fused_network_sees():
    """They are the policy's for the first; later ones differ by the unbiased variance.

    The policy normalises a batch by its own variance, divided by n; the network in use by the
    running one, divided by n - 1, and so do later layers' statistics here.
    """
    model, a, b, goal = case("batch norm", calibration_rows=1000)
    middle = states.lerp(a, b, 0.5)
    state = repaired(middle, a, b, 0.5, goal)
    policy = recompute(goal.network, goal.tensors(state), goal.samples, 1000)
    for part in ("running_mean", "running_var"):
        first, second = f"norm.{part}", f"again.{part}"
        torch.testing.assert_close(state[first], policy[first], rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(state[second], policy[second], rtol=3e-3, atol=3e-3)
    hidden = []
    hook = model.more.register_forward_hook(lambda m, i, o: hidden.append(o))
    with torch.no_grad():
        functional_call(model.eval(), state, (goal.samples.inputs,))
    hook.remove()
    seen_there = hidden[0].movedim(1, -1).flatten(0, -2)
    torch.testing.assert_close(state["again.running_mean"], seen_there.mean(0))
    torch.testing.assert_close(state["again.running_var"], seen_there.var(0))


def test_after_the_closed_form_statistics_are_the_policys():
    model, a, b, goal = case("batch norm", calibration_rows=13)
    state = repaired(states.lerp(a, b, 0.5), a, b, 0.5, goal, Repair(kind="closed-form"))
    policy = recompute(goal.network, goal.tensors(state), goal.samples, 13)
    for name, x in policy.items():
        torch.testing.assert_close(state[name], x, rtol=1e-9, atol=1e-12)


def test_a_resnet_is_reset_and_its_last_layer_repaired():
    model = resnet20(width=2, norm="batch").double()
    a, b = spread(model, 1, 0.1), spread(model, 2, 0.1)
    goal = objective(model, torch.randn(40, 3, 8, 8).double(), calibration_rows=100)
    repairer = Repair().between(a, b, goal)
    assert [s.weight for s in repairer.sites] == ["fc.weight"]
    state = repairer(states.lerp(a, b, 0.5), 0.5)
    policy = recompute(goal.network, goal.tensors(state), goal.samples, 100)
    name = "bn1.running_var"
    torch.testing.assert_close(state[name], policy[name], rtol=1e-8, atol=1e-12)
    name = "layer3.2.bn2.running_var"
    torch.testing.assert_close(state[name], policy[name], rtol=0.1, atol=1e-12)


# --- what cannot be corrected --------------------------------------------------------------


def test_layers_without_bias_have_their_deviation_set_and_are_named():
    model = mlp(4, 6, 3, bias=False)
    a, b = spread(model, 1), spread(model, 2)
    goal = objective(model, torch.randn(45, 4).double())
    repairer = Repair().between(a, b, goal)
    state = repairer(states.lerp(a, b, 0.5), 0.5)
    assert set(state) == set(a)
    assert repairer.provenance()["deviation only"] == ["0.weight", "2.weight"]
    of_a, of_b = seen(goal, a), seen(goal, b)
    for weight, (_, _, deviation) in seen(goal, state).items():
        torch.testing.assert_close(deviation, (of_a[weight][2] + of_b[weight][2]) / 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["forward", "closed-form"])
def test_dead_units_stay_finite(kind, dtype):
    model = mlp(4, 6, 3)
    a, b = spread(model, 1), spread(model, 2)
    a["0.weight"][0] = b["0.weight"][0] = 0  # constant in both
    a["0.weight"][1], b["0.weight"][1] = 1, -1  # varies in both, cancels halfway
    a["2.weight"][:] = b["2.weight"][:] = 0
    a, b = states.cast(a, dtype), states.cast(b, dtype)
    goal = objective(model, torch.randn(45, 4).double(), dtype=dtype)
    repairer = Repair(kind=kind).between(a, b, goal)
    state = repairer(states.lerp(a, b, 0.5), 0.5)
    assert all(bool(x.isfinite().all()) for x in state.values())
    assert state["0.weight"][0].abs().max() == 0
    assert state["0.weight"][1].abs().max() < 1e-3
    _, mean, _ = seen(goal, state)["0.weight"]
    wanted = repairer.goal(repairer.sites[0], 0.5)[0]
    torch.testing.assert_close(mean.double(), wanted, rtol=1e-4, atol=1e-5)


def test_ties_stay_and_the_rest_is_corrected():
    torch.manual_seed(0)
    model = Tied()
    a, b = (spread(model, s) for s in (1, 2))
    for s in (a, b):
        s["write.weight"] = s["read.weight"]
    goal = objective(model, torch.randint(7, (40, 5)))
    repairer = Repair().between(a, b, goal)
    state = repairer(states.lerp(a, b, 0.5), 0.5)
    assert [s.weight for s in repairer.sites] == ["once.weight"]
    assert state["write.weight"] is state["read.weight"]
    assert set(repairer.provenance()["left"]) == {"twice.weight", "read.weight"}


def test_refusals():
    _, a, b, goal = case("mlp")
    with pytest.raises(UnknownName):
        Repair(kind="reset")  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(UnknownName):
        Repair(at=["nowhere"]).between(a, b, goal)
    with pytest.raises(UsageError, match="between the ends"):
        Repair().between(a, b, goal)(states.lerp(a, b, 1.5), 1.5)
    with pytest.raises(UsageError, match="running statistics"):
        Repair(kind="statistics").between(a, b, goal)
    with pytest.raises(UsageError, match="objective"):
        midpoint(a, b, repair=Repair())
    with pytest.raises(UsageError, match="all together"):
        Repair(kind="statistics", at="0")


def test_half_precision_states_keep_their_type():
    model, a, b, goal = case("mlp", dtype=torch.float32)
    a, b = states.cast(a, torch.float16), states.cast(b, torch.float16)
    state = midpoint(a, b, goal, repair=Repair())
    assert {x.dtype for x in state.values()} == {torch.float16}


# --- along a path --------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["auto", "loop", "batched", "shared"])
@pytest.mark.parametrize("name", ["mlp", "convolutions"])
def test_a_repaired_profile_is_that_of_repaired_states(name, strategy):
    _, a, b, goal = case(name)
    # What the engine shares is what is not corrected.
    at = {"mlp": ["2"], "convolutions": ["grouped"]}[name] if strategy == "shared" else None
    repair = Repair(data=torch.randn(30, *CASES[name][1]), at=at)
    t = np.linspace(0, 1, 5)
    found = profile(Line(a, b), goal, points=t, strategy=strategy, repair=repair)
    plain = profile(Line(a, b), goal, points=t, strategy="loop")
    mean = found.curve().mean
    for k, s in enumerate(t):
        state = repaired(states.lerp(a, b, float(s)), a, b, float(s), goal, repair)
        assert mean[k] == pytest.approx(float(goal(state)["loss"].mean()), rel=1e-9)
    assert mean[0] == pytest.approx(plain.curve().mean[0], rel=1e-14)
    assert mean[2] != pytest.approx(plain.curve().mean[2], rel=1e-7)
    policy = found.provenance["splits"]["data"]["repair"]
    assert policy["kind"] == "forward" and policy["samples"] == 30
    assert "repair" not in plain.provenance["splits"]["data"]


def test_a_profile_with_kept_statistics_and_repaired_ones_is_the_recomputed_one():
    model, a, b, kept = case("batch norm", statistics="keep", calibration_rows=20)
    inputs, targets = kept.samples.inputs, kept.samples.targets
    anew = type(kept)(model, (inputs, targets), rows=16, calibration_rows=20)
    repair = Repair(kind="statistics")
    p = profile(Line(a, b), kept, points=5, repair=repair).curve().mean
    q = profile(Line(a, b), anew, points=5).curve().mean
    np.testing.assert_allclose(p[1:-1], q[1:-1], rtol=1e-10)
    r = profile(Line(a, b), anew, points=5, repair=repair).curve().mean
    np.testing.assert_allclose(r, q, rtol=1e-10)


def test_outside_of_the_ends_there_is_no_repair():
    _, a, b, goal = case("mlp")
    with pytest.raises(UsageError):
        profile(Line(a, b), goal, points=[0, 1.2], extrapolate=True, repair=Repair())


def test_statistics_that_a_repair_sets_are_not_recomputed_over_it():
    model, a, b, kept = case("batch norm", statistics="keep")
    anew = type(kept)(model, (kept.samples.inputs, kept.samples.targets), rows=16)
    repair = Repair(data=torch.randn(20, *CASES["batch norm"][1]))  # others than the objective's
    found = profile(Line(a, b), anew, points=3, repair=repair).curve().mean
    state = repaired(states.lerp(a, b, 0.5), a, b, 0.5, anew, repair)
    assert found[1] == pytest.approx(float(kept(state)["loss"].mean()), rel=1e-9)
    plain = profile(Line(a, b), anew, points=3).curve().mean
    np.testing.assert_allclose(found[[0, 2]], plain[[0, 2]], rtol=1e-12)
    seen = collapse(a, b, anew, [0.5], repair=repair)
    of_state = collapse(state, state, kept, [0.5])
    np.testing.assert_allclose(seen.variance, of_state.variance, rtol=1e-9)
    hot = calibrated(Line(a, b), anew, points=3, repair=repair)
    assert hot.before[1] == pytest.approx(found[1], rel=1e-9)


def test_a_repair_is_on_the_calibration_data_if_there_are_any():
    model, a, b, _ = case("mlp")
    train, test = torch.randn(40, 4).double(), torch.randn(9, 4).double()
    split = {
        n: objective(model, x, calibration=train) for n, x in (("train", train), ("test", test))
    }
    found = profile(Line(a, b), split, points=3, repair=Repair())
    policies = [found.provenance["splits"][n]["repair"] for n in split]
    assert policies[0] == policies[1]
    assert policies[0]["on"] == "calibration data" and policies[0]["samples"] == 40
    named = profile(Line(a, b), split, points=3, repair=Repair(data=train))
    assert named.curve(split="test").mean[1] == found.curve(split="test").mean[1]


def test_splits_are_of_one_repaired_network():
    model, a, b, _ = case("mlp")
    own = {n: objective(model, torch.randn(9, 4).double()) for n in ("train", "test")}
    with pytest.raises(UsageError, match="one repaired network"):
        profile(Line(a, b), own, points=3, repair=Repair())


def test_hidden_layers_alone():
    _, a, b, goal = case("mlp")
    assert [s.weight for s in Repair(at="hidden").between(a, b, goal).sites] == [
        "0.weight",
        "2.weight",
    ]
    assert "4.weight" in Repair(at="hidden").between(a, b, goal).provenance()["left"]
    _, a, b, goal = case("residual")
    every = {s.weight for s in Repair().between(a, b, goal).sites}
    deep = {s.weight for s in Repair(at="hidden").between(a, b, goal).sites}
    assert every - deep == {"fc.weight"}


def test_collapsed_channels_are_repaired_in_bfloat16_and_constant_ones_are_named():
    model = mlp(4, 64, 64, 3)
    a, b = spread(model, 1, 0.2), spread(model, 2, 0.2)
    # Halfway next to nothing is left of these channels; of the first, nothing.
    b["2.weight"][:9] = -a["2.weight"][:9] * 0.9
    b["2.weight"][0] = -a["2.weight"][0]
    b["0.weight"], b["0.bias"] = a["0.weight"].clone(), a["0.bias"].clone()
    x = torch.randn(500, 4).double()
    exact = objective(model, x)
    half = objective(model, x, dtype=torch.bfloat16)
    # Both see the same ends.
    a, b = (states.cast(states.cast(s, torch.bfloat16), torch.float64) for s in (a, b))
    for goal in (exact, half):
        repairer = Repair().between(a, b, goal)
        correction = repairer.correction(states.lerp(a, b, 0.5), 0.5)
        assert correction.layers[1].constant == (0,)
        found = profile(Line(a, b), goal, points=3, repair=Repair())
        policy = found.provenance["splits"]["data"]["repair"]
        assert policy["constant"] == {"2.weight": [0]}


@pytest.mark.parametrize("kind", ["forward", "closed-form"])
def test_a_merge_of_three_has_the_mean_statistics_of_the_three(kind):
    model, a, b, goal = case("mlp")
    c, shares = spread(model, 5, 0.2), (2.0, 1.0, 1.0)
    merged = merge([a, b, c], weights=shares).state
    repair = Repair(kind=kind, at=["0"] if kind == "closed-form" else None)
    found = seen(goal, repaired_among(merged, [a, b, c], shares, goal, repair))
    of = [seen(goal, s) for s in (a, b, c)]
    for weight in ["0.weight"] if kind == "closed-form" else found:
        for part in (1, 2):
            wanted = of[0][weight][part] / 2 + of[1][weight][part] / 4 + of[2][weight][part] / 4
            torch.testing.assert_close(found[weight][part], wanted, rtol=1e-9, atol=1e-10)


def test_shares_of_the_ends():
    _, a, b, goal = case("mlp")
    middle = states.lerp(a, b, 0.25)
    by_t = repaired(middle, a, b, 0.25, goal)
    by_shares = repaired_among(middle, [a, b], [3, 1], goal)
    assert all(torch.equal(x, by_shares[n]) for n, x in by_t.items())
    same = repaired_among(a, [a, b], [2, 0], goal)
    assert all(torch.equal(x, a[n]) for n, x in same.items())
    for shares in ([1], [1, -1], [0, 0]):
        with pytest.raises(UsageError, match="one share"):
            repaired_among(middle, [a, b], shares, goal)
    with pytest.raises(UsageError, match="has a share"):
        Repair().among([a, b, middle], goal)(middle, 0.5)
    with pytest.raises(UsageError, match="two ends at least"):
        Repair().among([a], goal)


@pytest.mark.parametrize("kind", ["forward", "statistics"])
@pytest.mark.parametrize(
    ("conv", "norm", "shape"),
    [
        (nn.Conv1d, nn.BatchNorm1d, (4,)),
        (nn.Conv2d, nn.BatchNorm2d, (2, 2)),
        (nn.Conv3d, nn.BatchNorm3d, (2, 2, 1)),
        (nn.Conv2d, nn.SyncBatchNorm, (2, 2)),
    ],
)
def test_statistics_of_all_batch_norms_are_of_the_whole_sample(conv, norm, shape, kind):
    """Neither a moving average nor a mean over batches, though the last one is short."""
    model = nn.Sequential(conv(2, 6, 1), norm(6), nn.Flatten(), nn.Linear(24, 3)).double()
    a, b = spread(model, 1), spread(model, 2)
    x = 3 * torch.randn(37, 2, *shape, generator=torch.Generator().manual_seed(0)).double() + 1
    goal = objective(model, x, calibration_rows=1000)  # in chunks of 16
    middle = states.lerp(a, b, 0.5)
    state = repaired(middle, a, b, 0.5, goal, Repair(kind=kind))
    first = {n.removeprefix("0."): v for n, v in state.items() if n.startswith("0.")}
    with torch.no_grad():
        seen_there = functional_call(model[0], first, (x,)).movedim(1, -1).flatten(0, -2)
    torch.testing.assert_close(state["1.running_mean"], seen_there.mean(0))
    torch.testing.assert_close(state["1.running_var"], seen_there.var(0))


def test_an_end_that_diverged_is_named():
    model, a, b, goal = case("mlp")
    broken = b | {"2.bias": b["2.bias"] * float("nan")}
    with pytest.raises(NonFinite, match=r"end 1.*2\.bias \(7 NaN"):
        repaired(states.lerp(a, b, 0.5), a, broken, 0.5, goal)
    with pytest.raises(NonFinite, match="end 2"):
        Repair().among([a, b, broken], goal)


def test_a_network_of_tied_weights_is_refused_with_each_named_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.randn(3, 6))

        def forward(self, x):
            return torch.relu(x @ self.w.T) @ self.w

    a = states.capture(Tied().double())
    goal = objective(Tied().double(), torch.randn(20, 6).double())
    with pytest.raises(UsageError) as refused:
        repaired(a, a, a, 0.5, goal)
    assert refused.value.got == "w: its weight is used in several places"
