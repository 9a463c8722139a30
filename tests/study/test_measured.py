import numpy as np
import pytest
import torch

from ridgeline import Line, Objective, layerwise, profile
from ridgeline.errors import UsageError
from ridgeline.nets import fcn
from ridgeline.study.keys import Key
from ridgeline.study.measured import FOLDER, Measurements, arrays_of, profile_of
from ridgeline.study.store import Store

ASKED = Key(name="this", version="1", runs=("a", "b"), options={"points": 3})


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
    first = kept.kept(ASKED, measure)
    again = kept.kept(ASKED, measure)
    assert len(calls) == 1
    assert first.keys() == again.keys() == {"x", "n"}
    np.testing.assert_array_equal(first["x"], again["x"])


def test_all_that_is_kept_is_told_with_its_key(kept):
    measure, _ = counted()
    kept.kept(ASKED, measure)
    ((key, arrays),) = kept
    assert key == ASKED.plain()
    np.testing.assert_array_equal(arrays["x"], np.arange(3.0))
    assert arrays.keys() == {"x", "n"}


@pytest.mark.parametrize("name", ["file", "args", "a/b", "with space"])
def test_an_array_may_have_any_name(kept, name):
    kept.kept(ASKED, lambda: {name: [1.5, 2.5]})
    again = kept.kept(ASKED, dict)
    assert list(again) == [name]
    np.testing.assert_array_equal(again[name], [1.5, 2.5])


def test_tensors_texts_and_numbers_come_back_as_arrays(kept):
    given = {"x": torch.ones(2, requires_grad=True), "t": ["a", "bc"], "n": 3, "e": []}
    first, again = (kept.kept(ASKED, lambda: given) for _ in range(2))
    assert list(first) == list(again) == list(given)
    for name in given:
        np.testing.assert_array_equal(first[name], again[name])
        assert first[name].dtype == again[name].dtype
    assert again["t"].tolist() == ["a", "bc"] and again["x"].tolist() == [1, 1]


@pytest.mark.parametrize("bad", [None, [1, None], [[1], [2, 3]], {"a": 1}, object()])
def test_what_is_no_array_is_refused_and_not_kept(kept, tmp_path, bad):
    with pytest.raises(UsageError) as caught:
        kept.kept(ASKED, lambda: {"x": bad})
    assert "arrays of numbers or of texts" in caught.value.rule
    assert caught.value.got.startswith("'x': ")
    assert "NaN in place of None" in caught.value.remedy
    assert not (tmp_path / FOLDER).exists()


def test_a_damaged_file_is_measured_anew(kept, tmp_path):
    measure, calls = counted()
    kept.kept(ASKED, measure)
    (file,) = (tmp_path / FOLDER).iterdir()
    for bad in (b"", file.read_bytes()[:-10], b"no archive at all"):
        file.write_bytes(bad)
        found = kept.kept(ASKED, measure)
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


def test_a_layers_profile_keeps_the_whole_ends():
    draws = np.random.default_rng(0)
    data = (draws.normal(size=(40, 6)).astype("float32"), draws.integers(0, 3, 40))
    a, b = (fcn(6, 5, 3, seed=seed) for seed in (0, 1))
    found = layerwise(a.state_dict(), b.state_dict(), Objective(a, data), points=5)
    one = next(iter(found.values()))
    assert profile_of(arrays_of(one)).barrier() == one.barrier()
    assert one.barrier().kind == "layer"
