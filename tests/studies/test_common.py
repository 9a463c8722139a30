"""What studies share: numbers of profiles."""

import numpy as np
import pytest

from ridgeline.measures import Curve
from ridgeline.profiles import Profile
from ridgeline.studies import common


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


def test_a_surface_is_made_again_of_arrays():
    arrays = {n: np.ones((2, 2)) * k for k, n in enumerate(("loss", "stderr"))}
    found = common.drawn_surface(
        arrays | {"x": np.arange(2), "y": np.arange(2), "corners": np.ones((3, 2))}
    )
    assert found.value().tolist() == [[0, 0], [0, 0]] and found.stderr["train"]["loss"][0, 0] == 1
