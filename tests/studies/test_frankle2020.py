"""Frankle 2020 at its smallest scale, its scales, and from which step on children are stable."""

from types import SimpleNamespace

import pytest

from ridgeline.studies import catalogue
from ridgeline.studies.frankle2020.controls import settled
from whole import check_whole, scale_of

NAME = "frankle2020"


def test_every_item_is_measured_and_every_claim_gets_a_verdict_or_a_reason(found):
    check_whole(found, ["S1", "S2", "S3"])


def test_children_part_at_every_step_that_was_asked(found):
    steps = {}
    for network, step, pairs, *_ in found.answers[0].finding.tables[0].rows:
        steps.setdefault(network, []).append(step)
        assert pairs == (5 if network == "LeNet-300-100" else 2)
    assert steps == {"LeNet-300-100": [0, 40], "ResNet-20": [0, 40]}


def test_children_are_nearer_the_later_they_part(found):
    rows = [row for row in found.answers[2].finding.tables[0].rows if row[0] == "LeNet-300-100"]
    distances = [float(row[2].split()[0]) for row in rows]
    assert distances == sorted(distances, reverse=True)


def test_settled_is_the_first_step_after_which_nothing_is_unstable():
    def cell(*heights):
        return [SimpleNamespace(instability=lambda h=h: h) for h in heights]

    found = {0: cell(0.3), 10: cell(0.01), 20: cell(0.05), 40: cell(0.01, 0.019), 80: cell(0.0)}
    assert settled(found) == 40
    assert settled({0: cell(0.0)}) == 0
    assert settled({0: cell(0.0), 10: cell(0.0, 0.02)}) is None


@pytest.mark.parametrize("name", ["smoke", "laptop", "paper"])
def test_scales_have_what_items_need(name):
    scale = scale_of(NAME, name)
    assert scale.setting("points") == 30


def test_at_laptop_scale_every_population_has_five_parents():
    for name, spec in catalogue.scale(NAME, "laptop").populations.items():
        assert len({run.seed for run in spec.runs}) >= 5, name
