import importlib.util
import sys

import numpy as np
import pytest

from ridgeline import Line, Objective, layerwise, profile
from ridgeline.nets import fcn
from ridgeline.study import measured
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


STUDY = '''"""A study."""

__all__ = ["made"]

LEVEL = 0.5
"""A threshold."""


class Rule:
    """One of several."""

    at: float = LEVEL
    """Where."""


def made(count):
    """A measurement of so many."""
    def measure():
        # a comment
        return {"x": [LEVEL] * count}
    return measure


ITEMS = ("a claim",)
'''


@pytest.fixture
def of_module(tmp_path, monkeypatch):
    """The measuring function of a module that is written as told."""

    def load(name, text):
        file = tmp_path / f"{name}.py"
        file.write_text(text)
        spec = importlib.util.spec_from_file_location(name, file)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module.made(2)

    return load


@pytest.fixture
def names(tmp_path, of_module):
    """Names of the file that each text's measurement is kept in."""

    def of(*texts):
        found = []
        for i, text in enumerate(texts):
            store = tmp_path / f"store{i}"
            Measurements(Store(store)).kept("this", [], of_module(f"planted_{i}", text))
            found.append([file.name for file in (store / FOLDER).iterdir()])
        return found

    return of


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("# a comment", "# another comment\n\n        # and one more"),
        ("        # a comment\n", ""),
        ("A study.", "Another study."),
        ("A threshold.", "Half."),
        ('    """A measurement of so many."""\n', ""),
        ("One of several", "One"),
        ("Where.", "At which."),
        ("[LEVEL] * count", "(\n            [LEVEL]\n            * count\n        )"),
        ('{"x": ', "{'x': "),
        ("a claim", "another claim"),
        ('["made"]', '["made", "Rule"]'),
    ],
)
def test_what_is_said_about_code_is_no_part_of_the_key(names, was, becomes):
    assert was in STUDY
    first, again = names(STUDY, STUDY.replace(was, becomes))
    assert first == again


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("LEVEL = 0.5", "LEVEL = 0.25"),
        ("* count", "* (count + 1)"),
        ('{"x": ', '{"y": '),
        ("at: float = LEVEL", "at: float = 0.5"),
        ("return measure", "measure()\n    return measure"),
    ],
)
def test_what_code_does_is_part_of_the_key(names, was, becomes):
    assert was in STUDY
    first, again = names(STUDY, STUDY.replace(was, becomes))
    assert first != again


def test_a_function_is_known_by_its_own_code_and_by_its_modules(of_module):
    one = of_module("planted_one", STUDY)
    other = of_module("planted_other", STUDY.replace("0.5", "0.25"))
    assert measured._function(one) == measured._function(other)
    assert measured._module(one) != measured._module(other)


def test_a_fragment_that_is_no_program_is_taken_as_it_is():
    assert measured._code("along=lambda x: x,)") == "along=lambda x: x,)"
    found = [lambda x: x, lambda x: x + 1]  # two on a line cannot be told apart by its text
    assert measured._function(found[0]) == measured._function(found[1])


def test_the_library_is_read_once():
    measured.library.cache_clear()
    measured._code.cache_clear()
    first = measured.library()
    assert measured.library() is first


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


def test_a_layers_profile_keeps_the_whole_ends():
    draws = np.random.default_rng(0)
    data = (draws.normal(size=(40, 6)).astype("float32"), draws.integers(0, 3, 40))
    a, b = (fcn(6, 5, 3, seed=seed) for seed in (0, 1))
    found = layerwise(a.state_dict(), b.state_dict(), Objective(a, data), points=5)
    one = next(iter(found.values()))
    assert profile_of(arrays_of(one)).barrier() == one.barrier()
    assert one.barrier().kind == "layer"
