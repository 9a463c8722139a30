"""Wang et al. 2023 at its smallest scale, and what its scales declare."""

from types import SimpleNamespace

import numpy as np
import pytest

from ridgeline.frame import Frame
from ridgeline.studies import catalogue
from ridgeline.studies.wang2023 import order
from ridgeline.study.papers import Item
from ridgeline.study.reproduction import missing, needed

NAME = "wang2023"


def test_every_item_is_measured(found):
    assert {a.item.id: a.left_out for a in found.answers if a.left_out} == {}
    assert [a.item.id for a in found.answers] == [f"W{i}" for i in range(1, 12)]


def test_every_claim_gets_a_verdict(found):
    asked = {claim.id for item in found.paper.items for claim in item.claims}
    assert {verdict.claim.id for verdict in found.verdicts} == asked
    names = [chart.name for a in found.answers for chart in a.charts]
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
    rows = Frame.of(
        {"run": SimpleNamespace(data=data, seed=seed), "data": data, "seed": seed}
        for data, seed in planted
    )

    def measured(run):
        correlation, hit = planted[run.data, run.seed]
        values = {"correlation": correlation, "hit": hit, "chance": 0.1}
        points = {"learned": np.arange(3.0), "bias": np.arange(3.0)}
        return {**{key: np.array(value) for key, value in values.items()}, **points}

    monkeypatch.setattr(order, "_order", measured)
    kept = lambda measure, some: measure(*some)  # noqa: E731 (read in place)
    bench = SimpleNamespace(frame=lambda *_, **__: rows, tell=lambda *_: None, kept=kept)
    (item,) = order.ITEMS
    rows = item.measure(bench)
    cases = {claim.id: claim.test.cases(rows) for claim in item.claims}
    assert cases["W9a"] == [0.75, 0.0]
    assert cases["W9b"] == pytest.approx([0.4, -0.1])
    assert item.shown(rows)[1].rows == [
        ["small", "0.50 ± 0.71 (2)", "1 of 2"],
        ["large", "0.5 (1)", "0 of 1"],
    ]
    assert "1 runs in which all classes are tied" in rows.notes[0]


def claim(name):
    return next(
        c for item in catalogue.paper("wang2023").items for c in item.claims if c.id == name
    )


def test_biases_are_compared_with_the_network_of_the_same_seed_without():
    areas = {"no bias": (0.1, 0.2), "all biases": (0.3, 0.4), "last bias only": (0.2, None)}
    rows = Frame.of(
        {"biases": kind, "seed": seed, "area": value}
        for kind, of in areas.items()
        for seed, value in enumerate(of)
        if value is not None
    )
    assert list(claim("W2b").test.cases(rows)) == pytest.approx([3.0, 2.0])
    assert list(claim("W2c").test.cases(rows)) == pytest.approx([2.0])


def test_what_homogeneous_rates_change_is_within_a_run():
    rows = Frame.of(
        {"biases": "all biases", "seed": seed, "along": along, "area": area, "loss_area": loss}
        for along, area, loss in (("uniform rates", 0.6, 2.0), ("homogeneous", 0.2, 1.9))
        for seed in range(2)
    )
    assert list(claim("W3a").test.cases(rows)) == pytest.approx([3.0, 3.0])
    assert list(claim("W3b").test.cases(rows)) == pytest.approx([0.05, 0.05])


def test_the_prediction_bounds_only_if_it_does_so_in_every_run():
    rows = Frame({"bounds": [True] * 9})
    assert claim("W6b").decide(rows, "").outcome == "holds"
    assert claim("W6b").decide(rows + Frame({"bounds": [False]}), "").outcome == "fails"


def test_networks_without_a_plateau_or_an_interval_are_no_cases():
    rows = Frame({"level": [0.95] * 6 + [None], "proved": [None] * 7})
    assert claim("W6a").decide(rows, "").measured.n == 6
    assert claim("W6c").decide(rows, "").measured.n == 0


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
