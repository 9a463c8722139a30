"""Lines among networks, measured into a frame: beside plain loops, resumed, in processes."""

import itertools
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import ridgeline as rl
from ridgeline.errors import UsageError, WrongKind
from ridgeline.explorations import barrier, distance, measuring
from ridgeline.explorations.networks import digest_of
from ridgeline.study.populations import populate
from ridgeline.study.scales import load_scale
from ridgeline.study.store import Store

POINTS = (0.0, 0.25, 0.5, 1.0)


def net(width=6):
    return nn.Sequential(nn.Linear(5, width), nn.ReLU(), nn.Linear(width, 3))


def made(seed, width=6):
    draws = torch.Generator().manual_seed(seed)
    like = net(width).state_dict()
    return {n: torch.randn(x.shape, generator=draws) for n, x in like.items()}


@pytest.fixture(scope="module")
def data():
    draws = torch.Generator().manual_seed(99)
    x, teacher = torch.randn(40, 5, generator=draws), net()
    teacher.load_state_dict(made(0))
    with torch.no_grad():
        return x, teacher(x).argmax(1)


@pytest.fixture(scope="module")
def objective(data):
    return rl.Objective(net(), data)


@pytest.fixture(scope="module")
def states():
    """Networks that are right, of other orders of units and nearly the same weights: far apart."""
    orders = {"p": range(6), "q": (3, 0, 5, 1, 2, 4), "r": (5, 4, 3, 2, 1, 0)}
    return {name: nearly(list(order), i) for i, (name, order) in enumerate(orders.items())}


def nearly(order, seed):
    a, noise = made(0), made(10 + seed)
    found = {"0.weight": a["0.weight"][order], "0.bias": a["0.bias"][order]}
    found |= {"2.weight": a["2.weight"][:, order], "2.bias": a["2.bias"]}
    return {n: x + 0.01 * noise[n] for n, x in found.items()}


@torch.no_grad()
def losses(a, b, data, width=6):
    """The mean cross entropy at each position, in float64, by a plain loop."""
    module = net(width).double()
    x, y = data
    found = []
    for t in POINTS:
        module.load_state_dict({n: (1 - t) * a[n].double() + t * b[n].double() for n in a})
        found.append(float(nn.functional.cross_entropy(module(x.double()), y)))
    return np.array(found)


def height(losses):
    t = np.array(POINTS)
    return float((losses - (1 - t) * losses[0] - t * losses[-1]).max())


def test_all_pairs_have_the_barrier_of_a_plain_loop(states, objective, data):
    frame = rl.explore(states, objective, points=POINTS)
    assert list(zip(frame["a"], frame["b"], strict=True)) == list(itertools.combinations("pqr", 2))
    assert frame["barrier"].min() > 0.1
    for row in frame:
        a, b = states[row["a"]], states[row["b"]]
        assert row["barrier"] == pytest.approx(height(losses(a, b, data)), abs=1e-5)
        ends = losses(a, b, data)[[0, -1]]
        assert row["loss"] == pytest.approx(ends.mean(), rel=1e-5)
        far = sum(((a[n] - b[n]).double() ** 2).sum() for n in a) ** 0.5
        assert row["distance"] == pytest.approx(float(far), rel=1e-5)
    assert frame.cluster == ("a", "b")


def test_lines_are_measured_with_each_way_to_align(states, objective):
    ways = {"as they are": None, "aligned": rl.WeightMatching()}
    frame = rl.explore(states, objective, align=ways, points=POINTS)
    plain, aligned = (frame.where(align=way) for way in ways)
    assert plain["distance"].min() > 1
    assert aligned["distance"].max() < 0.3
    assert plain["barrier"].min() > 0.1
    assert aligned["barrier"].max() < 0.02
    assert plain.values("a") == aligned.values("a")


def test_networks_of_other_shapes_have_no_line_and_by_splits_them(data):
    def width(network):
        return network.state["0.weight"].shape[0]

    def own(network):
        return rl.Objective(net(width(network)), data)

    given = [made(0, 6), made(1, 6), made(2, 9), made(3, 9), made(4, 7)]
    frame = rl.explore(given, own, by={"width": width}, points=POINTS)
    assert [(row["a"], row["b"], row["width"]) for row in frame] == [("0", "1", 6), ("2", "3", 9)]
    assert frame.notes == ("1 networks have no line to any other.",)
    wanted = height(losses(given[2], given[3], data, 9))
    assert frame.where(width=9)["barrier"][0] == pytest.approx(wanted, abs=1e-5)


def test_checkpoints_modules_and_runs_are_the_same_networks(states, objective, tmp_path):
    module = net()
    module.load_state_dict(states["p"])
    rl.save(states["q"], tmp_path / "q.safetensors")
    frame = rl.explore([module, tmp_path / "q.safetensors"], objective, points=POINTS)
    plain = rl.explore([states["p"], states["q"]], objective, points=POINTS)
    assert (frame.values("a"), frame.values("b")) == (("0",), ("q",))
    assert frame["barrier"][0] == pytest.approx(plain["barrier"][0], abs=1e-7)


def test_files_are_named_by_what_tells_them_apart(objective, states, tmp_path):
    for name in ("p", "q"):
        rl.save(states[name], tmp_path / name / "last.safetensors")
    files = sorted(tmp_path.glob("*/*.safetensors"))
    frame = rl.explore(files, objective, points=POINTS)
    assert frame.values("b") == ("q/last",)


def same(one, other):
    return all(np.array_equal(one[name], other[name]) for name in ("barrier", "loss", "distance"))


def test_a_resumed_frame_is_the_fresh_one_bit_for_bit(states, objective, tmp_path, monkeypatch):
    ask = partial(rl.explore, states, objective, points=POINTS, align=[None, rl.WeightMatching()])
    fresh = ask(folder=tmp_path / "fresh")
    measured = measuring.profile
    count = iter(range(100))

    def stops(*args, **options):
        if next(count) == 2:
            raise KeyboardInterrupt
        return measured(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(measuring, "profile", stops)
        with pytest.raises(KeyboardInterrupt):
            ask(folder=tmp_path / "killed")
    resumed = ask(folder=tmp_path / "killed")
    assert same(resumed, fresh)
    monkeypatch.setattr(measuring, "profile", lambda *_, **__: pytest.fail("measured again"))
    monkeypatch.setattr(measuring, "align", lambda *_, **__: pytest.fail("aligned again"))
    assert same(ask(folder=tmp_path / "fresh"), fresh)


def test_what_was_kept_of_another_objective_is_not_taken(states, data, tmp_path):
    class Net(nn.Sequential):
        factor = 1.0

        def forward(self, x):
            return self.factor * super().forward(x)

    ask = partial(rl.explore, states, points=POINTS, folder=tmp_path)
    one = ask(rl.Objective(Net(*net()), data))
    Net.factor = 2.0  # code that no text of the module shows
    other = ask(rl.Objective(Net(*net()), data))
    alone = rl.explore(states, rl.Objective(Net(*net()), data), points=POINTS)
    assert other["barrier"] == pytest.approx(alone["barrier"], abs=1e-6)
    assert not np.allclose(one["barrier"], other["barrier"], atol=1e-3)


def test_several_processes_measure_the_same(states, objective, tmp_path):
    ask = partial(rl.explore, states, objective, points=POINTS, align=[None, rl.WeightMatching()])
    done = []
    alone = ask(folder=tmp_path)
    both = ask(folder=tmp_path, workers=2, progress=lambda what, n, of: done.append((what, n, of)))
    apart = ask(folder=tmp_path / "2", workers=2)
    assert same(both, alone)
    assert apart["barrier"] == pytest.approx(alone["barrier"], abs=1e-6)
    assert done == [("lines", n, 6) for n in range(7)]


def test_an_error_in_a_process_is_the_real_one(states, objective):
    def column(a_state):
        raise ZeroDivisionError("of the column")

    with pytest.raises(ZeroDivisionError, match="of the column"):
        rl.explore(states, objective, points=POINTS, columns={"x": column}, workers=2)


def test_columns_are_functions_of_profile_states_and_columns(states, objective):
    def norm(b_state):
        return float(sum((x.double() ** 2).sum() for x in b_state.values()))

    columns = {
        "height": barrier("loss", "max"),
        "norm": norm,
        "apart": distance,
        "high": lambda height, norm: height > norm,
    }
    frame = rl.explore(states, objective, columns=columns, points=POINTS)
    assert frame.columns[-4:] == list(columns)
    row = next(iter(frame))
    assert row["norm"] == pytest.approx(norm(states["q"]))
    assert row["height"] == row["profile"].barrier("max").height
    assert row["high"] == (row["height"] > row["norm"])


def test_a_column_with_a_version_is_kept_until_it_is_raised(states, objective, tmp_path):
    calls = []

    def count(a_state):
        calls.append(1)
        return float(len(calls))

    ask = partial(rl.explore, states, objective, points=POINTS, folder=tmp_path)
    first = ask(columns={"n": rl.Column(count, "1")})
    assert same_values(ask(columns={"n": rl.Column(count, "1")}), first, "n")
    assert ask(columns={"n": rl.Column(count, "2")}).values("n") == (4.0, 5.0, 6.0)


def same_values(one, other, name):
    return one.values(name) == other.values(name)


def test_a_population_that_was_trained_is_explored(data):
    recipe = rl.Recipe(length="2ep", batch_size=20)
    members = [rl.Member(net(), recipe, seed) for seed in range(2)]
    runs = rl.train_many(members, data, together=1)
    frame = rl.explore(runs, rl.Objective(net(), data), points=POINTS)
    wanted = height(losses(runs[0].final, runs[1].final, data))
    assert frame["barrier"][0] == pytest.approx(wanted, abs=1e-5)


def test_lines_may_be_chosen(states, objective):
    frame = rl.explore(
        states, objective, points=POINTS, lines=lambda all: [(all[0], one) for one in all[1:]]
    )
    assert frame.values("a") == ("p", "p")


def test_what_cannot_be_explored_is_told(states, objective):
    with pytest.raises(UsageError, match="two networks at least"):
        rl.explore([states["p"]], objective)
    with pytest.raises(UsageError, match="in a list") as told:
        rl.explore(states["p"], objective)
    assert "one state" in told.value.got
    with pytest.raises(UsageError, match="measured by an objective"):
        rl.explore(states)
    with pytest.raises(WrongKind, match="A strategy is an instance"):
        rl.explore(states, objective, align=rl.WeightMatching)
    with pytest.raises(UsageError, match="name of its own"):
        rl.explore(
            states,
            objective,
            align=[None, None],
        )
    with pytest.raises(UsageError, match="share their tensors"):
        rl.explore([made(0, 6), made(1, 7)], objective)
    with pytest.raises(UsageError, match="into the config of a run"):
        rl.explore(states, objective, by={"width": "net.widths"})
    with pytest.raises(UsageError, match="at least 1"):
        rl.explore(states, objective, workers=0)
    with pytest.raises(UsageError, match="no line that is asked for"):
        rl.explore(states, objective, lines=lambda _: [])
    for names in ({"a": barrier()}, {"profile": barrier()}):
        with pytest.raises(UsageError, match="Every column has a name of its own"):
            rl.explore(states, objective, columns=names)
    with pytest.raises(UsageError, match="found again by its function's name"):
        rl.Column(lambda a_state: 1.0, "1")


def test_digests_tell_states_apart():
    a = made(0)
    assert digest_of(a) == digest_of({n: x.clone() for n, x in reversed(a.items())})
    assert digest_of(a) != digest_of({**a, "2.bias": a["2.bias"] + 1e-6})
    assert digest_of(a) != digest_of({n: x.double() for n, x in a.items()})


def test_a_report_has_means_matrices_and_every_line(states, objective, tmp_path):
    pytest.importorskip("jinja2")
    frame = rl.explore(states, objective, points=POINTS)
    page = frame.report(tmp_path / "page.html").read_text()
    for said in ("Means by factor", "Loss barrier of all pairs", "3 lines between 3 networks"):
        assert said in page
    assert "p" in page
    with pytest.raises(UsageError, match="one row at least"):
        frame.where(a="nobody").report(tmp_path / "none.html")


SCALE = """
paper = "nobody1999"
seeds = 2
[measure]
points = 5
[base.net]
kind = "fcn"
[base.data]
set = "digits?train=100&test=50"
[base.training]
length = "2ep"
batch_size = 50
[populations.widths.grid]
"net.widths" = [[64, 4, 10], [64, 8, 10]]
"""


def test_runs_of_a_store_have_their_own_objective_and_config(tmp_path):
    pytest.importorskip("pydantic")
    store = Store(tmp_path)
    populate(load_scale(SCALE).populations["widths"].runs, store)
    frame = rl.explore(store, by={"widths": "net.widths"}, splits=("train", "test"), points=3)
    assert sorted(frame.values("widths")) == [(64, 4, 10), (64, 8, 10)]
    for row in frame:
        assert row["profile"].splits == ["train", "test"]
    assert (tmp_path / ".measured").exists()  # the store keeps what was measured of its runs
