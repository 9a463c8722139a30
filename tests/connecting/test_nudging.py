"""The elastic band on landscapes with known passes, and against a plain loop."""

import copy
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ridgeline as rl
from ridgeline.connecting import DRAXLER, Band, Cycle, ElasticBand, draxler, nudging
from ridgeline.connecting.cycles import gaps
from ridgeline.connecting.histories import BandCycle, read, written
from ridgeline.errors import NonFinite, StateMismatch, UnknownName, UsageError
from ridgeline.state import State
from ridgeline.testing import CurvedValley, EggCarton, MuellerBrown, given
from ridgeline.training import SGD, Adam, Library

VALLEY = ElasticBand(
    cycles=tuple(Cycle(steps=30) for _ in range(3)),
    optimiser=SGD(learning_rate=0.02, momentum=0.8),
    evaluation="loop",
)


def valley(samples: int = 1) -> tuple[State, State, rl.Objective]:
    model = CurvedValley()
    goal = rl.Objective(model, model.samples(samples), loss=given)
    return model.at(-1, 0), model.at(1, 0), goal


def nudge(a: State, b: State, goal: rl.Objective, band: ElasticBand, **more: Any) -> Band:
    found = rl.connect(a, b, goal, by=band, **more)
    assert isinstance(found, Band)
    return found


def mlp(seed: int, *, norm: bool = False) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        between = [nn.BatchNorm1d(6)] if norm else []
        return nn.Sequential(nn.Linear(4, 6), *between, nn.Tanh(), nn.Linear(6, 3)).double()


def classes(n: int = 24) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(5)
    return (
        torch.randn(n, 4, generator=rng, dtype=torch.float64),
        torch.randint(0, 3, (n,), generator=rng),
    )


@pytest.mark.parametrize(
    ("model", "ends", "saddle", "rate", "threshold"),
    [
        (EggCarton(), ((0, 0), (2, 1)), 1.0, 0.01, 0.005),
        (CurvedValley(), ((-1, 0), (1, 0)), 1.0, 0.01, 0.1),
        (MuellerBrown(), MuellerBrown.MINIMA[:2], -40.664844, 1e-4, 0.1),
    ],
    ids=["egg carton", "curved valley", "Mueller-Brown"],
)
def test_the_saddle_is_found_within_one_per_cent(model, ends, saddle, rate, threshold):
    band = ElasticBand(
        cycles=tuple(Cycle(steps=40) for _ in range(4)),
        optimiser=SGD(learning_rate=rate, momentum=0.8),
        threshold=threshold,
        evaluation="loop",
    )
    goal = rl.Objective(model, model.samples(), loss=given)
    found = nudge(model.at(*ends[0]), model.at(*ends[1]), goal, band)
    assert found.maximum == pytest.approx(saddle, rel=0.01)
    assert found.history[0].maximum > found.maximum + 0.3 * abs(saddle)


@pytest.mark.parametrize("evaluation", ["loop", "stacked"])
def test_a_band_of_a_network_is_that_of_a_plain_loop(evaluation, tmp_path):
    a, b, (x, y) = mlp(1).state_dict(), mlp(2).state_dict(), classes()
    rate, momentum, decay, steps = 0.3, 0.9, 0.01, 4
    band = ElasticBand(
        cycles=(Cycle(steps=steps),),
        optimiser=SGD(learning_rate=rate, momentum=momentum, weight_decay=decay),
        evaluation=evaluation,
        batch_size=1000,
    )
    file = tmp_path / "band.safetensors"
    found = nudge(a, b, rl.Objective(mlp(0), (x, y)), band, keep=file)
    names = list(a)

    def flat(state: State) -> Tensor:
        return torch.cat([state[n].reshape(-1) for n in names])

    def loss_and_slope(row: Tensor) -> tuple[Tensor, Tensor]:
        net, start = mlp(0), 0
        with torch.no_grad():
            for p in net.parameters():
                p.copy_(row[start : start + p.numel()].view(p.shape))
                start += p.numel()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        return loss.detach(), torch.cat([p.grad.reshape(-1) for p in net.parameters()])

    rows = [torch.lerp(flat(a), flat(b), k / 4) for k in range(5)]
    speed = [torch.zeros_like(rows[0]) for _ in range(5)]
    for _ in range(steps):
        known = [loss_and_slope(row) for row in rows]
        new = list(rows)
        for i in range(1, 4):
            before, own, after = (known[j][0] for j in (i - 1, i, i + 1))
            back, on = rows[i] - rows[i - 1], rows[i + 1] - rows[i]
            most = max(abs(after - own), abs(before - own))
            least = min(abs(after - own), abs(before - own))
            if before < own < after:
                tau = on
            elif before > own > after:
                tau = back
            else:
                tau = most * on + least * back if after > before else least * on + most * back
            tau = tau / tau.norm()
            slope = known[i][1] + decay * rows[i]
            slope = slope - (slope @ tau) * tau
            speed[i] = momentum * speed[i] + slope
            new[i] = rows[i] - rate * speed[i]
        total = sum((q - p).norm() for p, q in itertools.pairwise(new))
        rows = [new[0]]
        for i in range(1, 4):
            left, k = total * i / 4, 0
            while left > (new[k + 1] - new[k]).norm():
                left, k = left - (new[k + 1] - new[k]).norm(), k + 1
            rows.append(new[k] + (new[k + 1] - new[k]) * left / (new[k + 1] - new[k]).norm())
        rows.append(new[-1])
    got = rl.load(file)["rows"]
    torch.testing.assert_close(got, torch.stack(rows), rtol=1e-10, atol=1e-12)
    assert found.history[1].steps == steps and not torch.equal(
        got[2], torch.lerp(*got[[0, -1]], 0.5)
    )


def test_the_ends_are_those_given_bit_for_bit_and_nothing_given_is_written_to():
    a, b, goal = valley()
    kept = copy.deepcopy((a, b))
    found = nudge(a, b, goal, VALLEY)
    assert torch.equal(found.path(0.0)["point"], kept[0]["point"])
    assert torch.equal(found.path(1.0)["point"], kept[1]["point"])
    assert torch.equal(a["point"], kept[0]["point"]) and torch.equal(b["point"], kept[1]["point"])


def test_the_maximum_is_that_of_the_path_measured_again():
    a, b, goal = valley()
    found = nudge(a, b, goal, VALLEY)
    again = rl.profile(found.path, goal, points=found.profile.t)
    assert found.maximum == pytest.approx(float(again.curve().mean.max()), rel=1e-12)
    assert found.removed == pytest.approx(1 - found.maximum / CurvedValley().straight())
    assert found.stretch == pytest.approx(found.history[found.best].stretch)
    assert (found.before, found.after) == (pytest.approx(5.0), found.maximum)
    gaps_of_knots = np.diff(found.path.knots)
    lengths = [
        float((q["point"] - p["point"]).norm()) for p, q in itertools.pairwise(found.path.points)
    ]
    assert gaps_of_knots / gaps_of_knots[0] == pytest.approx(np.array(lengths) / lengths[0])


@pytest.mark.parametrize("killed_at", [3, 7, 12])
def test_killed_half_way_a_band_goes_on_to_the_same_bytes(killed_at, tmp_path, monkeypatch):
    a, b, goal = valley(6)
    band = ElasticBand(
        cycles=(Cycle(steps=5), Cycle(steps=5), Cycle(steps=4)),
        optimiser=Adam(learning_rate=0.05),
        batch_size=4,
        evaluation="loop",
    )
    monkeypatch.setattr(nudging, "KEPT_SECONDS", 0.0)

    def kill(what: str, done: int, of: int) -> None:
        if done == killed_at:
            raise KeyboardInterrupt

    whole = nudge(a, b, goal, band)
    with pytest.raises(KeyboardInterrupt):
        nudge(a, b, goal, band, keep=tmp_path / "band.safetensors", progress=kill)
    told = []
    again = nudge(
        a,
        b,
        goal,
        band,
        keep=tmp_path / "band.safetensors",
        progress=lambda what, done, of: told.append(done),
    )
    assert told[0] == killed_at and told[-1] == 14
    assert again.history == whole.history
    for p, q in zip(again.path.points, whole.path.points, strict=True):
        assert torch.equal(p["point"], q["point"])


def test_a_snapshot_of_other_ends_is_refused(tmp_path: Path):
    a, b, goal = valley()
    short = ElasticBand(cycles=(Cycle(steps=1),), evaluation="loop")
    nudge(a, b, goal, short, keep=tmp_path / "band.safetensors")
    with pytest.raises(UsageError, match=r"the same ends.*Remove the file"):
        nudge(b, a, goal, short, keep=tmp_path / "band.safetensors")


def test_a_band_that_diverges_says_so_and_keeps_the_last_good_path():
    a, b, goal = valley()
    wild = ElasticBand(
        cycles=(*VALLEY.cycles[:1], Cycle(steps=50, learning_rate=1e6)),
        optimiser=VALLEY.optimiser,
        evaluation="loop",
    )
    found = nudge(a, b, goal, wild)
    assert found.diverged is not None and 30 < found.diverged < 80 and found.best == 1
    assert found.maximum < 2 and f"diverged at step {found.diverged}" in found.notes[0]
    assert "lower learning rate" in found.notes[0]


def test_a_band_may_end_as_soon_as_its_maximum_is_low_enough():
    a, b, goal = valley()
    found = nudge(a, b, goal, ElasticBand(**vars(VALLEY) | {"stop_below": 2.0}))
    assert len(found.history) == 2 and found.steps == 30
    assert found.notes == ("It ended after cycle 1 of 3, below 2.",)


def test_no_more_pivots_are_inserted_than_there_is_room_for():
    a, b, goal = valley()
    more = vars(VALLEY) | {"threshold": 0.0}
    assert [c.pivots for c in nudge(a, b, goal, ElasticBand(**more)).history] == [3, 3, 5, 7]
    few = nudge(a, b, goal, ElasticBand(**more | {"most_pivots": 4}))
    assert [c.pivots for c in few.history] == [3, 3, 4, 4]


def test_a_spike_next_to_an_end_is_told():
    model = EggCarton()
    goal = rl.Objective(model, model.samples(), loss=given)
    band = ElasticBand(cycles=(Cycle(steps=1, learning_rate=1e-9),), pivots=1, evaluation="loop")
    found = nudge(model.at(0, 0), model.at(2, 0), goal, band)
    assert found.history[-1].spikes == pytest.approx((0.25, 0.75))
    assert "spike at t = 0.25" in found.notes[-2] and "More cycles" in found.notes[-1]


def test_with_batch_normalisation_steps_use_the_statistics_of_the_batch(tmp_path):
    a, b, (x, y) = mlp(1, norm=True), mlp(2, norm=True), classes()
    goal = rl.Objective(a, (x, y))
    band = ElasticBand(
        cycles=(Cycle(steps=1),),
        pivots=1,
        optimiser=SGD(learning_rate=0.5),
        batch_size=100,
        evaluation="loop",
    )
    file = tmp_path / "band.safetensors"
    nudge(a.state_dict(), b.state_dict(), goal, band, keep=file)
    net = mlp(0, norm=True)
    with torch.no_grad():
        for p, q, r in zip(net.parameters(), a.parameters(), b.parameters(), strict=True):
            p.copy_((q + r) / 2)
    nn.functional.cross_entropy(net.train()(x), y).backward()
    slope = torch.cat([p.grad.reshape(-1) for p in net.parameters()])
    apart = torch.cat(
        [(r - q).reshape(-1) for q, r in zip(a.parameters(), b.parameters(), strict=True)]
    )
    tau = apart / apart.norm()  # with one pivot half way, whichever segment
    moved = torch.cat([p.reshape(-1) for p in net.parameters()]) - 0.5 * (
        slope - (slope @ tau) * tau
    )
    got = rl.load(file)["rows"][1]
    torch.testing.assert_close(got, moved.detach(), rtol=1e-9, atol=1e-9)


def test_the_schedule_is_the_papers():
    assert len(DRAXLER) == 14 and sum(c.steps for c in DRAXLER) == 16_000
    assert [c.learning_rate for c in DRAXLER] == [0.1] * 6 + [0.01] * 4 + [0.001] * 4
    assert [c.steps for c in draxler(0.0015)][3:6] == [2, 3, 3]


def test_gaps_are_excess_over_the_straight_estimate_in_shares_of_the_range():
    dense = [0.0, 0.9, 1.0, 1.2, 2.0]  # rows at 0, 1.0 and 2.0; between them 0.9 and 1.2
    assert gaps(dense, 1, ElasticBand()) == [(0, 0.5, pytest.approx(0.2))]
    assert gaps(dense, 1, ElasticBand(threshold="paper")) == []
    own = gaps(dense, 1, ElasticBand(threshold=0.3, of="loss"))
    assert own == [(0, 0.5, pytest.approx(0.4))]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"cycles": ()}, "at least one cycle"),
        ({"pivots": 0}, "`pivots` is at least 1"),
        ({"most_pivots": 2}, "`most_pivots` is at least"),
        ({"threshold": -1.0}, "`threshold` is finite"),
        ({"threshold": "paper", "of": "loss"}, "share of the range"),
        ({"spring": -1.0}, "`spring` is not negative"),
        (
            {"optimiser": Library(learning_rate=1.0, name="torch.optim:Adagrad")},
            "of Ridgeline's own",
        ),
    ],
    ids=["cycles", "pivots", "most", "threshold", "unit", "spring", "optimiser"],
)
def test_settings_that_cannot_be_are_refused(settings, said):
    with pytest.raises(UsageError, match=said):
        ElasticBand(**settings)


@pytest.mark.parametrize("name", ["threshold", "of", "spacing", "evaluation"])
def test_choices_that_are_none_are_refused(name):
    with pytest.raises(UnknownName, match="other"):
        ElasticBand(**{name: "other"})


def test_ends_of_another_shape_and_ends_that_are_no_numbers_are_refused():
    a, b, goal = valley()
    with pytest.raises(StateMismatch, match="point"):
        nudge(a, {"point": torch.zeros(3).double()}, goal, VALLEY)
    with pytest.raises(NonFinite, match="point"):
        nudge(a, {"point": torch.tensor([1.0, float("nan")]).double()}, goal, VALLEY)


def test_finite_springs_keep_pivots_apart_while_the_band_descends():
    a, b, goal = valley()
    found = nudge(a, b, goal, ElasticBand(**vars(VALLEY) | {"spring": 5.0}))
    assert found.maximum == pytest.approx(1.0, rel=0.01)
    # An inserted pivot cuts the rest length of its segment, here at 0.6 and at 0.4.
    shares = [0.25, 0.15, 0.1, 0.1, 0.15, 0.25]
    assert np.diff(found.path.knots) == pytest.approx(shares, rel=0.02)


def test_a_history_is_read_back_from_its_numbers():
    first = BandCycle(
        cycle=0, steps=0, pivots=3, maximum=0.1, at=0.3, ends=1e-9, stretch=1.0, spikes=(0.25,)
    )
    second = BandCycle(
        cycle=1, steps=7, pivots=3, maximum=1 / 3, at=0.7, ends=0.1, stretch=1.5, inserted=2
    )
    assert read(written([first, second])) == [first, second]
