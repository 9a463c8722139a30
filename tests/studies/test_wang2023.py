"""Wang et al. 2023 at its smallest scale, and what its scales declare."""

import pytest

from ridgeline.studies import catalogue
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
