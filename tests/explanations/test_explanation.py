"""Explanations on networks whose reasons are planted."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from ridgeline import data, report
from ridgeline.errors import UsageError
from ridgeline.explanations import explain, explained
from ridgeline.explanations.variants import HOMOGENEOUS, SETTLED, UNIFORM, ZERO, ends
from ridgeline.explanations.words import _shorter
from ridgeline.nets import fcn
from ridgeline.objective import Objective, squared_error
from ridgeline.paths.starts import zeros
from ridgeline.training import SGD, Recipe, train


@pytest.fixture(scope="module")
def digits():
    split = data.load("digits?train=300")["train"]
    return split.inputs, split.targets


@pytest.fixture(scope="module")
def trained(digits):
    model = fcn(64, 32, 32, 10, bias="last", scale=0.5)
    recipe = Recipe(length="60ep", batch_size=50, optimiser=SGD(learning_rate=0.05, momentum=0.9))
    return model, train(model, digits, recipe)


@pytest.fixture(scope="module")
def drowned(trained, digits):
    """From zero weights, with a last bias that drowns the signal for long."""
    model, run = trained
    b = {**run.final}
    b["fc3.bias"] = b["fc3.bias"].clone()
    b["fc3.bias"][4] += 3 * 2.0
    scaled = {**b, "fc3.weight": b["fc3.weight"] * 4}
    with pytest.MonkeyPatch.context() as patch:
        # Else a slow machine measures which strategy is best for each line, and they round apart.
        patch.setattr("ridgeline.engine.choice.WORTH_MEASURING", float("inf"))
        return explain(zeros(scaled), scaled, Objective(model, digits), points=21)


def test_biases_that_drown_the_signal_are_found_out(drowned):
    # From zero, homogeneous labels are those of the end all the way: the whole area is theirs.
    share, (low, high) = drowned.saved("error")
    assert low > 0.5
    assert low < share < high
    flat = drowned.profiles[HOMOGENEOUS].curve("error").mean[1:]
    np.testing.assert_allclose(flat, flat[-1])
    assert drowned.dominant.label == 4
    assert drowned.dominant.share > 0.95
    said = " ".join(explained(drowned)["The part of the biases"])
    assert "take away" in said
    assert "class 4" in said
    assert "homogeneous biases" in explained(drowned)["What would shorten it"][0]


def test_the_line_from_zero_is_the_uniform_line_of_a_zero_start(drowned):
    np.testing.assert_allclose(
        drowned.profiles[ZERO].curve().mean, drowned.profiles[UNIFORM].curve().mean
    )


def test_paths_end_where_they_should(trained, digits):
    model, run = trained
    found = explain(run.initial, run.final, Objective(model, digits), points=11)
    assert set(found.profiles) == {UNIFORM, HOMOGENEOUS, SETTLED, ZERO}
    ends = {name: one.curve().mean[-1] for name, one in found.profiles.items()}
    np.testing.assert_allclose(list(ends.values()), ends[UNIFORM], rtol=1e-5)
    assert set(found.layers) == {"fc1", "fc2", "fc3"}
    order = [layer.cost for layer in found.matter()]
    assert order == sorted(order, reverse=True)
    first = found.layers["fc2"].curve()
    mixed = {**run.final, "fc2.weight": run.initial["fc2.weight"]}
    loss = nn.functional.cross_entropy(_call(model, mixed, digits[0]), digits[1])
    assert first.mean[0] == pytest.approx(float(loss), rel=1e-5)
    assert found.gauss.mean > 0


def _call(model, state, x):
    return torch.func.functional_call(model, state, x)


@pytest.mark.parametrize(
    ("options", "why"), [({"norm": "batch"}, "layer index"), ({"bias": False}, "no biases")]
)
def test_what_cannot_be_formed_is_said(digits, options, why):
    model, other = (fcn(64, 16, 16, 10, seed=seed, **options) for seed in (0, 1))
    found = explain(
        model.state_dict(), other.state_dict(), Objective(model, digits), points=5, layers=False
    )
    assert HOMOGENEOUS not in found.profiles
    assert why in found.why_not[HOMOGENEOUS]
    assert found.saved() is None
    assert (found.dominant is None) == ("bias" in options)
    assert found.layers == {}
    said = explained(found)
    assert "Layers" not in said
    assert any("Not measured" in sentence for sentence in said["The part of the biases"])


def test_a_regression_is_explained_by_its_loss_alone(digits):
    model, other = (fcn(64, 16, 1, seed=seed) for seed in (0, 1))
    goal = Objective(model, (digits[0], digits[1].float()[:, None]), loss=squared_error)
    found = explain(model.state_dict(), other.state_dict(), goal, points=5)
    assert found.areas("error") == {}
    assert found.saved("error") is None
    assert found.saved("loss") is not None
    assert found.matter()[0].error is None
    assert found.matter()[0].halfway is not None
    even = explain(model.state_dict(), other.state_dict(), goal, points=4)
    assert even.matter()[0].halfway is None  # 1/2 is not among them
    assert report.explanation_tables(even)[1].rows[0][-1] == "-"
    summary = report.summarise_explanation(found)
    assert summary["said"]["Monotone or not"]


def test_the_summary_is_strict_json(drowned):
    import json

    summary = report.summarise_explanation(drowned)
    again = json.loads(json.dumps(summary, allow_nan=False))
    assert again["dominant"]["label"] == 4
    assert again["format"] == "ridgeline-explanation"
    assert {"uniform rates", "from zero weights"} <= set(again["profiles"])
    assert again["matter"][0]["name"] in again["layers"]


def test_progress_is_told(trained, digits):
    model, run = trained
    told = []
    explain(
        run.initial,
        run.final,
        Objective(model, digits),
        points=3,
        progress=lambda what, done, of: told.append(what),
    )
    assert {"uniform rates", "layer fc1"} <= set(told)


def test_an_explanation_prints_its_words(drowned):
    said = str(drowned)
    for heading, sentences in explained(drowned).items():
        assert heading in said and all(sentence in said for sentence in sentences)
    assert "uniform rates" in repr(drowned) and len(repr(drowned)) < 300


def test_ends_are_the_losses_at_both(trained, digits):
    model, run = trained
    first, last = ends(run.initial, run.final, Objective(model, digits))
    for measured, state in ((first, run.initial), (last, run.final)):
        loss = nn.functional.cross_entropy(_call(model, state, digits[0]), digits[1])
        assert measured == pytest.approx(float(loss), rel=1e-5)


def test_a_reason_has_no_advice_that_cannot_be_taken(digits):
    model, other = (fcn(64, 16, 16, 10, seed=seed, norm="batch") for seed in (0, 1))
    found = explain(
        model.state_dict(), other.state_dict(), Objective(model, digits), points=3, layers=False
    )
    assert "rates=" not in found.why_not[HOMOGENEOUS]
    assert UNIFORM in found.profiles and ZERO in found.profiles and found.gauss is not None


def test_what_a_variant_refuses_stops_no_other(digits, trained, monkeypatch):
    from ridgeline.explanations import explanation

    def refuses(*_, **__):
        raise UsageError("This is refused.", got="it", remedy="Do otherwise.")

    monkeypatch.setattr(explanation, "layerwise", refuses)
    model, run = trained
    found = explain(run.initial, run.final, Objective(model, digits), points=3)
    assert found.layers == {} and found.why_not["single layers"] == "This is refused. Got it."
    assert ZERO in found.profiles


@pytest.mark.parametrize(("area", "clear"), [(0.97, False), (0.951, False), (0.94, True)])
def test_a_path_shortens_only_if_its_area_is_clearly_smaller(area, clear):
    curve = SimpleNamespace(higher_is_better=False)
    found = SimpleNamespace(
        uniform=SimpleNamespace(curves={"train": {"loss": curve}}),
        areas=lambda _: {"uniform rates": 1.0, "other": area},
    )
    (said,) = _shorter(found)
    assert said.startswith("Area of loss 1 at uniform rates; less on: other") == clear
    assert said.startswith("None of the paths that were tried has a clearly smaller") != clear
