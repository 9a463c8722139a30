"""Profiles: labelled positions are the true ones, ends are the checkpoints', intervals hold."""

import numpy as np
import pytest
import torch
from torch import nn

import ridgeline as rl
import zoo
from ridgeline.errors import GridError, UnknownName, UsageError
from ridgeline.objective import Objective
from ridgeline.paths import Line, Plane
from ridgeline.profiles import Precision, layerwise, profile, surface


class OwnWeights(nn.Module):
    """Gives its two weights for every sample: a metric can then read off where it is."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(2))

    def forward(self, x):
        return self.w.expand(len(x), 2)


def own_weights():
    read = {"x": lambda out, _: out[:, 0], "y": lambda out, _: out[:, 1]}
    data = torch.zeros(3, 1), torch.zeros(3)
    return Objective(
        OwnWeights(), data, loss=lambda out, _: out.sum(1), metrics=read, dtype=torch.float64
    )


@pytest.mark.parametrize("points", [2, 5, 25, 51])
@pytest.mark.parametrize("strategy", ["loop", "batched", "shared", "auto"])
def test_every_labelled_position_is_the_true_one(points, strategy):
    if strategy == "shared" and points == 2:
        pytest.skip("two positions are no more than the two basis states")
    a, b = {"w": torch.tensor([0.0, 3.0])}, {"w": torch.tensor([1.0, -1.0])}
    found = profile(Line(a, b), own_weights(), points=points, strategy=strategy)
    assert len(found.t) == points and found.t[0] == 0 and found.t[-1] == 1
    np.testing.assert_allclose(found.t, 1 - found.t[::-1], atol=1e-15)
    np.testing.assert_allclose(found.curve("x").mean, found.t, atol=1e-15)
    np.testing.assert_allclose(found.curve("y").mean, 3 - 4 * found.t, atol=1e-14)


@pytest.mark.parametrize("strategy", ["loop", "batched", "shared", "shared+batched"])
def test_every_row_of_a_surface_is_labelled_truly(strategy):
    states = [{"w": torch.tensor(w)} for w in ([0.0, 0.0], [2.0, 0.0], [1.0, 3.0])]
    found = surface(Plane(*states), own_weights(), points=7, strategy=strategy)
    x, y = np.meshgrid(found.x, found.y)
    np.testing.assert_allclose(found.value("x"), x, atol=1e-13)
    np.testing.assert_allclose(found.value("y"), y, atol=1e-13)
    np.testing.assert_allclose(found.corners, [[0, 0], [2, 0], [1, 3]])
    assert (found.stderr["data"]["x"] == 0).all()


def test_a_number_of_points_may_not_be_one_and_grids_must_increase():
    a, b = {"w": torch.zeros(2)}, {"w": torch.ones(2)}
    for points in (1, [0, 0.5, 0.5, 1], [0, 1.5]):
        with pytest.raises(GridError):
            profile(Line(a, b), own_weights(), points=points)
    beyond = profile(Line(a, b), own_weights(), points=[-0.5, 0, 1, 1.5], extrapolate=True)
    np.testing.assert_allclose(beyond.curve("x").mean, [-0.5, 0, 1, 1.5])


def test_the_readme_grammar_works_on_splits_and_metrics():
    model, data, a, b = zoo.build("mlp", n=60)
    splits = {"train": Objective(model, data), "test": Objective(model, data)}
    found = rl.profile(rl.Line(a, b), splits, points=11)
    assert found.splits == ["train", "test"]
    assert found.barrier().kind == "chord" and found.barrier("abs", split="test").stderr > 0
    assert found.barrier(metric="error").height <= 1
    assert found.provenance["path"] == {"kind": "Line", "points": len(found.t)}
    assert found.provenance["splits"]["train"]["objective"]["samples"] == 60
    with pytest.raises(UnknownName, match="Did you mean 'error'"):
        found.curve("eror")
    with pytest.raises(UnknownName, match="split"):
        found.curve(split="valid")


def test_the_barriers_standard_error_is_that_of_the_paired_difference():
    model, data, a, b = zoo.build("mlp", n=400)
    objective = Objective(model, data, dtype=torch.float64)
    line = Line(a, b)
    found = profile(line, objective, points=11)
    top = found.barrier()
    values = {t: objective(line(t))["loss"] for t in (0, top.at, 1)}
    paired = values[top.at] - (1 - top.at) * values[0] - top.at * values[1]
    assert top.height == pytest.approx(paired.mean().item(), rel=1e-9)
    assert top.stderr == pytest.approx(paired.std().item() / 20, rel=1e-9)


@pytest.mark.parametrize("hold", ["a", "b"])
@pytest.mark.parametrize("points", [3, 7])
def test_the_barrier_of_a_layer_is_that_of_a_plain_loop_with_its_paired_error(hold, points):
    torch.manual_seed(0)
    make = lambda: nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3)).double()  # noqa: E731 (short, and read in place)
    x, y = torch.randn(60, 5, dtype=torch.float64), torch.arange(60) % 3
    ends = [make().state_dict() for _ in range(2)]
    net = make()

    def losses(state):
        net.load_state_dict(state)
        return nn.functional.cross_entropy(net(x), y, reduction="none").detach()

    objective = rl.Objective(net, (x, y), metrics=["accuracy"], rows=16)
    found = layerwise(*ends, objective, hold=hold, points=points)
    held, other = ends if hold == "a" else ends[::-1]
    for layer, one in found.items():
        halfway = {n: (v + other[n]) / 2 if n.startswith(layer) else v for n, v in held.items()}
        each = losses(halfway) - (losses(ends[0]) + losses(ends[1])) / 2
        got = one.barrier()
        assert got.kind == "layer" and got.at == 0.5
        assert got.height == pytest.approx(float(each.mean()), abs=1e-9)
        assert got.stderr == pytest.approx(float(each.std() / 60**0.5), rel=1e-9)
        right = one.curve("accuracy")
        fall = right.whole.mean.mean() - right.mean[points // 2]
        assert one.barrier(metric="accuracy").height == pytest.approx(fall)


def test_layerwise_profiles_move_one_layer_each_and_agree_with_the_loop():
    model, data, a, b = zoo.build("mlp", n=50)
    objective = Objective(model, data, dtype=torch.float64)
    found = layerwise(a, b, objective, points=7)
    assert list(found) == ["0", "2", "4"]
    for layer, one in found.items():
        slow = profile(Line(a, b, layers=[layer]), objective, points=7, strategy="loop")
        np.testing.assert_allclose(one.curve().mean, slow.curve().mean, rtol=1e-10)
        mixed = {k: (b if k.startswith(layer) else a)[k] for k in a}
        assert one.curve().mean[-1] == pytest.approx(objective(mixed)["loss"].mean().item())


# --- precision -------------------------------------------------------------------------------


def planted(seed, n=6000):
    """A line whose barrier is known per sample: loss 4 t (1 - t) h_i + noise that cancels in pairs.

    The first weight is t; sample i has height h_i (by class) and an offset c_i common to all t.
    """
    draw = torch.Generator().manual_seed(seed)
    classes = torch.randint(0, 4, (n,), generator=draw)
    heights = 1.0 + 0.5 * classes + torch.randn(n, generator=draw)
    offsets = 3 * torch.randn(n, generator=draw)
    data = torch.stack([heights, offsets], 1), classes
    model = OwnBump()
    a, b = {"w": torch.zeros(1)}, {"w": torch.ones(1)}
    return model, data, Line(a, b), float(heights.double().mean())


class OwnBump(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return torch.stack([4 * self.w * (1 - self.w) * x[:, 0] + x[:, 1]], 1)


def value_of(outputs, _):
    return outputs[:, 0]


def test_precision_covers_the_true_barrier_at_the_stated_rate():
    """200 repetitions: the whole data set's barrier is in the 95 % interval about 190 times."""
    model, data, line, _ = planted(0, n=4000)
    objective = Objective(model, data, loss=value_of, metrics={}, rows=64)
    truth = profile(line, objective, points=5).barrier().height
    wanted = Precision(half_width=0.10)
    inside, used = 0, []
    for seed in range(200):
        found = profile(line, objective, points=5, precision=wanted, seed=seed)
        low, high = found.barrier().interval()
        assert (high - low) / 2 <= 0.10
        inside += low <= truth <= high
        used.append(found.curve().n)
    assert inside >= 180, inside  # the 0.05 % quantile of Binomial(200, 0.95) is 179
    assert np.mean(used) < 0.5 * len(objective)


def test_precision_takes_a_small_share_when_pairs_cancel_the_noise():
    model, data, line, height = planted(1, n=60_000)
    objective = Objective(model, data, loss=value_of, metrics={})
    wanted = Precision(half_width=0.05, relative=True)
    found = profile(line, objective, points=25, precision=wanted)
    top = found.barrier()
    about = found.provenance["splits"]["data"]
    assert top.at == 0.5 and abs(top.height - height) < 0.1
    assert about["stopped"] == "precise enough"
    assert about["evaluations"] * 5 <= 25 * 60_000
    assert found.curve().scope == "data set"


def test_precision_that_cannot_be_reached_uses_everything():
    model, data, line, height = planted(2, n=700)
    objective = Objective(model, data, loss=value_of, metrics={}, rows=64)
    found = profile(line, objective, points=3, precision=1e-9)
    assert found.curve().n == 700 and found.curve().scope == "distribution"
    assert found.barrier().height == pytest.approx(height, rel=1e-5)


def test_a_metric_in_the_place_of_a_kind_of_barrier_is_told_where_it_goes():
    model, data, a, b = zoo.build("mlp")
    found = profile(Line(a, b), Objective(model, data), points=3)
    with pytest.raises(UnknownName, match=r"kind of barrier.*Got 'error'.*metric='error'"):
        found.barrier("error")


def test_a_precision_of_an_unknown_metric_is_refused():
    model, data, line, _ = planted(3, n=100)
    objective = Objective(model, data, loss=value_of, metrics={})
    with pytest.raises(UnknownName):
        profile(line, objective, precision=Precision(half_width=1, metric="error"))


def test_an_interrupted_profile_keeps_finished_splits_and_says_so():
    model, data, a, b = zoo.build("mlp", n=100)
    splits = {"train": Objective(model, data, rows=16), "test": Objective(model, data)}
    found = profile(Line(a, b), splits, points=3, interrupted=lambda: True)
    assert found.splits == ["train"] and found.curve().n == 16
    assert found.provenance["splits"]["train"]["stopped"] == "interrupted"


def test_arguments_of_the_wrong_kind_are_refused_by_name():
    model, data = nn.Linear(3, 2), (torch.randn(8, 3), torch.randint(2, (8,)))
    objective, line = Objective(model, data), Line(model.state_dict(), nn.Linear(3, 2).state_dict())
    with pytest.raises(UsageError, match=r"Got path of type Objective.*profile\(path, objective"):
        profile(objective, line)
    for wrong in (model, {"train": objective, "test": model}):
        with pytest.raises(UsageError, match="Got objective of type Linear"):
            profile(line, wrong)
