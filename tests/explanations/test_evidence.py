"""Profiles and numbers that say why a line looks as it does, on planted curves."""

import numpy as np
import pytest

from ridgeline.explanations.evidence import Evidence, _trapezoid
from ridgeline.explanations.variants import HOMOGENEOUS, UNIFORM
from ridgeline.measures import Curve
from ridgeline.profiles import Profile

T = np.array([0.0, 0.5, 1.0])


def profile(loss, error=None):
    curves = {"loss": Curve.exact(T, np.array(loss, float))}
    if error is not None:
        curves["error"] = Curve.exact(T, np.array(error, float))
    return Profile(T, {"train": curves})


def evidence(profiles, layers=None):
    return Evidence(profiles, layers or {}, None, 2.5, 1.0)


def test_weights_of_the_trapezoid_rule():
    t = np.array([0.0, 0.2, 1.0])
    assert _trapezoid(t) == pytest.approx([0.1, 0.5, 0.4])
    assert _trapezoid(t) @ t**1 == pytest.approx(0.5)


def test_areas_are_of_the_paths_that_have_the_metric():
    found = evidence({UNIFORM: profile([1, 1, 0], [0.9, 0.9, 0]), "other": profile([1, 0, 0])})
    assert list(found.areas("error")) == [UNIFORM] and list(found.areas("loss")) == [
        UNIFORM,
        "other",
    ]
    assert found.areas("loss")[UNIFORM] == pytest.approx(0.75)


def test_the_layer_whose_start_costs_most_comes_first():
    layers = {"a": profile([2, 1.5, 1]), "b": profile([5, 2, 1], [0.9, 0.5, 0.1])}
    b, a = evidence({}, layers).matter()
    assert (b.name, b.cost, b.halfway) == ("b", 4.0, 1.0) and b.error == pytest.approx(0.8)
    assert (a.name, a.cost, a.halfway, a.error) == ("a", 1.0, 0.5, None)


def test_the_share_that_homogeneous_biases_save():
    paths = {UNIFORM: profile([1, 1, 0]), HOMOGENEOUS: profile([1, 0, 0])}
    share, (low, high) = evidence(paths).saved("loss")
    assert share == pytest.approx(1 - 0.25 / 0.75) and low == high == share


def test_nothing_is_saved_where_it_was_not_measured_or_nothing_is_there():
    assert evidence({UNIFORM: profile([1, 1, 0])}).saved("loss") is None
    assert (
        evidence({UNIFORM: profile([0, 0, 0]), HOMOGENEOUS: profile([1, 0, 0])}).saved("loss")
        is None
    )
    assert (
        evidence({UNIFORM: profile([1, 1, 0]), HOMOGENEOUS: profile([1, 0, 0])}).saved("error")
        is None
    )


def test_it_says_what_it_holds():
    found = evidence({UNIFORM: profile([1, 1, 0])}, {"fc": profile([1, 1, 0])})
    assert repr(found) == "Evidence(paths: uniform rates; layers: fc; distance 2.5)"
    assert "layers: none" in repr(evidence({UNIFORM: profile([1, 1, 0])})) and found.uniform
