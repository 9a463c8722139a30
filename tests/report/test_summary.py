import json
import math

import numpy as np
import pytest

from report.shapes import T, bump, curve
from ridgeline.measures import BARRIER_KINDS, Curve
from ridgeline.profiles import Profile
from ridgeline.report import summarise, summarise_surface


def strict(value):
    return json.loads(json.dumps(value, allow_nan=False))


def test_the_shape_is_pinned(hill):
    found = strict(summarise(hill))
    assert list(found) == [
        *("format", "version", "t", "splits", "stderr", "samples"),
        *("measures", "nonfinite", "provenance"),
    ]
    assert (found["format"], found["version"]) == ("ridgeline-profile", 1)
    assert found["t"] == T.tolist()
    assert found["splits"]["train"]["loss"] == hill.curve().mean.tolist()
    seen = {"evaluated": 400, "of": 400, "left_out": {}, "scope": "distribution"}
    assert found["samples"]["test"] == seen
    said = found["measures"]["train"]["loss"]
    assert {k: sorted(said[k]) for k in ("barrier", "monotonicity", "plateau", "length")} == {
        "barrier": [
            *("at", "between", "height", "interval", "kind"),
            *("rounding", "stderr", "verdict"),
        ],
        "monotonicity": [
            *("between", "holds", "largest_rise", "rounding"),
            *("stderr", "strict", "tolerance", "verdict"),
        ],
        "plateau": [
            *("area", "end", "half", "length", "reference"),
            *("relative_area", "start", "threshold"),
        ],
        "length": ["arc", "gauss", "variation"],
    }
    assert said["barrier"]["kind"] == "chord"
    assert said["barrier"]["height"] == pytest.approx(2.0, abs=1e-3)
    low, high = said["barrier"]["interval"]
    assert high - low == pytest.approx(2 * 1.959964 * said["barrier"]["stderr"], rel=1e-5)
    assert list(said["barriers"]) == list(BARRIER_KINDS)
    assert said["why"] == {}
    assert found["nonfinite"] == {s: {"loss": [], "error": []} for s in ("train", "test")}


def test_provenance_becomes_plain_values(hill):
    found = strict(summarise(hill))["provenance"]
    assert found["path"]["cosine"] is None
    assert found["splits"]["train"] == {"declined": {}, "order": [1, 2], "scale": 2.5}


def test_what_is_not_finite_is_null_and_told(broken):
    found = strict(summarise(broken))
    means = found["splits"]["data"]["loss"]
    assert [k for k, v in enumerate(means) if v is None] == [20, 21, 30]
    told = found["nonfinite"]["data"]["loss"]
    assert [(b["value"], b["samples"]) for b in told] == [("nan", 400), ("nan", 400), ("inf", 400)]
    assert told[0]["t"] == pytest.approx(0.4)
    assert found["measures"]["data"]["loss"]["barrier"]["height"] is None
    assert found["measures"]["data"]["loss"]["barrier"]["at"] == pytest.approx(0.4)


def test_a_grid_without_an_end_says_why_there_is_no_barrier():
    t = np.linspace(0.1, 0.9, 7)
    part = Profile(t, {"data": {"loss": curve(np.sin(t), t=t)}})
    said = strict(summarise(part))["measures"]["data"]["loss"]
    assert said["barrier"] is said["plateau"] is said["length"] is None
    assert said["barriers"] == {}
    assert "the grid must contain 0 and 1" in said["why"]["barrier"]
    assert {"plateau", "length"} <= set(said["why"])
    assert said["monotonicity"]["holds"] is False


def test_an_even_grid_lacks_only_the_midpoint():
    t = np.linspace(0, 1, 10)
    found = summarise(Profile(t, {"data": {"loss": curve(t, t=t)}}))
    said = found["measures"]["data"]["loss"]
    assert set(BARRIER_KINDS) - set(said["barriers"]) == {"half"}
    assert "0.5" in said["why"]["half"]


def test_an_accuracy_has_no_plateau_and_one_sample_no_spread():
    one = Curve(T, 1 - bump(0.5), np.full((51, 51), np.nan), 1, 1, np.zeros(51, int), True)
    found = strict(summarise(Profile(T, {"data": {"accuracy": one}})))
    assert found["measures"]["data"]["accuracy"]["plateau"] is None
    assert "loss or an error" in found["measures"]["data"]["accuracy"]["why"]["plateau"]
    assert set(found["stderr"]["data"]["accuracy"]) == {None}


def test_a_surface(plain_surface):
    plain_surface.values["train"]["loss"][2, 3] = math.nan
    found = strict(summarise_surface(plain_surface))
    assert found["format"] == "ridgeline-surface"
    rows = found["values"]["train"]["loss"]
    assert (len(rows), len(rows[0])) == (13, 15)
    assert rows[2][3] is None
    assert found["nonfinite"]["train"]["loss"] == [{"x": 1.0, "y": 0.0, "value": "nan"}]
    assert found["lowest"]["train"]["loss"]["x"] == pytest.approx(10)
    assert found["samples"]["train"] == {"evaluated": 400, "of": 1000}
    plain_surface.values["train"]["loss"][:] = math.nan
    assert summarise_surface(plain_surface)["lowest"]["train"]["loss"] is None
