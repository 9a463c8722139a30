"""Tao, Li & Zhan 2024 at its smallest scale, and what its scales declare."""

import pytest

from ridgeline.frame import Frame
from ridgeline.studies import catalogue, tao2024
from ridgeline.study.reproduction import missing, needed

NAME = "tao2024"


@pytest.mark.slow
def test_every_item_is_measured_and_every_claim_has_a_verdict(found):
    assert not found.failures
    assert {a.item.id: a.left_out for a in found.answers} == {"T1": "", "T2": ""}
    asked = {claim.id for item in found.paper.items for claim in item.claims}
    assert {verdict.claim.id for verdict in found.verdicts} == asked
    assert {v.measured.n for v in found.verdicts} == {5}  # seeds, also where kinds are compared


@pytest.mark.slow
def test_what_is_proved_holds(found):
    outcome = {v.claim.id: v.outcome for v in found.verdicts}
    assert (outcome["T2a"], outcome["T2b"]) == ("holds", "holds")


def test_networks_of_a_seed_are_one_case():
    same = {
        "all biases": {0: True, 2: True, 3: False},  # seed 1 diverged
        "last bias only": {0: True, 1: True, 2: False, 3: True},
    }
    rows = Frame.of(
        {"biases": kind, "along": "bias aˡ", "seed": seed, "same": value}
        for kind, of in same.items()
        for seed, value in of.items()
    )
    claim = next(c for item in tao2024.PAPER.items for c in item.claims if c.id == "T2b")
    assert claim.test.cases(rows) == [True, False, False, True]  # 0, 2, 3, 1


@pytest.mark.parametrize("name", ["smoke", "laptop"])
def test_scales_have_what_items_need_with_five_seeds(name):
    paper, scale = catalogue.paper("tao2024"), catalogue.scale("tao2024", name)
    assert [item.name for item in paper.items if missing(item, scale)] == []
    assert needed(paper.items, scale)
    for spec in scale.populations.values():
        assert len({run.seed for run in spec.runs}) >= 5
