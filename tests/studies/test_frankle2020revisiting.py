"""Frankle 2020 at its smallest scale, its scales, and what counts as a barrier."""

import numpy as np
import pytest

from ridgeline.measures import Curve
from ridgeline.profiles import Profile
from ridgeline.studies import catalogue
from ridgeline.studies.frankle2020revisiting import later
from ridgeline.study.plan import Machine
from ridgeline.study.reproduction import missing, needed, reproduce
from ridgeline.study.store import Store
from ridgeline.training import SGD, Steps

NAME = "frankle2020revisiting"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    scale = catalogue.scale(NAME, "smoke")
    store = Store(tmp_path_factory.mktemp("store"))
    return reproduce(
        catalogue.paper(NAME), scale, store, machine=Machine(workers=1, threads=1, together=16)
    )


def test_every_item_is_measured(found):
    assert {a.item.id: a.left_out for a in found.answers if a.left_out} == {}
    assert [a.item.id for a in found.answers] == ["F1", "F2"]
    assert not found.failures


def test_every_claim_gets_a_verdict_or_a_reason(found):
    asked = {claim.id for item in found.paper.items for claim in item.claims}
    assert {verdict.claim.id for verdict in found.verdicts} == asked
    for verdict in found.verdicts:
        m = verdict.measured
        assert m.why or np.isfinite([m.estimate, m.low, m.high]).all()
    names = [chart.name for a in found.answers for chart in a.finding.charts]
    assert len(set(names)) == len(names)


def test_lines_begin_at_every_state_that_was_kept(found):
    table = found.answers[1].finding.tables[0]
    steps = {}
    for network, step, *_ in table.rows:
        steps.setdefault(network, []).append(step)
    assert steps == {
        "LeNet-300-100": [0, 7, 28],
        "with BatchNorm, large rate": [0, 7, 28],
        "VGG": [0, 2],
        "ResNet-20": [0, 2],
    }


@pytest.mark.parametrize("name", ["smoke", "laptop", "paper"])
def test_scales_have_what_items_need(name):
    paper, scale = catalogue.paper(NAME), catalogue.scale(NAME, name)
    assert [item.name for item in paper.items if missing(item, scale)] == []
    assert needed(paper.items, scale)
    for setting in ("points", "convolutional_points"):
        assert scale.setting(setting) > 0


def test_at_laptop_scale_every_population_has_five_seeds():
    for name, spec in catalogue.scale(NAME, "laptop").populations.items():
        assert len({run.seed for run in spec.runs}) >= 5, name


def test_the_paper_scale_is_the_frameworks():
    """Batch, rate, schedule, decay and length of the specification's table."""
    scale = catalogue.scale(NAME, "paper")
    lenet = scale.populations["lenet"].runs[0].training
    assert (lenet.length, lenet.batch_size) == ("40ep", 128)
    assert lenet.optimiser == SGD(learning_rate=0.1)
    for name in ("vgg", "resnet"):
        recipe = scale.populations[name].runs[0].training
        assert (recipe.length, recipe.batch_size) == ("160ep", 128)
        assert recipe.optimiser == SGD(learning_rate=0.1, momentum=0.9, weight_decay=1e-4)
        assert recipe.schedule == Steps(at=("80ep", "120ep"), by=0.1)


def line(*heights):
    t = np.linspace(0, 1, len(heights))
    return Profile(t, {"train": {"loss": Curve.exact(t, heights)}})


def test_a_plateau_is_no_barrier():
    assert later.barrier(line(2.0, 2.0, 1.9, 0.0)) == 0
    assert later.barrier(line(1.0, 1.5, 0.5, 0.1)) == pytest.approx(0.5)


def test_the_highest_barrier_leaves_the_start_out():
    """Step to lines, one a run: the first run is highest at step 4, the second at step 2."""
    by = {
        0: [line(2, 9, 0), line(2, 2, 0)],
        2: [line(1, 1.2, 0), line(1, 1.7, 0)],
        4: [line(1, 1.4, 0), line(1, 0.5, 0)],
    }
    assert later.peak(by) == pytest.approx([0.4, 0.7])
