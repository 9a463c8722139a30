"""Frankle 2020 at its smallest scale, its scales, and what counts as a barrier."""

import numpy as np
import pytest

from ridgeline.errors import UsageError
from ridgeline.frame import Frame
from ridgeline.measures import Curve, convexity
from ridgeline.profiles import Profile
from ridgeline.studies import catalogue
from ridgeline.studies.frankle2020revisiting import later
from ridgeline.studies.frankle2020revisiting.later import barrier
from ridgeline.study.reproduction import missing, needed
from ridgeline.training import SGD, Steps
from whole import check_whole

NAME = "frankle2020revisiting"


def test_every_item_is_measured_and_every_claim_gets_a_verdict_or_a_reason(found):
    check_whole(found, ["F1", "F2"])


def test_lines_begin_at_every_state_that_was_kept(found):
    table = found.answers[1].tables[0]
    steps = {}
    for network, step, *_ in table.rows:
        steps.setdefault(network, []).append(step)
    assert steps == {
        "LeNet-300-100": [0, 5, 28],
        "with BatchNorm, large rate": [0, 5, 28],
        "VGG": [0, 1],
        "ResNet-20": [0, 1],
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
    assert barrier(line(2.0, 2.0, 1.9, 0.0)) == 0
    assert barrier(line(1.0, 1.5, 0.5, 0.1)) == pytest.approx(0.5)


def test_below_the_chord_is_not_convex():
    """Steps of -4, -1, -2, -1: one second difference of three is negative, none above the chord."""
    steps = line(8, 4, 3, 1, 0)
    found = convexity(steps.curve())
    assert found.overall == 1
    assert found.local == pytest.approx(2 / 3)


def claim(name):
    return next(c for item in catalogue.paper(NAME).items for c in item.claims if c.id == name)


def planted(*, length=40):
    """The first run is highest at step 4, the second at step 2; from the start both are high."""
    lines = {
        0: [line(2, 2.25, 0), line(2, 2, 0)],
        2: [line(1, 1.25, 0), line(1, 1.75, 0)],
        4: [line(1, 1.5, 0), line(1, 0.5, 0)],
        16: [line(1, 1.125, 0), line(1, 0.5, 0)],
    }
    for profiles in lines.values():
        for one in profiles:
            one.curves["train"]["error"] = one.curve()
    return Frame.of(
        {"population": label, "seed": seed, "step": step, "length": length, "profile": profile}
        for label in later.NETWORKS
        for step, profiles in lines.items()
        for seed, profile in zip((3, 5), profiles, strict=True)
    )


def test_the_highest_barrier_leaves_the_start_out():
    cases = claim("F2d").test.cases(later.lines_from(planted()))
    assert list(cases) == [0.5, 0.75]


def test_the_early_state_is_the_last_of_the_first_tenth():
    assert later.early(planted(length=40)) == 4  # exactly a tenth
    assert later.early(planted(length=39)) == 2
    assert later.early(planted(length=20)) == 2
    assert later.early(planted(length=400)) == 16
    assert list(claim("F2a").test.cases(later.lines_from(planted(length=40)))) == [0.5, 0.0]


def test_a_state_and_the_start_of_one_run_are_a_pair():
    cases = claim("F2c").test.cases(later.lines_from(planted()))
    assert (list(cases["more"]), list(cases["less"])) == ([0.5, 0.0], [0.25, 0.0])
    assert cases["more_group"] == cases["less_group"] == [3, 5]


def test_states_that_were_not_kept_are_said_in_a_line():
    with pytest.raises(UsageError, match="within the first tenth"):
        later.lines_from(planted(length=10))


def test_convexity_of_networks_is_compared_seed_by_seed():
    rows = Frame.of(
        {"population": net, "seed": seed, "convex": value}
        for net, value in (("LeNet-300-100", 1.0), ("VGG", 0.5))
        for seed in range(5)
    )
    found = claim("F1e").decide(rows, "").measured
    assert (found.outcome, found.n, found.estimate) == ("holds", 5, 0.5)


def test_the_early_state_is_the_rules_at_every_scale():
    """At scale laptop the specification's fourth epoch; nothing is chosen by what was found."""
    for name, at in (("laptop", "4ep"), ("paper", "16ep")):
        for population in ("vgg", "resnet"):
            kept = catalogue.scale(NAME, name).populations[population].runs[0].training
            share = {k: int(k[:-2]) / int(kept.length[:-2]) for k in kept.keep.at}
            assert max((k for k in share if share[k] <= 0.1), key=share.__getitem__) == at


def test_five_seeds_in_three_networks_decide_that_a_loss_falls():
    rows = Frame({"falls": [True] * 15, "seed": [0, 1, 2, 3, 4] * 3})
    assert claim("F1a").decide(rows, "").outcome == "holds"
    assert claim("F1a").decide(rows.derive(falls=False), "").outcome == "fails"
