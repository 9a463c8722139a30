"""Goodfellow et al. 2014 at its smallest scale, its scales, and the factored loss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.frame import Frame
from ridgeline.measures import Curve
from ridgeline.profiles import Profile
from ridgeline.studies import catalogue
from ridgeline.studies.goodfellow2014 import lines, saddle, solutions
from ridgeline.study.reproduction import missing, needed

NAME = "goodfellow2014"


def test_every_item_is_measured(found):
    assert {a.item.id: a.left_out for a in found.answers if a.left_out} == {}
    assert [a.item.id for a in found.answers] == ["G1", "G1b", "G2", "G3", "G4"]
    assert not found.failures


def test_every_claim_gets_a_verdict(found):
    asked = {claim.id for item in found.paper.items for claim in item.claims}
    assert {verdict.claim.id for verdict in found.verdicts} == asked
    names = [chart.name for a in found.answers for chart in a.charts]
    assert len(set(names)) == len(names)


def test_undecided_for_a_stated_reason(found):
    few = {"G1ba", "G1bb", "G3a", "G3b"}  # populations of two seeds at this scale
    for verdict in found.verdicts:
        if verdict.claim.id in few:
            assert verdict.outcome == "undecided"
            assert "n = 2" in verdict.measured.why


def test_the_factored_loss_holds(found):
    outcome = {v.claim.id: v.outcome for v in found.verdicts}
    assert outcome["G4a"] == outcome["G4b"] == outcome["G4c"] == "holds"


def test_trajectories_are_exact_at_the_ends(found):
    charts = {chart.name: chart for a in found.answers for chart in a.charts}
    for series in charts["trajectories"].panels[0].series:
        assert (series.x[0], series.y[0]) == (0, 0)
        assert (series.x[-1], series.y[-1]) == (1, 0)
        assert series.y.max() > 0
    plane = charts["plane"]
    trail = plane.trajectories["training"]
    assert trail[0] == pytest.approx((0, 0))
    assert trail[-1] == pytest.approx(plane.points["solution"], abs=1e-4)


def test_positions_beyond_the_ends():
    t = lines.beyond()
    assert t[0] == -0.25
    assert t[-1] == 1.25
    assert {0.0, 1.0} < set(t.tolist())


def test_where_the_loss_is_least_and_how_far_it_rises():
    """A parabola with its bottom at 1.1, so that on the way to 1 it only falls."""
    t = lines.beyond()
    planted = Profile(t, {"train": {"loss": Curve.exact(t, (t - 1.1) ** 2)}})
    assert lines.least_at(planted) == 1.1
    up = np.array([2.0, 1.0, 1.5, 0.0])
    t = np.linspace(0, 1, 4)
    assert lines.rise(Profile(t, {"train": {"loss": Curve.exact(t, up)}})) == 0.5


def pairs_of(alone, parents):
    """Independent pairs by their seeds, and children of one parent each."""
    rows = [{"common": "nothing", "a": a, "b": b, "together": False, "loss": 1.0} for a, b in alone]
    rows += [{"common": "x", "a": p, "b": p, "together": True, "loss": 0.0} for p in parents]
    return solutions.clustered(Frame.of(rows))


def test_pairs_that_share_a_seed_are_one_group():
    """Pairs 0-1, 2-3, 4-5; children of 1 began where the first pair's second run did."""
    rows = pairs_of([(0, 1), (2, 3), (4, 5)], [0, 1, 2, 7])
    assert rows.values("cluster") == (0, 2, 4, 0, 0, 2, 7)


@pytest.mark.parametrize("name", ["laptop", "paper"])
def test_enough_seeds_to_decide(name):
    """What is asked of shares by activation, of all activations, and of pairs of seeds."""
    claims = {c.id: c.test for i in catalogue.paper(NAME).items for c in i.claims}
    runs = {k: v.runs for k, v in catalogue.scale(NAME, name).populations.items()}
    rows = Frame.of(
        {"kind": run.full()["net"]["options"]["activation"], "seed": run.seed, "falls": True}
        for run in runs["activations"]
    )
    assert claims["G1a"].decide(rows).outcome == "holds"
    at_solution = {"sigmoid": "G1d", "relu": "G1e", "tanh": "G1h"}
    assert set(at_solution) == set(rows.by("kind"))
    for kind, group in rows.by("kind").items():
        is_so = [True] * (len(group) - 1) + [False]  # an exception among ten is not too much
        planted = Frame({"kind": group.values("kind"), "at_solution": is_so})
        assert claims[at_solution[kind]].decide(planted).outcome == "holds"
    alone = [run.seed for run in runs["solutions"]]
    parents = dict.fromkeys(run.seed for run in runs["spawned"])
    pairs = pairs_of(list(zip(alone[::2], alone[1::2], strict=True)), list(parents))
    sides = [pairs.where(together=is_so) for is_so in (True, False)]
    assert set(sides[0].values("cluster")) == set(sides[1].values("cluster"))
    assert claims["G2c"].decide(pairs).outcome == "holds"


@pytest.mark.parametrize("name", ["smoke", "laptop", "paper"])
def test_scales_have_what_items_need(name):
    paper, scale = catalogue.paper(NAME), catalogue.scale(NAME, name)
    assert [item.name for item in paper.items if missing(item, scale)] == []
    assert needed(paper.items, scale)
    for setting in ("points", "side", "factored_starts"):
        assert scale.setting(setting) > 0


def test_at_laptop_scale_every_population_has_five_seeds():
    for name, spec in catalogue.scale(NAME, "laptop").populations.items():
        assert len({run.seed for run in spec.runs}) >= 5, name


# --- the factored loss -----------------------------------------------------------------------


def test_planted_numbers():
    begin = saddle.starts(3000)
    assert (begin.prod(1) < 0).sum() == 1544
    assert saddle.falls(begin, saddle.limit(begin)).all()


def test_the_flow_ends_where_it_must():
    begin = saddle.starts(200)
    path = saddle.flow(begin, np.linspace(0, saddle.UNTIL, 401))
    kept = path[..., 0] ** 2 - path[..., 1] ** 2
    assert np.abs(kept - kept[0]).max() < 1e-7  # what the flow conserves
    assert np.abs(path[-1] - saddle.limit(begin)).max() < 1e-7
    assert (np.diff(saddle.loss(path), axis=0) <= 1e-9).all()


def test_the_flow_against_euler_steps():
    begin = np.array([[0.05, 0.02], [1.5, -1.45], [-1.5, 0.5]])
    w, step = begin.copy(), 1e-4
    for _ in range(10_000):
        w = w - step * 2 * (w.prod(1, keepdims=True) - 1) * w[:, ::-1]
    assert saddle.flow(begin, np.array([0.0, 1.0]))[-1] == pytest.approx(w, abs=1e-3)


def test_the_saddle_is_the_limit_of_its_stable_line():
    assert saddle.limit(np.array([[0.7, -0.7], [0.0, 0.0]])).tolist() == [[0, 0], [0, 0]]


def test_a_line_that_rises_is_told():
    """From below -1 over the other branch's basin: the line to the minimum far away rises."""
    begin, end = np.array([[-1.0, -1.2]]), np.array([[1.0, 1.0]])
    assert not saddle.falls(begin, end)[0]


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(0.1, 10), st.booleans())
def test_the_exact_criterion_against_a_fine_grid(w1, w2, x, flip):
    """Any line to any minimum, not only to the flow's own."""
    begin, end = np.array([[w1, w2]]), np.array([[x, 1 / x]]) * (-1 if flip else 1)
    value, lead = begin.prod() - 1, (end - begin).prod()
    if abs(abs(lead) - abs(value)) < 1e-2 or abs(value) < 1e-2:
        return  # at the edge a grid cannot tell
    heights = saddle.on_line(begin, end, np.linspace(0, 1, 20_001))[0]
    rises = (heights - np.minimum.accumulate(heights)).max()
    assert saddle.falls(begin, end)[0] == (rises < 1e-9)
