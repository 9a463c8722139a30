"""Studies of paths around a barrier: what they share, and their columns on planted numbers."""

from types import SimpleNamespace

import numpy as np
import pytest

from ridgeline.frame import Frame
from ridgeline.studies import catalogue, connected, draxler2018, garipov2018, sonthalia2024

CLAIMS = {
    claim.id: claim
    for study in (garipov2018, draxler2018, sonthalia2024)
    for item in study.PAPER.items
    for claim in item.claims
}


class Bench:
    """Planted runs, settings and measurements."""

    def __init__(self, monkeypatch, study, seeds, measure, **settings):
        self.runs = [SimpleNamespace(seed=s, at=lambda path: [64, 8, 10]) for s in range(seeds)]
        self.asked, self.measure, self.settings = [], measure, settings
        monkeypatch.setattr(study, "networks", lambda bench: [("net", self.runs)])

    def setting(self, name):
        return self.settings[name]

    def tell(self, *_):
        pass

    def kept(self, measure, runs, **options):
        seeds = [run.seed for run in runs]
        self.asked.append((measure.__name__, seeds, options))
        return self.measure(measure.__name__, options)


def test_each_run_has_a_pair_with_the_next():
    assert connected.circle("abc") == [("a", "b"), ("b", "c"), ("c", "a")]


@pytest.mark.parametrize(("line", "left", "share"), [(2.0, 0.5, 0.75), (2.0, 3.0, -0.5)])
def test_the_share_of_a_barrier_that_is_gone(line, left, share):
    assert connected.removed(line, left) == share


def test_of_no_barrier_nothing_is_gone():
    assert np.isnan(connected.removed(0.0, 0.0))


def test_levels_are_those_of_the_curves():
    curves = {
        ("loss", "train"): [0.1, 3.0, 0.3],
        ("error", "train"): [0.0, 0.4, 0.1],
        ("error", "test"): [0.2, 0.5, 0.3],
    }
    profile = SimpleNamespace(
        curve=lambda metric, split: SimpleNamespace(mean=np.array(curves[metric, split])),
        barrier=lambda split: SimpleNamespace(height={"train": 2.8, "test": 2.0}[split]),
    )
    found = connected.levels(profile)
    expected = {"barrier": 2.8, "test": 2.0, "top": 3.0, "least": 0.6, "worse": 0.2}
    assert found == pytest.approx(expected)


def path_of(name, options):
    """A line of barrier 2, and curves with a hundredth of it, or a tenth as a chain."""
    height = {"bezier": 0.02, "polygon": 0.2}.get(options.get("kind", "bezier"))
    height = 2.0 if name == "straight" else height
    return {"barrier": height, "worse": 0.01, "stretch": 1.2, "top": height + 0.1}


def test_curves_are_compared_with_the_line_of_their_pair(monkeypatch):
    asked = {"steps": 3, "batch": 4, "rate": 0.1, "side": 9}
    bench = Bench(monkeypatch, garipov2018, 5, path_of, **asked)
    found = garipov2018.curves(bench)
    assert found["bezier_removed"] == pytest.approx([0.99] * 5)
    assert found["polygon_removed"] == pytest.approx([0.9] * 5)
    sides = [o["side"] for name, _, o in bench.asked if name == "_curve"]
    assert sides == [9] + [0] * 9  # the plane is of one curve
    outcomes = {id: CLAIMS[id].decide(found, "").outcome for id in ("C1a", "C1b", "C1c")}
    assert outcomes == {"C1a": "holds", "C1b": "fails", "C1c": "holds"}


def test_bands_are_compared_with_the_line_of_their_pair(monkeypatch):
    bench = Bench(monkeypatch, draxler2018, 5, path_of, share=0.1, batch=8)
    found = draxler2018.bands(bench)
    assert found["removed"] == pytest.approx([0.99] * 5)
    assert found["top"] == pytest.approx([0.12] * 5)
    assert {CLAIMS[id].decide(found, "").outcome for id in ("D1a", "D1b", "D1c")} == {"holds"}


def test_a_star_is_compared_with_pairs_of_its_first_networks(monkeypatch):
    def planted(name, options):
        feet, others = np.array([0.1, 0.3]), np.array([0.5, 0.7])
        return {"barrier": np.array(0.9)} if name == "_pair" else {"feet": feet, "held_out": others}

    asked = {"anchors": 2, "steps": 3, "batch": 4, "rate": 0.1}
    bench = Bench(monkeypatch, sonthalia2024, 4, planted, **asked)
    found = sonthalia2024.domain(bench)
    rows = [(row["regular"], row["anchor"], row["heldout"]) for row in found]
    assert rows == [pytest.approx((0.9, 0.2, 0.6))] * 4
    assert ("_pair", [0, 3], {}) in bench.asked  # of the star of seeds 3, 0, 1: sorted
    assert [seeds for name, seeds, _ in bench.asked if name == "_star"][1] == [1, 2, 3, 0]


@pytest.mark.parametrize(("heldout", "outcome"), [(0.1, "holds"), (0.3, "fails")])
def test_held_out_networks_are_compared_star_by_star(heldout, outcome):
    rows = Frame.of(
        {"star": i, "width": w, "regular": 0.2 + i / 100, "heldout": heldout + i / 100}
        | {"anchor": 0.01}
        for i in range(6)
        for w in (8, 16)
    )
    assert CLAIMS["S1b"].decide(rows, "").outcome == outcome
    assert CLAIMS["S1a"].decide(rows, "").measured.estimate == pytest.approx(0.19 + 0.025)


@pytest.mark.parametrize("name", ["garipov2018", "draxler2018", "sonthalia2024"])
def test_scales_have_five_seeds_at_least(name):
    for scale in catalogue.scales(name):
        (spec,) = catalogue.scale(name, scale).populations.values()
        assert len({run.seed for run in spec.runs}) >= 5
