"""Tables, sentences and the figure of a merge."""

import json

import numpy as np
import pytest
import torch

from ridgeline.merging import Fisher, Slerp, Ties, merge
from ridgeline.merging.pool import Plan
from ridgeline.numerals import Z
from ridgeline.report import Scores, score_sentence, score_table, scores_figure
from ridgeline.report.merged import merge_sentence


@pytest.fixture
def scores():
    draw = np.random.default_rng(0)
    values = {
        name: {
            split: {
                "loss": draw.normal(mean, 0.1, n),
                "error": (draw.random(n) < 0.2).astype(float),
            }
            for split, n in (("train", 40), ("test", 20))
        }
        for name, mean in (("a.pt", 0.1), ("runs/<b>.pt", 0.2), ("merged", 1.0))
    }
    return Scores(("a.pt", "runs/<b>.pt"), ("merged",), values)


def test_what_was_made_comes_first_and_its_numbers_are_apart(scores):
    table = score_table(scores)
    assert [row[2] for row in table.rows[:3]] == ["merged", "a.pt", "runs/<b>.pt"]
    assert "±" in table.rows[0][3]
    first, second = table.records()[:2]
    x = scores.values["merged"]["train"]["loss"]
    assert first["value"] == x.mean() and first["n"] == 40 and first["made"]
    assert first["stderr"] == pytest.approx(x.std(ddof=1) / 40**0.5)
    assert first["above"] == pytest.approx(x.mean() - 0.15, abs=0.05)
    assert second["above"] is None


def test_each_state_has_a_dot_with_its_interval_in_each_panel(scores):
    figure = scores_figure(scores)
    assert figure.rows == scores.rows()
    assert "n = 40 (train), 20 (test)" in figure.caption
    dots = [series for panel in figure.chart.panels for series in panel.series]
    assert [series.label for series in dots] == ["train", "test"] * 2
    value, stderr = scores.value("merged", "train", "loss")
    assert (dots[0].x[0], dots[0].high[0] - dots[0].x[0]) == (value, pytest.approx(Z * stderr))
    told = json.loads(json.dumps(figure.hover(), allow_nan=False))["panels"]
    assert [target["texts"][2].split("\n")[:2] for target in told[0]] == [
        *(["runs/<b>.pt", "train"], ["runs/<b>.pt", "test"])
    ]
    axes = figure.matplotlib().axes
    assert [ax.get_xlabel().split(" ")[0] for ax in axes] == ["loss", "error"]
    assert all(ax.get_yticklabels()[0].get_text() == "merged" for ax in axes)


def test_what_is_not_finite_is_left_out_and_named(scores):
    scores.values["merged"]["test"]["loss"][3] = np.inf
    figure = scores_figure(scores)
    assert "left out: merged (loss, test)" in figure.caption
    dots = [target for panel in figure.hover()["panels"] for target in panel]
    assert [len(target["x"]) for target in dots] == [3, 2, 3, 3]
    assert figure.svg()
    scores.values["merged"]["train"]["loss"][3] = np.nan
    assert score_sentence(scores).endswith("the checkpoints: not finite (merged).")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (merge, "2 checkpoints merged by Mean: all 2 tensors."),
        (lambda s: merge(s[:1]), "1 checkpoint merged by Mean: all 2 tensors."),
        (lambda s: merge(s, weights=[1, 3]), "by Mean (weights 1, 3)"),
        (lambda s: merge(s, layers=["fc"]), "1 of 2 tensors, the others as in the first."),
        (lambda s: merge(s, by=Slerp(0.25)), "by Slerp (t 0.25)"),
        (lambda s: merge(s, by=Ties(keep=0.5), base=s[0]), "by Ties (keep 0.5, scale 1)"),
        (lambda s: merge(s, by=Fisher(s)), "by Fisher: all"),
    ],
)
def test_a_merge_is_told_with_the_numbers_that_were_chosen(made, said):
    states = [{"fc.weight": torch.ones(2) * k, "out.weight": torch.ones(2)} for k in (1, 2)]
    assert said in merge_sentence(made(states))


def test_a_merge_by_the_users_own_strategy_is_told():
    class First:
        needs_base = False

        def plan(self, pool):
            return Plan(lambda name: pool.states[0][name].double(), pool.equal)

    states = [{"fc.weight": torch.ones(2) * k} for k in (1, 2)]
    assert merge_sentence(merge(states, by=First())).startswith("2 checkpoints merged by First: ")


def test_samples_that_depend_on_the_state_are_not_paired():
    """As of a precision: of those that each state predicts to be of a class."""
    one, two, made = np.array([1.0, 0, 1]), np.array([1.0, 1, 0, 0]), np.array([0.0, 1])
    held = {"a": one, "b": two, "m": made}
    scores = Scores(("a", "b"), ("m",), {n: {"test": {"p": x}} for n, x in held.items()})
    cost, error = scores.cost("m", "test", "p")
    assert cost == pytest.approx(0.5 - (2 / 3 + 0.5) / 2)
    each = [x.std(ddof=1) / np.sqrt(len(x)) for x in (made, one / 2, two / 2)]
    assert error == pytest.approx(np.sqrt(np.square(each).sum()))
