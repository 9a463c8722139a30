"""Lucas et al. 2021: the paper runs whole at its smallest scale, and its arithmetic is right."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ridgeline.charts import Landscape
from ridgeline.errors import UnknownName, UsageError
from ridgeline.frame import Frame
from ridgeline.measures import Curve
from ridgeline.profiles import Profile
from ridgeline.studies import catalogue
from ridgeline.studies.lucas2021 import PAPER, counting
from ridgeline.studies.lucas2021.counting import released_rise, rise
from ridgeline.studies.lucas2021.distance import fit
from ridgeline.studies.lucas2021.forced import FAR, gone_far
from ridgeline.studies.lucas2021.networks import KINDS, flat, pooled, residual, teacher, tiles
from ridgeline.studies.lucas2021.starts import OTHERS, others_of
from ridgeline.studies.lucas2021.turns import turns
from ridgeline.study.rows import Rows as StudyRows

NAME = "lucas2021"
LOSSES = st.lists(st.floats(0, 10).map(lambda x: round(x, 3)), min_size=4, max_size=20)


def along(losses):
    t, y = np.linspace(0, 1, len(losses)), np.asarray(losses, dtype=float)
    shape = (len(y), len(y))
    nonfinite = (~np.isfinite(y)).astype(np.int64)
    curve = Curve(t=t, mean=y, covariance=np.zeros(shape), n=10, population=10, nonfinite=nonfinite)
    return Profile(t, {"train": {"loss": curve}})


# --- the whole paper -------------------------------------------------------------------------


def test_every_item_is_measured_and_every_claim_is_decided_or_says_why(found):
    assert not found.failures
    for answer in found.answers:
        assert answer.rows is not None, (answer.item.name, answer.left_out)
        assert {v.claim.id for v in answer.verdicts} == {c.id for c in answer.item.claims}
        assert answer.charts or answer.tables
    for verdict in found.verdicts:
        assert verdict.outcome != "undecided" or verdict.measured.why or verdict.measured.n


def test_items_and_charts_have_names_of_their_own(found):
    assert {f"L{k}" for k in range(1, 15)} == {item.id for item in PAPER.items}
    names = [item.name for item in PAPER.items]
    assert len(set(names)) == len(names)
    ids = [claim.id for item in PAPER.items for claim in item.claims]
    assert len(set(ids)) == len(ids)
    charts = [chart.name for answer in found.answers for chart in answer.charts]
    assert len(set(charts)) == len(charts)


def test_what_is_proved_has_no_exception(found):
    by_claim = {verdict.claim.id: verdict for verdict in found.verdicts}
    assert by_claim["L13c"].measured.estimate == 1


def test_the_slice_passes_through_its_three_states(found):
    (answer,) = (a for a in found.answers if a.item.name == "slice")
    (chart,) = answer.charts
    assert isinstance(chart, Landscape)
    route = chart.trajectories["training, projected"]
    np.testing.assert_allclose(route[0], chart.points["initialisation"], atol=1e-4)
    np.testing.assert_allclose(route[-1], chart.points["minimum"], atol=1e-4)


@pytest.mark.parametrize("name", ["smoke", "laptop", "paper"])
def test_scales_expand_and_have_the_settings(name):
    scale = catalogue.scale("lucas2021", name)
    assert all(spec.runs for spec in scale.populations.values())
    wanted = {population for item in PAPER.items for population in item.populations}
    assert set(scale.populations) == wanted


def test_claims_at_laptop_scale_have_five_seeds_or_more():
    scale = catalogue.scale("lucas2021", "laptop")
    for item in PAPER.items:
        for name in item.populations if item.claims else ():
            if name in scale.tables and name != "widths":  # drawn, not claimed about
                assert scale.tables[name]["seeds"] >= 5


# --- rises -----------------------------------------------------------------------------------


@given(LOSSES)
def test_the_released_metric_is_blind_to_the_last_step_alone(losses):
    whole, released = rise(along(losses)), released_rise(along(losses))
    assert released <= whole + 1e-12
    if losses[-1] <= losses[-2]:
        assert released == pytest.approx(whole)
    # A rise at the last step that is inside no earlier bump is what it misses.
    falling = sorted(losses, reverse=True)
    assert released_rise(along([*falling, falling[-1] + 1])) == 0
    assert rise(along([*falling, falling[-1] + 1])) == pytest.approx(1)


def test_infinite_losses_are_rises():
    assert rise(along([1, np.nan, 0.5])) == released_rise(along([1, np.nan, 0.5])) == np.inf


def risen(rises, tolerance=1e-3):
    """Rows of runs with these rises; None of a run that does not count."""
    bench = SimpleNamespace(setting=lambda _: tolerance)
    lost = [rise is None for rise in rises]
    return counting.over(bench, Frame({"rise": rises, "diverged": lost}))


def test_cells_count_runs_by_what_became_of_them():
    rows = risen([None, 0.0, 0.5, 2.0])
    assert rows.values("rises") == (None, False, True, True)
    assert rows.values("falls") == (None, True, False, False)
    assert rows.values("seen") == (None, 1e-3, 0.5, 2.0)
    assert counting.share_risen(rows) == "0.67 (3)"
    assert counting.mean_risen(rows) == "1.25"
    assert counting.lost(rows) == "1 of 4"
    assert counting.share_risen(risen([0.5, 0.0, float("nan"), float("inf")])) == "0.75 (4)"
    none = risen([None] * 5)
    assert counting.share_risen(none) == counting.mean_risen(none) == "-"


# --- which runs are compared -----------------------------------------------------------------


FORCED = next(c for item in PAPER.items for c in item.claims if c.id == "L12b").test


def went(ratios, rises, seeds=None):
    """Usual runs of twelve seeds that are monotone, and a forced one of each of some."""
    usual = [("as usual", seed, 10.0, False) for seed in range(12)]
    seeds = range(len(ratios)) if seeds is None else seeds
    forced = [
        ("drawn to a radius", *row)
        for row in zip(seeds, [10.0 * ratio for ratio in ratios], rises, strict=True)
    ]
    names = ("population", "seed", "distance", "rises")
    columns = dict(zip(names, zip(*usual, *forced, strict=True), strict=True))
    return FORCED.decide(gone_far(Frame(columns)))


def test_runs_that_did_not_go_far_are_not_compared():
    assert f"{FAR:g} times" in FORCED.words
    held = went([2.0] * 8, [True] * 8)
    assert (held.outcome, held.estimate, held.n) == ("holds", 1.0, 8)
    # Those that stayed near have the other outcome, and do not count.
    mixed = went([2.0] * 8 + [1.4] * 4, [True] * 8 + [False] * 4)
    assert mixed == held
    near = went([1.4] * 12, [True] * 12)
    assert near.outcome == "undecided"
    assert near.why.startswith("0 of 12 runs, of 0 seeds, went 1.5 times as far")
    few = went([2.0] * 4 + [1.4] * 8, [True] * 12)
    assert few.outcome == "undecided"
    assert few.why.startswith("4 of 12 runs, of 4 seeds")


def test_a_forced_run_without_a_usual_one_of_its_seed_has_no_pair():
    assert went([2.0] * 8, [True] * 8, [*range(6), 100, 101]).n == 6


def test_two_forced_runs_of_a_seed_are_one_group():
    found = went([2.0] * 10, [True] * 10, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
    alone = went([2.0] * 10, [True] * 10)
    assert found.n == 5
    assert found.low < alone.low


def test_no_two_minima_share_an_unrelated_initialisation():
    seeds = [seed for run in range(12) for seed in others_of(run, 10)]
    assert len(set(seeds)) == 120
    assert min(seeds) == OTHERS


class Runs(StudyRows):
    """Frames of planted runs: population to runs."""

    def __init__(self, **held):
        self.held = held

    def runs(self, population, where=None):
        return self.held[population]

    def setting(self, _):
        return 0.5

    def tell(self, *_):
        pass


def planted(name, loss=0.1, norm=None, diverged=False):
    at = {"net.norm": norm}.__getitem__
    return SimpleNamespace(hash=name, seed=0, loss=loss, diverged=diverged, at=at)


def test_a_run_of_two_populations_is_counted_once():
    bench = Runs(
        grid=[planted("a"), planted("b", norm="batch")], depths=[planted("a"), planted("c")]
    )
    found = counting.plain(bench, "grid", "depths")
    assert found.values("hash") == ("a", "c")
    assert found.cluster == "seed"


def test_runs_count_up_to_the_threshold_and_those_that_diverged_never():
    some = [planted("a"), planted("b", 0.5), planted("c", 0.6), planted("d", 0.1, diverged=True)]
    assert counting.runs(Runs(grid=some), "grid").values("counts") == (True, True, False, False)


def test_a_cell_in_which_all_runs_diverged_is_empty_and_stops_nothing():
    bench = Runs(grid=[planted(str(i), float("nan"), diverged=True) for i in range(3)])
    found = counting.lines(bench, counting.runs(bench, "grid"))
    assert found.values("counts") == (False,) * 3
    assert found.values("profile") == found.values("rises") == (None,) * 3
    with pytest.raises(UsageError, match="all of which diverged"):
        bench.frame("grid")


# --- fits and turns --------------------------------------------------------------------------


def test_a_power_law_is_found():
    x = np.array([0.5, 1.0, 2.0, 7.0])
    slope, start, share = fit(x, 3 * x**1.7)
    assert slope == pytest.approx(1.7)
    assert np.exp(start) == pytest.approx(3)
    assert share == pytest.approx(1)
    assert np.isnan(fit([1.0, 1.0, 1.0], [1.0, 2.0, 3.0])).all()
    assert np.isnan(fit([1.0, 2.0], [1.0, 2.0])).all()


FINITE = st.floats(-5, 5)


@settings(max_examples=200)
@given(
    curves=arrays(np.float64, (6, 3, 2), elements=FINITE),
    targets=arrays(np.float64, (3, 2), elements=FINITE),
)
def test_no_curve_that_turns_by_less_than_a_quarter_is_an_exception(curves, targets):
    assert turns(curves, targets).exceptions() == 0


def test_a_half_circle_rises_and_is_no_exception():
    angle = np.linspace(0, 1.5 * np.pi, 60)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)[:, None]
    found = turns(circle, circle[-1])
    assert found.angle[0] > np.pi / 2
    assert found.to_end[0] > 0.5
    assert found.exceptions() == 0


def test_a_straight_curve_may_rise_toward_a_target_only_by_its_residual():
    straight = np.linspace([0.0, 0.0], [2.0, 0.0], 5)[:, None]
    found = turns(straight, np.array([[1.0, 0.0]]))
    assert found.to_end[0] == 0
    assert found.to_target[0] == pytest.approx(0.5)
    assert found.allowed[0] == pytest.approx(2.0)
    assert found.rising(0.1).tolist() == [True]
    assert found.rising(1.1).tolist() == [False]


@given(st.floats(1e-3, 0.5), st.floats(0.6, 4))
def test_an_aligned_mode_of_a_linear_network_is_monotone(small, strength):
    t = np.linspace(0, 1, 51)
    mode = ((1 - t) * small + t * strength**0.5) ** 2
    assert rise(along((mode - strength) ** 2 / 2)) < 1e-12


# --- networks --------------------------------------------------------------------------------


@pytest.mark.parametrize("first", KINDS)
def test_residual_networks_start_as_named(first):
    model = residual(first, depth=8, width=4, channels=1, seed=3)
    state = model.state_dict()
    zero = {name for name, x in state.items() if x.ndim and not x.any() and "weight" in name}
    last = [f"layer{i}.0" for i in (1, 2, 3)]
    expected = {
        "BN": set(),
        "BN-I": {f"{block}.bn2.weight" for block in last},
        "NBN-I": {f"{block}.conv2.weight" for block in last},
        "NBN-F": {f"{block}.conv2.weight" for block in last} | {"fc.weight"},
    }
    assert zero == expected[first]
    same = residual(first, depth=8, width=4, channels=1, seed=3).state_dict()
    assert all(torch.equal(x, same[name]) for name, x in state.items())
    assert model(torch.randn(2, 1, 8, 8)).shape == (2, 10)


def test_networks_that_are_not_are_refused():
    with pytest.raises(UnknownName):
        residual("NBN")
    with pytest.raises(UsageError):
        residual(depth=18)


@pytest.mark.parametrize("rank", [1, 3])
def test_a_teacher_is_linear_of_its_rank(rank):
    inputs, targets = teacher(samples=64, rank=rank)["train"]
    found = torch.linalg.lstsq(inputs.double(), targets.double()).solution
    sizes = torch.linalg.svdvals(found)
    torch.testing.assert_close(sizes[:rank], torch.linspace(2, 1, rank).double(), atol=1e-4, rtol=0)
    assert (sizes[rank:] < 1e-4).all()


def test_data_have_the_forms_that_networks_take():
    rows, images = flat("digits", train=100), tiles()
    assert rows["train"].inputs.shape == (100, 64)
    assert len(rows["test"]) == len(images["test"])
    assert images["test"].inputs.shape[1:] == (1, 8, 8)
    assert torch.equal(images["test"].inputs.flatten(1), rows["test"].inputs)


def test_pooled_images_are_means_of_squares(monkeypatch):
    held = tiles()
    monkeypatch.setattr("ridgeline.studies.lucas2021.networks.load", lambda *_, **__: held)
    whole, small = held["test"].inputs, pooled("any", train=100)
    assert small["train"].inputs.shape == (100, 1, 4, 4)
    torch.testing.assert_close(small["test"].inputs[:, :, 1, 2], whole[:, :, 2:4, 4:6].mean((2, 3)))
