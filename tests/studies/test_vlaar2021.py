"""Vlaar & Frankle 2022 at its smallest scale, and what its scales declare."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ridgeline import nets
from ridgeline.frame import Frame
from ridgeline.studies import catalogue
from ridgeline.studies.vlaar2021 import layers, shapes, starts, sweeps
from ridgeline.study.members import Sources
from ridgeline.study.reproduction import missing, needed
from ridgeline.study.subjects import Subject

NAME = "vlaar2021"


def test_every_item_is_measured_and_every_claim_has_a_verdict(found):
    assert not found.failures
    assert {a.item.id: a.left_out for a in found.answers} == dict.fromkeys(
        ("V1", "V2", "V3", "V4"), ""
    )
    asked = {claim.id for item in found.paper.items for claim in item.claims}
    assert {verdict.claim.id for verdict in found.verdicts} == asked
    for answer in found.answers:
        still = [v for v in answer.verdicts if v.measured.estimate != v.measured.estimate]
        assert not still or any("without any rank" in text for text in answer.rows.notes)
        few = [text for text in answer.rows.notes if "undecided is to be expected" in text]
        assert len(few) == (answer.item.id != "V3")  # four and seven settings are few
    names = [chart.name for a in found.answers for chart in a.charts]
    assert len(set(names)) == len(names)


def test_a_run_at_the_common_setting_counts_once(found):
    n = {v.claim.id: v.measured.n for v in found.verdicts}
    assert n["V1a"] == 4  # settings: common; fewer samples; noise; augmentation
    assert n["V2a"] == 7
    assert n["V4c"] == 4
    assert (n["V4a"], n["V4b"], n["V3a"]) == (5, 5, 5)  # seeds, each with its ordinary run


def test_layers_are_the_networks_own_and_ends_agree(found):
    rows = next(a for a in found.answers if a.item.id == "V3").tables[0].rows
    assert [row[1] for row in rows] == ["fc1", "fc2", "fc3"] * 2
    ends = {row[3] for row in rows if row[0] == "end"}
    starts = {row[2] for row in rows if row[0] == "start"}
    assert len(ends) == len(starts) == 1  # every layer ends at the minimum, or starts at the start


def test_children_train_on_clean_labels_from_what_they_were_given(found):
    scale = found.scale
    for run in scale.populations["adversarial"].runs:
        if run.parent is not None:
            assert run.data.label_noise == 1.0
            assert run.trained_on.label_noise == 0.0
    kinds = {run.spawn.layers for run in scale.populations["partial"].runs if run.spawn}
    assert kinds == {("fc1", "norm1"), ("fc3",)}


@pytest.mark.parametrize("name", ["smoke", "laptop", "paper"])
def test_scales_have_what_items_need_with_five_seeds(name):
    paper, scale = catalogue.paper("vlaar2021"), catalogue.scale("vlaar2021", name)
    assert [item.name for item in paper.items if missing(item, scale)] == []
    assert needed(paper.items, scale)
    for spec in scale.populations.values():
        assert {run.seed for run in spec.runs} == set(range(5))


@pytest.mark.parametrize("name", ["smoke", "laptop", "paper"])
def test_layers_that_are_pre_trained_are_layers_of_the_network(name):
    scale = catalogue.scale("vlaar2021", name)
    for run in scale.populations["partial"].runs:
        if run.spawn is None or run.seed:
            continue
        state = run.net.build(0).state_dict()
        for layer in run.spawn.layers:
            assert any(key.startswith(f"{layer}.") for key in state), layer


def planted(shape, *, per=1, **more):
    """Rows of runs in settings of `per` seeds: test errors rise, shapes are planted by name."""
    rows = [
        {"run": SimpleNamespace(hash=str(i)), "factor": "one", "value": str(i // per)}
        | {"diverged": False, "seed": i % per, "test": i / 10}
        | {name: float(shape(i)) for name in shapes.SHAPES}
        | {name: float(of(i)) for name, of in more.items()}
        for i in range(20)
    ]
    return shapes.settled(Frame.of(rows))


def test_each_shape_has_two_claims_that_can_fail():
    made = shapes.claims("V9", "c", "runs")
    assert [claim.id for claim in made] == [f"V9{letter}" for letter in "cdefghij"]
    for below, above in zip(made[::2], made[1::2], strict=True):
        assert (below.test.test.side, below.test.test.at) == ("below", 0.5)
        assert (above.test.test.side, above.test.test.at) == ("above", -0.5)
        assert below.decide(planted(lambda i: i), "").outcome == "fails"
        assert above.decide(planted(lambda i: i), "").outcome == "holds"
        assert above.decide(planted(lambda i: -i), "").outcome == "fails"
        assert above.decide(planted(lambda i: (7 * i) % 20), "").outcome != "fails"


def rows_of(*groups):
    """Rows of runs by factor and value; a run is its number, and its error a tenth of that."""
    runs = {i: SimpleNamespace(hash=str(i)) for i in range(12)}
    return Frame.of(
        {"factor": factor, "value": value, "run": runs[i], "diverged": i in lost, "test": i / 10}
        for factor, value, numbers, lost in groups
        for i in numbers
    )


def test_a_setting_that_stands_in_several_factors_is_one():
    rows = shapes.settled(
        rows_of(
            ("one", "a", range(4), ()),
            ("one", "b", range(4, 8), ()),
            ("two", "a", range(4), ()),
            ("two", "c", (8,), (8,)),
        )
    )
    assert rows.values("setting") == (0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, None)
    one = shapes.distinct(rows)
    assert [run.hash for run in one.values("run")] == list("01234567")
    signs = dict(zip(shapes.SHAPES, (1, -1, 0, 2), strict=True))
    by_name = {
        name: lambda test, sign=sign: float(sign * 10 * test) for name, sign in signs.items()
    }
    rows = rows.derive(**by_name)
    told = shapes.correlations(rows).rows
    assert [row[1] for row in told] == ["1.00", "-1.00", "-", "1.00"]
    assert [row[3] for row in told] == ["1.00", "-1.00", "-", "1.00"]
    one = shapes.distinct(rows)
    assert shapes.still(one)[0].endswith("test: error plateau end.")
    assert shapes.still(one.derive(**{"error plateau end": lambda test: test})) == []
    cases = shapes.claims("V1", "a", "runs")[2].test.cases(rows)
    np.testing.assert_allclose(cases["x"], [-i for i in range(8)])
    np.testing.assert_allclose(cases["y"], [i / 10 for i in range(8)])
    assert cases["group"] == [0] * 4 + [1] * 4


def test_a_shape_equal_in_most_settings_has_no_correlation_and_says_so():
    # Seven of ten settings of two seeds.
    rows = planted(lambda i: i // 2, per=2, **{"largest rise": lambda i: max(0, i // 2 - 6)})
    assert shapes.still(shapes.distinct(rows)) == [
        "The same in more than half of the settings, so without any rank correlation to test: "
        "largest rise."
    ]
    decided = {c.id: c.decide(rows, "") for c in shapes.claims("V1", "a", "runs")}
    assert {id: v.outcome for id, v in decided.items()} == {
        **dict.fromkeys(("V1a", "V1e", "V1g"), "fails"),
        **dict.fromkeys(("V1b", "V1f", "V1h"), "holds"),
        **dict.fromkeys(("V1c", "V1d"), "undecided"),
    }


def test_so_few_settings_are_said_to_decide_little():
    assert "0.41" in shapes.power(7)[0]
    assert shapes.power(12)
    assert shapes.power(40) == []
    assert shapes.power(1) == []


def test_starts_are_compared_seed_by_seed():
    def runs(value, base, by_seed, lost=()):
        return [
            {"factor": starts.LAYERS, "value": value, "seed": s}
            | {"test": None if s in lost else base + by * s}
            for by in by_seed
            for s in range(6)
        ]

    (claim,) = (c for item in starts.ITEMS for c in item.claims if c.id == "V4b")
    # Seeds differ by far more than starts do: what is worse shows only in pairs.
    lost = Frame.of([*runs("fc1", 0.101, [0.1, 0.1], (5,)), *runs("none", 0.1, [0.1])])
    assert len(claim.test.cases(lost)["more"]) == 10
    assert claim.decide(lost, "").measured.n == 6
    equal = Frame.of([*runs("fc1", 0.1011, [0.1, 0.1]), *runs("none", 0.1, [0.1])])
    found = claim.decide(equal, "").measured
    assert (found.outcome, found.n) == ("holds", 6)
    assert found.low == pytest.approx(0.0011)


def test_layers_are_compared_within_a_network_at_both_ends():
    rows = Frame.of(
        {"others": others, "seed": seed, "end": end, "area": area + 10 * seed}
        for others, areas in (("end", (0.2, 0.5)), ("start", (0.5, 0.49)))
        for end, area in zip(("first", "last"), areas, strict=True)
        for seed in range(6)
    )
    found = {c.id: c.decide(rows, "").measured for item in layers.ITEMS for c in item.claims}
    assert {id: one.outcome for id, one in found.items()} == {"V3a": "holds", "V3b": "fails"}
    assert found["V3a"].estimate == pytest.approx(0.3)


def test_blocks_are_weights_with_their_norm():
    assert layers.blocks(nets.fcn(4, 3, 3, 2, norm="batch").state_dict()) == {
        "fc1": ["fc1", "norm1"],
        "fc2": ["fc2", "norm2"],
        "fc3": ["fc3"],
    }
    state = nets.resnet20(width=4).state_dict()
    found = layers.blocks(state)
    assert found["conv1"] == ["conv1", "bn1"]
    assert found["layer1.0.conv2"] == ["layer1.0.conv2", "layer1.0.bn2"]
    assert found["fc"] == ["fc"]
    covered = {
        key for names in found.values() for n in names for key in state if key.startswith(f"{n}.")
    }
    assert covered == set(state)
    assert layers.blocks({"scale": torch.ones(1), "w": torch.ones(2, 2)}) == {
        "scale": ["scale"],
        "w": ["w"],
    }


def test_labels_of_settings(found):
    def told(population, label):
        runs = [run for run in found.scale.populations[population].runs if run.seed == 0]
        return [label(Subject(run, None, Sources())) for run in runs]  # labels need no weights

    labels = {name: told(name, label) for name, label in sweeps.DESIGN.values()}
    assert labels["rates"] == ["0.01", "0.1"]
    assert labels["norms"] == ["none", "batch"]
    assert labels["depths"] == ["3 layers", "5 layers"]
    assert {name: told(name, label) for name, label in sweeps.DATA.values()} == {
        "amounts": ["200", "500"],
        "noises": ["0", "0.5"],
        "augmentations": ["none", "augmented"],
    }
