"""A paper asked at its smallest scale, once for each module that names it in ``NAME``."""

import pytest

from ridgeline.studies import catalogue
from ridgeline.study.plan import Machine
from ridgeline.study.reproduction import reproduce
from ridgeline.study.store import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def found(request, store):
    name, machine = request.module.NAME, Machine(workers=1, threads=1, together=16)
    return reproduce(catalogue.paper(name), catalogue.scale(name, "smoke"), store, machine=machine)


QUICK = "test_tao2024"
"""The module whose paper is asked again in `make test` too; the others take longer."""


def pytest_collection_modifyitems(items):
    for item in items:
        trained = {"found", "smoke"} & set(getattr(item, "fixturenames", ()))
        here = item.path.parent.name == "studies"
        if here and trained and item.path.stem != QUICK:
            item.add_marker(pytest.mark.slow)
