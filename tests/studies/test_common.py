"""What studies share: groups of runs, and numbers of profiles."""

from types import SimpleNamespace

import numpy as np
import pytest

from ridgeline.errors import UsageError
from ridgeline.measures import Curve
from ridgeline.profiles import Profile
from ridgeline.studies import common


def run(value, diverged=False):
    return SimpleNamespace(at=lambda path: value, diverged=diverged)


def test_runs_are_grouped_in_the_order_of_their_values():
    runs = [run(3), run(1), run(3), run([1, 2])]
    found = common.groups(runs, "net.width")
    assert list(found) == [3, 1, (1, 2)] and found[3] == [runs[0], runs[2]]


def test_values_that_are_needed_must_be_there():
    with pytest.raises(
        UsageError, match=r"compares runs by net\.bias: True, False, last"
    ) as caught:
        common.groups([run(True)], "net.bias", [True, False, "last"])
    assert caught.value.got == "no sound run with False, last"
    assert "Give the population's grid these values" in caught.value.remedy


def test_runs_that_diverged_are_left_out_and_not_all_may():
    good, bad = run(1), run(1, diverged=True)
    assert common.sound([good, bad]) == [good] and common.sound([]) == []
    assert common.sound([bad], required=False) == []
    with pytest.raises(UsageError, match="whose loss stayed finite") as caught:
        common.sound([bad, bad])
    assert caught.value.got == "2 runs, all of which diverged"


def profile(loss, error=None, split="train"):
    t = np.linspace(0, 1, len(loss))
    curves = {"loss": Curve.exact(t, np.array(loss, float))}
    curves["error"] = Curve.exact(
        t, np.array(error if error is not None else loss, float), chance=0.9
    )
    return Profile(t, {split: curves})


def test_numbers_of_a_profile_are_those_of_its_plateau_and_rise():
    one = profile([1.0, 1.2, 0.6, 0.0], [0.9, 0.9, 0.3, 0.1])
    error = one.plateau(metric="error")
    assert common.area(one) == error.area and common.plateau_end(one) == error.end
    assert common.half(one) == error.half
    assert common.rise(one) == pytest.approx(0.2)


def test_a_curve_that_never_falls_to_half_is_at_its_end():
    assert common.half(profile([1.0, 1.0, 1.0], [0.9, 0.9, 0.9])) == 1.0


def test_curves_are_means_by_group_with_their_counts():
    found = {"a": [profile([1, 0]), profile([3, 0])], "b": [profile([2, 2])]}
    chart = common.curves_chart("n", "t", "Caption.", found, metrics=["loss", "lost"], ordered=True)
    (panel,) = chart.panels
    assert [s.label for s in panel.series] == ["a", "b"] and panel.series[0].y.tolist() == [2, 0]
    assert [s.ordered for s in panel.series] == [0.0, 1.0]
    assert chart.caption.endswith("band of one standard deviation; runs: 2 (a), 1 (b).")
    plain = common.curves_chart("n", "t", "C.", found, metrics=["loss"], transform=lambda y: 10 * y)
    assert plain.panels[0].series[0].ordered is None
    assert plain.panels[0].series[0].y.tolist() == [20, 0]


def test_a_surface_is_made_again_of_arrays():
    arrays = {n: np.ones((2, 2)) * k for k, n in enumerate(("loss", "stderr"))}
    found = common.drawn_surface(
        arrays | {"x": np.arange(2), "y": np.arange(2), "corners": np.ones((3, 2))}
    )
    assert found.value().tolist() == [[0, 0], [0, 0]] and found.stderr["train"]["loss"][0, 0] == 1
