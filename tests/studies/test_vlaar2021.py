"""Vlaar & Frankle 2022 at its smallest scale, and what its scales declare."""

from types import SimpleNamespace

import pytest
import torch

from ridgeline import nets
from ridgeline.studies import catalogue
from ridgeline.studies.vlaar2021 import layers, shapes, starts, sweeps
from ridgeline.study.members import Sources
from ridgeline.study.plan import Machine
from ridgeline.study.reproduction import missing, needed, reproduce
from ridgeline.study.store import Store
from ridgeline.study.subjects import Subject


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    scale = catalogue.scale("vlaar2021", "smoke", ["measure.points=6"])
    store = Store(tmp_path_factory.mktemp("store"))
    machine = Machine(workers=1, threads=1, together=16)
    return reproduce(catalogue.paper("vlaar2021"), scale, store, machine=machine)


def test_every_item_is_measured_and_every_claim_has_a_verdict(found):
    assert not found.failures
    assert {a.item.id: a.left_out for a in found.answers} == dict.fromkeys(
        ("V1", "V2", "V3", "V4"), ""
    )
    asked = {claim.id for item in found.paper.items for claim in item.claims}
    assert {verdict.claim.id for verdict in found.verdicts} == asked
    for answer in found.answers:
        still = [v for v in answer.verdicts if v.measured.estimate != v.measured.estimate]
        assert not still or any("without any rank" in text for text in answer.finding.words)
        few = [text for text in answer.finding.words if "undecided is to be expected" in text]
        assert len(few) == (answer.item.id != "V3")  # four and seven settings are few
    names = [chart.name for a in found.answers for chart in a.finding.charts]
    assert len(set(names)) == len(names)


def test_a_run_at_the_common_setting_counts_once(found):
    n = {v.claim.id: v.measured.n for v in found.verdicts}
    assert n["V1a"] == 4  # settings: common; fewer samples; noise; augmentation
    assert n["V2a"] == 7
    assert n["V4c"] == 4
    assert (n["V4a"], n["V4b"], n["V3a"]) == (5, 5, 5)  # seeds, each with its ordinary run


def test_layers_are_the_networks_own_and_ends_agree(found):
    rows = next(a for a in found.answers if a.item.id == "V3").finding.tables[0].rows
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


def test_each_shape_has_two_claims_that_can_fail():
    made = shapes.claims("V9", "c", "runs")
    assert [claim.id for claim in made] == [f"V9{letter}" for letter in "cdefghij"]
    x = list(range(20))
    strong = {"x": x, "y": x}
    inverse = {"x": x, "y": x[::-1]}
    none = {"x": x, "y": [(7 * i) % 20 for i in x]}
    for below, above in zip(made[::2], made[1::2], strict=True):
        assert (below.test.side, below.test.at) == ("below", 0.5)
        assert (above.test.side, above.test.at) == ("above", -0.5)
        assert below.decide(strong, "").outcome == "fails"
        assert above.decide(strong, "").outcome == "holds"
        assert above.decide(inverse, "").outcome == "fails"
        assert above.decide(none, "").outcome != "fails"


def test_cells_and_correlations_of_planted_runs():
    runs = [SimpleNamespace(hash=str(i), test_error=i / 10) for i in range(8)]
    arms = {"one": {"a": runs[:4], "b": runs[4:]}, "two": {"a": runs[:4], "c": []}}
    cells = shapes._cells(arms)
    assert [[run.hash for run in cell] for cell in cells] == [list("0123"), list("4567")]
    planted = {
        run.hash: {name: sign * i for name, sign in zip(shapes.SHAPES, (1, -1, 0, 2), strict=True)}
        for i, run in enumerate(runs)
    }
    cases = shapes._cases("V1", "a", cells, planted)
    assert cases["V1a"] == cases["V1b"]
    errors, cell = [i / 10 for i in range(8)], [0] * 4 + [1] * 4
    assert cases["V1c"] == {"x": [-i for i in range(8)], "y": errors, "group": cell}
    rows = shapes._correlations(cells, planted).rows
    assert [row[1] for row in rows] == ["1.00", "-1.00", "-", "1.00"]
    assert [row[3] for row in rows] == ["1.00", "-1.00", "-", "1.00"]
    assert shapes._still(cells, planted)[0].endswith("test: error plateau end.")
    assert (
        shapes._still(
            cells, {h: {**of, "error plateau end": i} for i, (h, of) in enumerate(planted.items())}
        )
        == []
    )


def test_a_shape_equal_in_most_settings_has_no_correlation_and_says_so():
    runs = [SimpleNamespace(hash=str(i), test_error=i / 10) for i in range(12)]
    cells = [runs[2 * i : 2 * i + 2] for i in range(6)]
    planted = {run.hash: dict.fromkeys(shapes.SHAPES, float(i)) for i, run in enumerate(runs)}
    for hash in "01234567":
        planted[hash]["largest rise"] = 0.0  # four of six settings
    assert shapes._still(cells, planted) == [
        "The same in more than half of the settings, so without any rank correlation to test: "
        "largest rise."
    ]
    cases = shapes._cases("V1", "a", cells, planted)
    decided = {c.id: c.decide(cases[c.id], "") for c in shapes.claims("V1", "a", "runs")}
    assert {id: v.outcome for id, v in decided.items()} == {
        **dict.fromkeys(("V1a", "V1e", "V1g"), "fails"),
        **dict.fromkeys(("V1b", "V1f", "V1h"), "holds"),
        **dict.fromkeys(("V1c", "V1d"), "undecided"),
    }


def test_so_few_settings_are_said_to_decide_little():
    assert "0.41" in shapes._power(7)[0]
    assert shapes._power(12)
    assert shapes._power(40) == []
    assert shapes._power(1) == []


def test_starts_are_compared_seed_by_seed():
    def runs(base, by_seed, lost=()):
        return [
            SimpleNamespace(seed=s, test_error=base + by * s, diverged=s in lost)
            for by in by_seed
            for s in range(6)
        ]

    claims = {c.id: c for item in starts.ITEMS for c in item.claims}
    # Seeds differ by far more than starts do: what is worse shows only in pairs.
    cases = starts._worse(runs(0.101, [0.1, 0.1], lost=(5,)), runs(0.1, [0.1]))
    assert len(cases["more"]) == 10
    found = claims["V4b"].decide(cases, "").measured
    assert found.n == 6
    equal = starts._worse(runs(0.1011, [0.1, 0.1]), runs(0.1, [0.1]))
    found = claims["V4b"].decide(equal, "").measured
    assert (found.outcome, found.n) == ("holds", 6)
    assert found.low == pytest.approx(0.0011)
    alone = {side: equal[side] for side in ("more", "less")}
    assert claims["V4b"].decide(alone, "").outcome == "undecided"


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
