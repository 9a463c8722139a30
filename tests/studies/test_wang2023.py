"""Wang et al. 2023 at its smallest scale, and what its scales declare."""

from types import SimpleNamespace

import numpy as np
import pytest

from ridgeline.studies import catalogue
from ridgeline.studies.wang2023 import order, theory
from ridgeline.study.papers import Item
from ridgeline.study.plan import Machine
from ridgeline.study.reproduction import missing, needed, reproduce
from ridgeline.study.store import Store


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    paper = catalogue.paper("wang2023")
    scale = catalogue.scale("wang2023", "smoke", ["measure.points=11", "measure.flow_seeds=5"])
    machine = Machine(workers=1, threads=1, together=16)
    return reproduce(paper, scale, Store(tmp_path_factory.mktemp("store")), machine=machine)


def test_every_item_is_measured(found):
    assert {a.item.id: a.left_out for a in found.answers if a.left_out} == {}
    assert [a.item.id for a in found.answers] == [f"W{i}" for i in range(1, 12)]


def test_every_claim_gets_a_verdict(found):
    asked = {claim.id for item in found.paper.items for claim in item.claims}
    assert {verdict.claim.id for verdict in found.verdicts} == asked
    names = [chart.name for a in found.answers for chart in a.finding.charts]
    assert len(set(names)) == len(names)


def test_what_is_proved_holds(found):
    outcome = {v.claim.id: v.outcome for v in found.verdicts}
    assert outcome["W6d"] == "holds"  # the floor of the loss
    assert outcome["W7b"] == "holds"  # the sum of biases
    assert outcome["W10"] == "holds"
    assert outcome["W8c"] == "holds"


def test_runs_of_one_seed_are_one_case_or_a_pair(found):
    n = {v.claim.id: v.measured.n for v in found.verdicts}
    assert n["W1b"] == n["W1c"] == 5  # pairs, and not ten runs
    assert n["W9a"] == n["W9b"] <= 5


def test_learning_order_takes_each_seeds_mean_over_data_sets(monkeypatch):
    planted = {  # data set, seed: correlation, hit
        ("small", 0): (1.0, True),
        ("small", 1): (0.0, False),
        ("large", 0): (0.5, False),
        ("large", 1): (float("nan"), True),
    }
    runs = [SimpleNamespace(data=data, seed=seed, diverged=False) for data, seed in planted]
    for run in runs:
        run.at = lambda path, run=run: run.data

    def measured(run):
        correlation, hit = planted[run.data, run.seed]
        values = {"correlation": correlation, "hit": hit, "chance": 0.1}
        points = {"learned": np.arange(3.0), "bias": np.arange(3.0)}
        return {**{key: np.array(value) for key, value in values.items()}, **points}

    monkeypatch.setattr(order, "_order", measured)
    kept = lambda measure, some: measure(*some)  # noqa: E731 (read in place)
    bench = SimpleNamespace(runs=lambda _: runs, tell=lambda *_: None, kept=kept)
    finding = order.learning_order(bench)
    assert finding.cases["W9a"] == [0.75, 0.0]
    assert finding.cases["W9b"] == pytest.approx([0.4, -0.1])
    assert "1 runs in which all classes are tied" in finding.words[0]


def test_the_prediction_bounds_only_if_it_does_so_in_every_run():
    (claim,) = (c for item in theory.ITEMS for c in item.claims if c.id == "W6b")
    assert claim.decide([True] * 10, "").outcome == "holds"
    assert claim.decide([True] * 9 + [False], "").outcome == "fails"


@pytest.mark.parametrize("name", ["smoke", "laptop", "paper"])
def test_scales_have_what_items_need(name):
    paper, scale = catalogue.paper("wang2023"), catalogue.scale("wang2023", name)
    assert [item.name for item in paper.items if missing(item, scale)] == []
    assert needed(paper.items, scale)


def test_at_laptop_scale_every_cell_has_five_seeds():
    scale = catalogue.scale("wang2023", "laptop")
    for name, spec in scale.populations.items():
        assert len({run.seed for run in spec.runs}) >= 5, name


def test_items_are_named_once():
    for paper in map(catalogue.paper, catalogue.PAPERS):
        names = [item.name for item in paper.items]
        assert len(set(names)) == len(names)
        ids = [claim.id for item in paper.items for claim in item.claims]
        assert len(set(ids)) == len(ids)
        assert all(isinstance(item, Item) for item in paper.items)
