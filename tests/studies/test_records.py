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
from ridgeline.study.plan import Machine
from ridgeline.study.reproduction import reproduce
from ridgeline.study.scales import Scale
from ridgeline.study.store import Store
from whole import check_whole

RECORDS = Path(__file__).parent / "records"


def rows_of(name, folder):
    """Each claim's verdict and numbers, at scale smoke, measured now, after a look at the whole."""
    machine = Machine(workers=1, threads=1, together=16)
    found = reproduce(
        catalogue.paper(name), catalogue.scale(name, "smoke"), Store(folder), machine=machine
    )
    check_whole(found, [item.id for item in found.paper.items])
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
@pytest.mark.parametrize("name", catalogue.PAPERS)
def test_smoke_records_are_what_they_were_and_what_is_asked_is_declared(name, tmp_path, asked):
    measured = rows_of(name, tmp_path)
    record = RECORDS / f"{name}.json"  # a new study has none before it is frozen
    recorded = json.loads(record.read_text(encoding="utf-8")) if record.exists() else measured
    assert list(measured) == list(recorded)
    for claim, row in measured.items():
        was = recorded[claim]
        assert (row["verdict"], row["n"]) == (was["verdict"], was["n"]), claim
        for key in ("estimate", "low", "high"):
            same = was[key] if was[key] is None else pytest.approx(was[key], rel=1e-3, abs=1e-6)
            assert row[key] == same, (claim, key)
    for item in catalogue.paper(name).items:
        assert asked.get(item.name, set()) <= set(item.settings), item.name


def test_every_record_is_of_a_paper():
    assert {file.stem for file in RECORDS.glob("*.json")} <= set(catalogue.PAPERS)
