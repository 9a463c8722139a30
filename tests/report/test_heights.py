import numpy as np
import pytest

from report.shapes import T, bump, curve
from ridgeline.profiles import Profile
from ridgeline.report.heights import layer_barriers


def one(mean, t=T, spread=0.3):
    return Profile(t, {"train": {"loss": curve(mean, t=t, spread=spread)}})


@pytest.mark.parametrize("held", ["a", "b"])
def test_a_layer_halfway_is_measured_against_the_whole_networks(held):
    # The other end of the layer's path is far worse than either network: no chord barrier.
    rise = 0.02 + 8 * (T if held == "a" else 1 - T) ** 4
    whole = one(bump(1.0, base=0.02 + 0.08 * T))
    if held == "b":
        rise += 0.08
    found, against = layer_barriers({"fc": one(rise)}, whole, "loss", None)
    assert against == "the mean of both whole networks, at t = 1/2"
    assert one(rise).barrier().height == 0
    expected = rise[25] - (0.02 + 0.1) / 2
    assert found["fc"].height == pytest.approx(expected, abs=1e-3)
    assert found["all layers"] == whole.barrier("half")
    # Half of a and halfway are paired and far apart here; half of b is taken as independent.
    assert found["fc"].stderr == pytest.approx(0.3 / 20 * (1 + 0.25 + 0.25) ** 0.5, rel=1e-3)


def test_without_the_whole_or_the_midpoint_it_is_the_chord():
    found, against = layer_barriers({"fc": one(bump(1.0))}, None, "loss", "train")
    assert (found["fc"].kind, against) == ("chord", "the chord between its path's ends")
    t = np.linspace(0, 1, 10)
    found, _ = layer_barriers({"fc": one(t * (1 - t), t)}, one(t * (1 - t), t), "loss", "train")
    assert {b.kind for b in found.values()} == {"chord"}
