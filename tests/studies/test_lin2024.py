"""Lin et al. 2024: its students against a plain loop, its fits and claims on planted numbers."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ridgeline.errors import UsageError
from ridgeline.frame import Frame
from ridgeline.studies import catalogue, lin2024
from ridgeline.studies.lin2024 import sparse, taught, trained, uniform
from ridgeline.studies.lin2024.lengths import exponents
from ridgeline.studies.lin2024.students import train_students
from ridgeline.study.preflight import missing
from ridgeline.theory.minima import risk

CLAIMS = {claim.id: claim for item in lin2024.PAPER.items for claim in item.claims}


# --- students --------------------------------------------------------------------------------

ASKED = {"teachers": 2, "neurons": 6, "dimension": 3, "count": 2, "scale": 0.8, "rate": 1.5}


def train(seed=0, **changed):
    more = {"batch": 7, "until": 1e-9, "most": 30} | changed
    return train_students(**{**ASKED, **more}, rng=np.random.default_rng(seed))


def test_students_are_those_of_a_plain_loop_of_sgd():
    found = train()
    rng = np.random.default_rng(0)
    weights = torch.tensor(0.8 / 18**0.5 * rng.standard_normal((2, 6, 3)), requires_grad=True)
    for _ in range(30):
        x = rng.standard_normal((2, 7, 3))
        x = torch.tensor(x / np.linalg.norm(x, axis=-1, keepdims=True))
        answers = torch.relu(x @ weights.transpose(1, 2)).sum(-1)
        loss = ((answers - torch.relu(x[..., :2]).sum(-1)) ** 2).mean(1).sum()
        (slope,) = torch.autograd.grad(loss, weights)
        weights = (weights - 1.5 / 6 * slope).detach().requires_grad_()
    np.testing.assert_allclose(found.weights, weights.detach().numpy(), rtol=1e-9)
    np.testing.assert_allclose(found.risks, risk(found.weights, 2))
    assert found.steps == 30


def test_training_ends_at_its_risk():
    found = train(until=1e-4, most=50_000, batch=20)
    assert (found.risks <= 1e-4).all() and found.steps < 50_000 and found.steps % 250 == 0


def test_a_student_that_diverges_is_told_and_leaves_the_others():
    found = train(rate=1e4, most=600)
    assert np.isnan(found.risks).all() and found.steps == 250


def test_nonsense_is_not_trained():
    with pytest.raises(UsageError, match="rate 0"):
        train(rate=0)


def test_a_pair_that_did_not_reach_its_risk_has_no_numbers():
    weights = np.stack([np.eye(4)] * 2)
    assert taught._measured(weights, np.array([True, False])) == {}
    found = taught._measured(np.stack([np.eye(4), np.eye(4)[::-1]]), np.array([True, True]))
    assert np.isinf(found["ratio"]) and found["zeros"] == 0 and found["moved"] == 0


# --- fits ------------------------------------------------------------------------------------


def planted(exponent, *, column="m", at=(64, 256, 1024), noise=0.02, **more):
    """Rows whose ratio is 1 plus a power of the setting."""
    rng = np.random.default_rng(0)
    rows = [
        {column: x, "pair": i, "ratio": 1 + 0.5 * x**exponent * (1 + noise * rng.standard_normal())}
        for i in range(10)
        for x in at
    ]
    return Frame.of(rows).derive(
        over=lambda ratio: ratio - 1, under=lambda ratio: ratio - 1, **more
    )


@pytest.mark.parametrize("exponent", [-0.5, 0.0, 0.5])
def test_an_exponent_is_fitted_for_each_pair(exponent):
    found = exponents("m", lambda over: over)(planted(exponent, noise=0.0))
    assert found["exponent"] == pytest.approx([exponent] * 10)


def test_a_pair_without_a_path_at_some_width_is_not_fitted():
    rows = planted(-0.5)
    some = rows.derive(over=lambda over, pair, m: None if (pair, m) == (3, 256) else over)
    assert exponents("m", lambda over: over)(some).values("pair") == (0, 1, 2, *range(4, 10))


@pytest.mark.parametrize(("exponent", "outcome"), [(-0.5, "holds"), (0.0, "fails")])
def test_theorem_14_would_hold_of_an_excess_that_falls_with_the_root(exponent, outcome):
    for name, r in zip("ab", sparse.CLASH, strict=True):
        rows = planted(exponent, r=r)
        assert CLAIMS[f"N9{name}"].decide(rows, "").outcome == outcome


@pytest.mark.parametrize(
    ("exponent", "outcomes"),
    [(0.5, ("holds", "holds")), (0.0, ("fails", "holds")), (1.0, ("holds", "fails"))],
)
def test_theorem_12_holds_of_a_root_of_the_teacher(exponent, outcomes):
    rows = Frame.of(
        [
            {"law": "types", "by": "M", "M": M, "pair": i, "ratio": M**exponent * (1 + 0.001 * i)}
            for i in range(6)
            for M in (2, 4, 8)
        ]
    )
    assert tuple(CLAIMS[id].decide(rows, "").outcome for id in ("N8a", "N8b")) == outcomes


@pytest.mark.parametrize(("exponent", "outcome"), [(0.0, "holds"), (0.3, "fails")])
def test_a_length_that_grows_with_the_width_is_seen(exponent, outcome):
    rows = Frame.of(
        [
            {"law": "types", "by": "m", "m": m, "pair": i, "ratio": 2 * m**exponent * (1 + i / 99)}
            for i in range(6)
            for m in (64, 256)
        ]
    )
    assert uniform.FLAT == 0.05 and CLAIMS["N8g"].decide(rows, "").outcome == outcome


# --- trained networks ------------------------------------------------------------------------


class Asked:
    """A bench whose runs and measurements are planted."""

    def __init__(self, monkeypatch, seeds, measure, **settings):
        self.runs = [SimpleNamespace(seed=s) for s in seeds]
        self.asked, self.measure, self.settings = [], measure, settings
        monkeypatch.setattr(trained, "networks", lambda bench: [("net", self.runs)])

    def setting(self, name):
        return self.settings[name]

    def tell(self, *_):
        pass

    def kept(self, measure, runs, **options):
        self.asked.append((measure.__name__, [run.seed for run in runs], options))
        return self.measure(measure.__name__, [run.seed for run in runs], options)


def _planted_star(name, seeds, options):
    if name == "_line":
        return {"barrier": 2.0, "top": 2.5, "least": 0.4}
    r = options["feet"]
    arms = 0.1 * np.arange(1, r + 1)
    held = np.full(len(seeds) - r, 1.5)
    return {
        "arm_barrier": arms,
        "arm_top": arms,
        "arm_least": 1 - arms,
        "held_barrier": held,
        "centre": 0.3,
        "foot": 0.2,
    }


def test_a_stars_share_is_of_its_worst_arm_and_the_lines_between_its_feet(monkeypatch):
    bench = Asked(monkeypatch, range(5), _planted_star, feet=[3, 5], steps=7, batch=9)
    found = trained.stars(bench)
    three, five = found.where(feet=3), found.where(feet=5)
    assert (len(three), len(five)) == (5, 5)
    assert three["removed"] == pytest.approx([1 - 0.3 / 2] * 5)
    assert five["removed"] == pytest.approx([1 - 0.5 / 2] * 5)
    assert found["raised"] == pytest.approx([0.1] * 10)
    assert three["beyond"] == pytest.approx([1.5 - 0.2] * 5)
    assert five.values("held") == five.values("beyond") == (None,) * 5
    asked = {"steps": 7, "batch": 9}
    assert ("_star", [3, 4, 0, 1, 2], {"feet": 3, "seed": 3, **asked}) in bench.asked
    lines = {tuple(seeds) for name, seeds, _ in bench.asked if name == "_line"}
    assert lines == {(i, j) for j in range(5) for i in range(j)}  # each once, whatever the star


def test_a_star_of_more_feet_than_runs_is_refused(monkeypatch):
    bench = Asked(monkeypatch, range(4), _planted_star, feet=[5], steps=7, batch=9)
    with pytest.raises(UsageError, match="4 sound runs of net, 5 feet"):
        trained.stars(bench)


def test_where_a_line_has_no_barrier_nothing_is_removed():
    assert np.isnan(trained.removed(0.0, 0.0)) and trained.removed(2.0, 0.5) == 0.75


def test_the_length_is_the_least_of_chains_that_remove_enough(monkeypatch):
    def chains(name, seeds, options):
        removed = np.array([0.99, 0.95, 0.5]) if seeds[0] else np.array([0.8, 0.7, 0.6])
        return {"length": np.array([1.2, 1.04, 1.01]), "removed": removed, "line": 2.0}

    bench = Asked(monkeypatch, range(3), chains, penalties=[0, 1, 2], steps=7, batch=9)
    found = trained.geodesics(bench)
    assert found.values("length") == (float("inf"), 1.04, 1.04)
    assert found.values("short") == (False, True, True)
    assert [seeds for _, seeds, _ in bench.asked] == [[0, 1], [1, 2], [2, 0]]


@pytest.mark.parametrize(("share", "outcome"), [(0.95, "holds"), (0.85, "fails")])
def test_a_barrier_is_gone_above_nine_tenths_in_stars(share, outcome):
    rows = Frame.of(
        {"star": i, "network": n, "feet": r, "removed": share + 0.001 * i, "raised": 0.01}
        for i in range(5)
        for n in "ab"
        for r in (3, 5)
    )
    for id in ("N10a", "N10b"):
        found = CLAIMS[id].decide(rows, "").measured
        assert (found.outcome, found.n) == (outcome, 5)
    assert CLAIMS["N12"].decide(rows, "").outcome == "holds"


# --- scales ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", catalogue.scales("lin2024"))
def test_scales_have_what_items_need(name):
    scale = catalogue.scale("lin2024", name)
    for item in lin2024.PAPER.items:
        assert not missing(item, scale), item.name
        for setting in item.settings:
            scale.setting(setting, item.name)


@pytest.mark.parametrize("name", catalogue.scales("lin2024"))
def test_frequencies_are_asked_where_the_bound_says_something(name):
    scale = catalogue.scale("lin2024", name)
    for M, k, m in scale.setting("stars", "frequencies"):
        assert m > k * M, (M, k, m)
