import numpy as np
import pytest

from ridgeline import Line, Objective, profile
from ridgeline.nets import fcn
from ridgeline.study.measured import FOLDER, Measurements, arrays_of, profile_of
from ridgeline.study.store import Store


@pytest.fixture
def kept(tmp_path):
    return Measurements(Store(tmp_path))


def counted():
    calls = []

    def measure():
        calls.append(1)
        return {"x": np.arange(3.0), "n": 2}

    return measure, calls


def test_what_was_measured_is_not_measured_again(kept):
    measure, calls = counted()
    first = kept.kept("this", ["a", "b"], measure, {"points": 3})
    again = kept.kept("this", ["a", "b"], measure, {"points": 3})
    assert len(calls) == 1
    assert first.keys() == again.keys()
    np.testing.assert_array_equal(first["x"], again["x"])


@pytest.mark.parametrize(
    "other",
    [
        ("that", ["a", "b"], {"points": 3}),
        ("this", ["b", "a"], {"points": 3}),
        ("this", ["a", "b"], {"points": 4}),
    ],
)
def test_anything_else_is_measured(kept, other):
    measure, calls = counted()
    kept.kept("this", ["a", "b"], measure, {"points": 3})
    what, hashes, settings = other
    kept.kept(what, hashes, measure, settings)
    assert len(calls) == 2


def test_a_changed_function_measures_again(kept):
    measure, calls = counted()

    def along(x):
        return x

    def changed(x):
        return x + 1

    kept.kept("this", [], measure, code=[along])
    kept.kept("this", [], measure, code=[along])
    assert len(calls) == 1
    kept.kept("this", [], measure, code=[changed])
    assert len(calls) == 2


def test_a_damaged_file_is_measured_anew(kept, tmp_path):
    measure, calls = counted()
    kept.kept("this", [], measure)
    (file,) = (tmp_path / FOLDER).iterdir()
    for bad in (b"", file.read_bytes()[:-10], b"no archive at all"):
        file.write_bytes(bad)
        found = kept.kept("this", [], measure)
        np.testing.assert_array_equal(found["x"], np.arange(3.0))
    assert len(calls) == 4


def test_a_profile_survives_whole():
    draws = np.random.default_rng(0)
    data = (draws.normal(size=(40, 6)).astype("float32"), draws.integers(0, 3, 40))
    nets = [fcn(6, 5, 3, seed=seed) for seed in (0, 1)]
    objectives = {s: Objective(nets[0], data) for s in ("train", "test")}
    found = profile(Line(*(n.state_dict() for n in nets)), objectives, points=5)
    again = profile_of(arrays_of(found))
    assert again.splits == found.splits
    for split, metrics in found.curves.items():
        for metric, curve in metrics.items():
            other = again.curve(metric, split)
            np.testing.assert_array_equal(other.covariance, curve.covariance)
            assert (other.n, other.population, other.chance) == (
                curve.n,
                curve.population,
                curve.chance,
            )
            assert again.barrier(metric=metric, split=split) == found.barrier(
                metric=metric, split=split
            )
