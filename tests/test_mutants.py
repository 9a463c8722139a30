"""The tool that makes slips and asks the tests about them."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tools import mutants
from tools.slips import Function, functions, slips

ROOT = Path(__file__).parents[1]
SOURCE = '''"""A module."""


def area(width, height, *, scale=1.0):
    """The area, 2 words and a number."""
    if width < 0 or height < 0:
        raise ValueError("A side is not negative.")
    return width * height * scale


class Box:
    def longest(self, sides):
        found = max(sides, key=abs)
        self.keep(found)
        return found if not self.empty else None

    def short(self):
        return 1
'''


def of(name):
    return next(f for f in functions(SOURCE) if f.name == name)


def test_functions_are_those_whose_body_has_lines():
    assert [(f.name, f.first) for f in functions(SOURCE)] == [("area", 4), ("Box.longest", 12)]
    assert [f.name for f in functions(SOURCE, least=1)] == ["area", "Box.longest", "Box.short"]


def test_slips_are_of_every_kind_one_at_a_time_and_leave_the_docstring():
    found = list(slips(SOURCE, of("area"), 0))
    told = {s.said for s in found}
    assert {
        "comparison: width < 0 -> width <= 0",
        "and, or: width < 0 or height < 0 -> width < 0 and height < 0",
        "condition: if width < 0 or height < 0 -> if not",
        "arithmetic: width * height -> width / height",
        "number: 0 -> 1",
        "words: 'A side is not negative.' -> nothing",
        "statement: if width < 0 or height < 0: left out",
    } <= told
    plain = ast.unparse(ast.parse(SOURCE)).splitlines()
    for slip in found:
        changed = slip.source.splitlines()
        assert "The area, 2 words and a number." in slip.source
        assert changed != plain
        assert abs(len(changed) - len(plain)) <= 1
    told = {s.said for s in slips(SOURCE, of("Box.longest"), 0)}
    assert told == {
        "function: max -> min",
        "argument: key=abs left out of max",
        "statement: self.keep(found) left out",
        "not: not self.empty -> not not self.empty",
        "condition: if not self.empty -> if not",
    }


def test_the_seed_alone_decides_which_comes_first():
    first = [next(slips(SOURCE, of("area"), seed)).said for seed in range(12)]
    assert first == [next(slips(SOURCE, of("area"), seed)).said for seed in range(12)]
    assert len(set(first)) > 4


def test_mirrored_tests_are_of_the_modules_name_or_name_it():
    path = lambda name: mutants.SOURCE / name  # noqa: E731 (read in place)
    names = lambda file, f: [p.name for p in mutants.mirrored(file, f)]  # noqa: E731 (the same)
    some = Function("_private", 1, 2)
    assert names(path("objective/gradients.py"), some) == ["test_gradients.py"]
    named = mutants.mirrored(path("objective/metrics.py"), Function("top_k", 1, 2))
    assert named
    assert all(re.search(r"\b(top_k|error|accuracy)\b", p.read_text()) for p in named)
    unnamed = names(path("engine/degrees.py"), some)
    assert unnamed
    assert all((mutants.TESTS / "engine" / n).exists() for n in unnamed)


def test_candidates_are_those_of_a_package_or_of_lines_that_changed(monkeypatch):
    found = mutants.candidates(["objective/weighted.py"], None)
    names = [f.name for _, f in found]
    assert "over_positions" in names
    assert {file.name for file, _ in found} == {"weighted.py"}
    file, function = found[names.index("mean")]
    monkeypatch.setattr(mutants, "_changed", lambda _: {file: {function.first + 1}})
    assert mutants.candidates([], "main") == [(file, function)]


@pytest.mark.slow
def test_slips_are_caught_where_a_test_looks_and_survive_where_none_does(tmp_path):
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    module, tests = tmp_path / "src" / "ridgeline", tmp_path / "tests"
    module.mkdir(parents=True)
    tests.mkdir()
    (module / "__init__.py").write_text("")
    (module / "seen.py").write_text("def add(x, y):\n    x = x + y\n    y = x\n    return y\n")
    (module / "unseen.py").write_text("def add(x, y):\n    x = x + y\n    y = x\n    return y\n")
    (tests / "test_seen.py").write_text(
        "from ridgeline.seen import add\n\n\ndef test_sum():\n    assert add(2, 3) == 5\n"
    )
    (tests / "test_unseen.py").write_text("def test_nothing():\n    assert True\n")
    command = [sys.executable, "tools/mutants.py", "--all", "--count", "2"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "1 of 2 slips were caught: 50%" in run.stdout
    assert "caught   seen.py:2 add  arithmetic: x + y -> x - y  [tests/test_seen.py::" in run.stdout
    assert "SURVIVED unseen.py:2 add" in run.stdout
    assert "left out" not in run.stdout
    assert (module / "seen.py").read_text().count("+") == 1
    more = subprocess.run([*command, "--least", "0.8"], cwd=tmp_path, check=False)
    assert more.returncode == 1


def test_strictness_of_a_zip_is_no_place_for_a_slip():
    source = "def f(x, y):\n    z = zip(x, y, strict=True)\n    w = list(z)\n    return w, True\n"
    told = [s.said for s in slips(source, Function("f", 1, 4), 0)]
    assert told == ["flag: True -> False"]
