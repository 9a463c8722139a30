"""The smoke scale of every study gives the records that it gave before, and asks what it declares.

They were made at commit 60b5492 and are data of this test. A record changes only where a number
was wrong, and the commit that changes it says which and why. Verdicts and n are compared as they
are; numbers with a tolerance that covers another processor's order of summation.

A4a and A6a to A6d of ainsworth2022 are of the day when weight matching began at the identity, too;
no verdict changed.
"""

import json
from pathlib import Path

import pytest

from ridgeline.studies import catalogue
from ridgeline.studies.asked import SETTINGS
from ridgeline.study.plan import Machine
from ridgeline.study.reproduction import reproduce
from ridgeline.study.scales import Scale
from ridgeline.study.store import Store

RECORDS = Path(__file__).parent / "records"


def rows_of(name, folder):
    """Each claim's verdict and numbers, at scale smoke, measured now."""
    machine = Machine(workers=1, threads=1, together=16)
    found = reproduce(
        catalogue.paper(name), catalogue.scale(name, "smoke"), Store(folder), machine=machine
    )
    assert not found.failures
    keys = ("verdict", "n", "estimate", "low", "high")
    return {f"{row['item']}/{row['claim']}": {k: row[k] for k in keys} for row in found.rows()}


@pytest.fixture
def asked(monkeypatch):
    """Settings that items ask their scale for, by item, noted as they do."""
    noted: dict[str, set[str]] = {}
    setting = Scale.setting

    def note(self, name, item=""):
        noted.setdefault(item, set()).add(name)
        return setting(self, name, item)

    monkeypatch.setattr(Scale, "setting", note)
    return noted


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_smoke_records_are_what_they_were_and_what_is_asked_is_declared(name, tmp_path, asked):
    recorded = json.loads((RECORDS / f"{name}.json").read_text(encoding="utf-8"))
    measured = rows_of(name, tmp_path)
    assert list(measured) == list(recorded)
    for claim, row in measured.items():
        was = recorded[claim]
        assert (row["verdict"], row["n"]) == (was["verdict"], was["n"]), claim
        for key in ("estimate", "low", "high"):
            same = was[key] if was[key] is None else pytest.approx(was[key], rel=1e-3, abs=1e-6)
            assert row[key] == same, (claim, key)
    for item, names in asked.items():
        assert names <= set(SETTINGS[name][item]), item


def test_every_paper_has_records():
    assert {file.stem for file in RECORDS.glob("*.json")} == set(catalogue.PAPERS)
