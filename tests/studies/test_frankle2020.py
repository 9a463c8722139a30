"""Frankle 2020 at its smallest scale, its scales, and from which step on children are stable."""

import pytest

from ridgeline.frame import Frame
from ridgeline.studies import catalogue
from ridgeline.studies.frankle2020.controls import settled
from whole import check_whole, scale_of

NAME = "frankle2020"


def test_every_item_is_measured_and_every_claim_gets_a_verdict_or_a_reason(found):
    check_whole(found, ["S1", "S2", "S3"])


def test_children_part_at_every_step_that_was_asked(found):
    steps = {}
    for network, step, pairs, *_ in found.answers[0].tables[0].rows:
        steps.setdefault(network, []).append(step)
        assert pairs == (5 if network == "LeNet-300-100" else 2)
    assert steps == {"LeNet-300-100": [0, 40], "ResNet-20": [0, 40]}


def test_children_are_nearer_the_later_they_part(found):
    rows = [row for row in found.answers[2].tables[0].rows if row[0] == "LeNet-300-100"]
    distances = [float(row[2].split()[0]) for row in rows]
    assert distances == sorted(distances, reverse=True)


def rows_of(cells):
    return Frame.of({"step": step, "test": h} for step, of in cells.items() for h in of)


def test_settled_is_the_first_step_after_which_nothing_is_unstable():
    found = {0: [0.3], 20: [0.05], 10: [0.01], 40: [0.01, 0.019], 80: [0.0]}
    assert settled(rows_of(found)) == 40
    assert settled(rows_of({0: [0.0]})) == 0
    assert settled(rows_of({0: [0.0], 10: [0.0, 0.02]})) is None


def claim(name):
    return next(c for item in catalogue.paper(NAME).items for c in item.claims if c.id == name)


def test_claims_ask_the_steps_that_they_name():
    rows = Frame.of(
        {"network": net, "step": step, "late": step == 40, "first_rate": step <= 40, "seed": seed}
        | {"test": (0.0 if net == "LeNet-300-100" else 0.5 - step / 100) + seed / 1000}
        for net in ("LeNet-300-100", "ResNet-20")
        for step in (0, 20, 40, 80)
        for seed in range(5)
    )
    found = {name: claim(name).decide(rows, "").measured for name in ("S1a", "S1b", "S1c", "S1e")}
    estimates = {name: round(one.estimate, 6) for name, one in found.items()}
    assert estimates == {"S1a": 0.002, "S1b": 0.502, "S1c": 0.102, "S1e": 0.4}
    assert {one.n for one in found.values()} == {5}
    trend = claim("S1d").test.cases(rows)
    assert set(trend["x"]) == {0, 20, 40}  # the first learning rate's


def test_children_for_the_whole_length_are_compared_seed_by_seed():
    rows = Frame.of(
        {"network": name, "seed": seed, "compared": seed + by}
        for name, by in (("what is left", 0.0), ("whole length", 0.001))
        for seed in range(6)
    )
    found = claim("S2a").decide(rows, "").measured
    assert (found.outcome, found.n, round(found.estimate, 6)) == ("holds", 6, 0.001)
    nothing = claim("S2a").decide(rows.derive(compared=None), "").measured
    assert (nothing.outcome, nothing.n) == ("undecided", 0)


@pytest.mark.parametrize("name", ["smoke", "laptop", "paper"])
def test_scales_have_what_items_need(name):
    scale = scale_of(NAME, name)
    assert scale.setting("points") == 30


def test_at_laptop_scale_every_population_has_five_parents():
    for name, spec in catalogue.scale(NAME, "laptop").populations.items():
        assert len({run.seed for run in spec.runs}) >= 5, name
