"""Entezari 2021 at its smallest scale, its scales, and the arithmetic it adds."""

import numpy as np
import pytest

from ridgeline.frame import Frame
from ridgeline.measures import Curve, barrier
from ridgeline.paths import Line
from ridgeline.studies import catalogue, matched, pairs
from ridgeline.studies.entezari2021 import annealing, permuted, sweeps, temperature
from ridgeline.study.bench import Bench
from whole import check_whole, scale_of

NAME = "entezari2021"


@pytest.fixture
def bench(found, store):
    return Bench(found.scale, store, item="annealing")


def test_every_item_is_measured_and_every_claim_gets_a_verdict_or_a_reason(found):
    check_whole(found, [f"E{i}" for i in range(1, 6)])


@pytest.mark.parametrize("name", ["smoke", "laptop", "paper"])
def test_scales_have_what_items_need(name):
    scale = scale_of(NAME, name)
    widths = {run.net.options["widths"][1] for run in scale.populations["widths"].runs}
    at = scale.setting("threshold")
    assert sum(w <= at for w in widths) >= 2
    assert sum(w >= at for w in widths) >= 2
    depths = {len(run.net.options["widths"]) - 2 for run in scale.populations["depths"].runs}
    assert set(scale.setting("depths", "annealing")) <= depths
    for spec in scale.populations.values():
        assert len({run.seed for run in spec.runs}) >= 10


def test_the_paper_scale_is_the_released_settings():
    recipe = catalogue.scale(NAME, "paper").populations["widths"].runs[0].training
    assert (recipe.length, recipe.batch_size, recipe.stop_below) == ("3000ep", 64, 0.01)
    assert (recipe.optimiser.learning_rate, recipe.optimiser.weight_decay) == (0.001, 0.0)
    scale = catalogue.scale(NAME, "paper")
    found = [
        scale.setting(name, "annealing")
        for name in ("steps", "initial_temperature", "final_temperature")
    ]
    assert found == [50_000, 25_000, 2.5]


def claim(name):
    return next(c for item in catalogue.paper(NAME).items for c in item.claims if c.id == name)


def test_the_width_at_the_threshold_is_on_both_sides():
    rows = Frame({"at": [4, 8, 16, 8], "judged": [0.1, 0.2, 0.3, 0.4], "group": list("aaab")})
    found = {name: claim(name).test.cases(sweeps.sides(rows, 8)) for name in ("E1a", "E1b")}
    narrow, wide = ({key: list(values) for key, values in of.items()} for of in found.values())
    assert narrow == {"x": [4, 8, 8], "y": [0.1, 0.2, 0.4], "group": ["a", "a", "b"]}
    assert wide == {"x": [8, 16, 8], "y": [0.2, 0.3, 0.4], "group": ["a", "a", "b"]}


def test_barriers_of_networks_that_learned_nothing_decide_nothing():
    rows = Frame({"train": [0.5, 0.6], "learned": [True, False]})
    judged = rows.derive(judged=pairs.of_learned("train"))["judged"]
    assert judged[0] == 0.5
    assert np.isnan(judged[1])


def test_excesses_are_a_pairs_mean_over_widths_and_depths():
    rows = Frame({"judged": [0.1, 0.3, 0.2], "group": ["0-1", "0-1", "2-3"]})
    assert claim("E3a").test.cases(rows) == pytest.approx([0.2, 0.2])


def test_excess_is_a_share_of_the_permuted_mean():
    test = {"real": np.array(1.5), "permuted": np.array([0.5, 1.5])}
    assert permuted.excess(test) == pytest.approx(0.5)


def test_a_network_of_both_sweeps_counts_once(found, bench):
    """That of one layer of 16 is in both: E3 has it among widths alone."""
    shared = {r.hash for r in bench.runs("widths")} & {r.hash for r in bench.runs("depths")}
    assert len(shared) == 10
    (answer,) = (a for a in found.answers if a.item.id == "E3")
    labels = [row[0] for row in answer.tables[0].rows]
    assert labels == ["4 units", "16 units", "64 units", "2 layers"]


def test_excesses_of_both_signs_do_not_cancel(found):
    (answer,) = (a for a in found.answers if a.item.id == "E3")
    (verdict,) = answer.verdicts
    means = [float(row[4].split()[0]) for row in answer.tables[0].rows]
    assert verdict.measured.estimate == pytest.approx(np.mean(means), abs=0.05)


def test_real_barriers_are_those_of_the_lines(found):
    """The test's own barriers and those of the item on width are of the same lines."""
    by_item = {a.item.id: a for a in found.answers}
    widths = by_item["E1"].tables[0].rows
    real = by_item["E3"].tables[0].rows[: len(widths)]
    assert [row[1] for row in real] == [row[1] for row in widths]


def test_the_loss_halfway_is_the_objectives(bench):
    pair = pairs.apart(bench.runs("depths", {"net.widths": [64, 16, 10]}))[0]
    halfway = annealing.Halfway(pair, len(pair.a.train))
    a, b = pair.states
    expected = float(pair.a.objective()(Line(a, b)(0.5))["loss"].double().mean())
    assert halfway(b) == pytest.approx(expected, rel=1e-6)


def test_annealing_ends_no_worse_on_what_it_follows(bench):
    for pair in pairs.apart(bench.runs("depths", {"net.widths": [64, 16, 16, 10]})):
        halfway = annealing.Halfway(pair, bench.setting("samples"))
        orders = matched.matched_orders(bench, pair, annealing.BY_BARRIER)
        moved = matched.carried(pair, orders)
        assert halfway(moved) <= halfway(pair.states[1]) + 1e-6


def test_a_calibrated_barrier_is_over_its_own_ends():
    t = np.linspace(0, 1, 3)
    measured = {"t": t, "loss": np.array([0.2, 0.5, 0.4])}
    assert temperature._height(measured, "loss") == pytest.approx(0.2)
    assert barrier(Curve.exact(t, measured["loss"])).at == 0.5
