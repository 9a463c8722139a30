import numpy as np
import pytest

from report.shapes import T, bump, curve
from ridgeline.measures import WholeEnds
from ridgeline.profiles import Profile
from ridgeline.report import measures_table, sentences
from ridgeline.report.heights import layer_barriers


def one(mean, t=T, spread=0.3, whole=None):
    beside = None if whole is None else WholeEnds(np.array(whole), np.zeros((len(t) + 2,) * 2))
    return Profile(t, {"train": {"loss": curve(mean, t=t, spread=spread, whole=beside)}})


@pytest.mark.parametrize("held", ["a", "b"])
def test_a_layer_halfway_is_measured_against_the_whole_networks(held):
    # The other end of the layer's path is far worse than either network: no chord barrier.
    rise = 0.02 + 8 * (T if held == "a" else 1 - T) ** 4
    whole = one(bump(1.0, base=0.02 + 0.08 * T))
    layer = one(rise, whole=(0.02, 0.1))
    found, against = layer_barriers({"fc": layer}, whole, "loss", None)
    assert against == "the mean of both whole networks, at t = 1/2"
    assert layer.barrier("chord").height == 0
    assert found["fc"] == layer.barrier()
    assert found["fc"].height == pytest.approx(rise[25] - 0.06, abs=1e-12)
    assert found["all layers"] == whole.barrier("half")


def test_without_the_whole_networks_or_the_midpoint_it_is_the_chord():
    found, against = layer_barriers({"fc": one(bump(1.0))}, None, "loss", "train")
    assert (found["fc"].kind, against) == ("chord", "the chord between its path's ends")
    t = np.linspace(0, 1, 10)
    found, _ = layer_barriers({"fc": one(t * (1 - t), t)}, one(t * (1 - t), t), "loss", "train")
    assert {b.kind for b in found.values()} == {"chord"}


def test_words_and_tables_say_what_a_layers_barrier_is_against():
    layer = one(bump(1.0), whole=(0.02, 0.02))
    assert "(layer against whole networks)" in sentences(layer)[0]
    table = measures_table({"fc": layer})
    assert "where one layer moves, at t = 1/2 against the mean of the two whole" in table.note
    assert "layer" not in measures_table({"line": one(bump(1.0))}).note
