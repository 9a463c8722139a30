"""A paper asked at its smallest scale, once for the whole session and all its processes.

A module that names its paper in ``NAME`` has the answer as ``found``, and the store as ``store``.
"""

import fcntl
import json
import os
from dataclasses import dataclass

import pytest

from ridgeline.studies import catalogue
from ridgeline.study.plan import Machine
from ridgeline.study.reproduction import Reproduction, reproduce
from ridgeline.study.scales import Scale
from ridgeline.study.store import Store


@dataclass(frozen=True)
class Smoke:
    found: Reproduction
    store: Store
    asked: dict[str, list[str]]
    """Settings that items asked their scale for, by item, when they were first measured."""


@pytest.fixture(scope="session")
def smoke(tmp_path_factory):
    """Ask for a paper by its name; the first process that does trains its runs and measures."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "smoke"
    held: dict[str, Smoke] = {}

    def ask(name):
        if name not in held:
            (root / name).mkdir(parents=True, exist_ok=True)
            with (root / name / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                held[name] = _measured(name, root / name)
        return held[name]

    return ask


def _measured(name, folder):
    store, noted, setting = Store(folder / "store"), {}, Scale.setting

    def note(self, name, item=""):
        noted.setdefault(item, set()).add(name)
        return setting(self, name, item)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scale, "setting", note)
        machine = Machine(workers=1, threads=1, together=16)
        paper, scale = catalogue.paper(name), catalogue.scale(name, "smoke")
        found = reproduce(paper, scale, store, machine=machine)
    first = folder / "asked.json"
    if not first.exists():
        first.write_text(json.dumps({item: sorted(names) for item, names in noted.items()}))
    return Smoke(found, store, json.loads(first.read_text()))


@pytest.fixture(scope="module")
def found(request, smoke):
    return smoke(request.module.NAME).found


@pytest.fixture(scope="module")
def store(request, smoke):
    return smoke(request.module.NAME).store


QUICK = "test_tao2024"
"""The module whose paper is asked again in `make test` too; the others take longer."""


def pytest_collection_modifyitems(items):
    for item in items:
        trained = {"found", "smoke"} & set(getattr(item, "fixturenames", ()))
        here = item.path.parent.name == "studies"
        if here and trained and item.path.stem != QUICK:
            item.add_marker(pytest.mark.slow)
