"""Declared settings: complete, and none that a shipped scale lacks."""

import pytest

from ridgeline.studies import catalogue
from ridgeline.studies.asked import SETTINGS
from ridgeline.study.plan import Machine
from ridgeline.study.preflight import check_scale
from ridgeline.study.reproduction import reproduce
from ridgeline.study.scales import Scale
from ridgeline.study.store import Store


@pytest.mark.parametrize("name", SETTINGS)
def test_shipped_scales_have_what_is_declared_and_no_more(name):
    paper = catalogue.paper(name)
    assert {item.name for item in paper.items} == set(SETTINGS[name])
    for scale in catalogue.scales(name):
        check_scale(paper, paper.items, catalogue.scale(name, scale))


@pytest.mark.parametrize(
    "name", ["tao2024", *(pytest.param(n, marks=pytest.mark.slow) for n in SETTINGS if n[0] != "t")]
)
def test_what_is_asked_is_declared(name, tmp_path, monkeypatch):
    asked: dict[str, set[str]] = {}
    setting = Scale.setting

    def noted(self, name, item=""):
        asked.setdefault(item, set()).add(name)
        return setting(self, name, item)

    monkeypatch.setattr(Scale, "setting", noted)
    paper, scale = catalogue.paper(name), catalogue.scale(name, "smoke")
    reproduce(paper, scale, Store(tmp_path), machine=Machine(workers=1, threads=1))
    for item, names in asked.items():
        assert names <= set(SETTINGS[name][item]), item
