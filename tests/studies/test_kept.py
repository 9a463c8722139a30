"""A changed computation at an old version is caught: what is kept has the numbers it had."""

import json
import re
import shutil
from pathlib import Path

import pytest

import kept
from ridgeline.studies.lucas2021 import counting
from ridgeline.study.measured import FOLDER
from ridgeline.study.store import Store

SOURCES = Path(kept.__file__).parents[1] / "src" / "ridgeline"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return kept.small(tmp_path_factory.mktemp("store"))


def test_what_is_measured_now_is_what_was_measured_at_these_versions(store):
    kept.check(store, "small")


@pytest.fixture
def recorded(store, tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "RECORDS", tmp_path)

    def write(change):
        found = kept.numbers_of(store)
        change(found)
        (tmp_path / "small.json").write_text(json.dumps(found))

    return write


def test_other_numbers_at_an_old_version_are_caught(store, recorded):
    def change(found):
        found["distances"]["arrays"]["distance"][0] *= 1.01

    recorded(change)
    with pytest.raises(AssertionError, match=r"'distances' gives other numbers .* raise it"):
        kept.check(store, "small")


def test_another_version_is_recorded_anew(store, recorded):
    recorded(lambda found: found["distances"].update(version="0"))
    with pytest.raises(AssertionError, match="record them"):
        kept.check(store, "small")


def test_a_changed_computation_gives_other_numbers(store, tmp_path, monkeypatch):
    monkeypatch.setattr(counting, "normalised_distance", lambda a, b: 2.0)
    runs = shutil.copytree(store.path, tmp_path / "runs", ignore=lambda *_: [FOLDER])
    with pytest.raises(AssertionError, match="'distances' gives other numbers"):
        kept.check(kept.small(runs), "small")


def test_no_two_measuring_functions_share_a_name():
    """But for lines that are the same line: they are measured once."""
    same = {"between ends", "from an initialisation"}
    every = [
        name
        for file in SOURCES.rglob("*.py")
        for name in re.findall(r"@versioned\(\s*f?\"([^\"]+)\"", file.read_text("utf-8"))
        if name not in same and file.name != "keys.py"
    ]
    assert len(every) > 20
    assert sorted(set(every)) == sorted(every)


def test_a_store_that_keeps_nothing_says_nothing(tmp_path):
    assert kept.numbers_of(Store(tmp_path)) == {}
