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
from whole import check_whole

RECORDS = Path(__file__).parent / "records"
KEYS = ("verdict", "n", "estimate", "low", "high")


@pytest.mark.slow
@pytest.mark.parametrize("name", catalogue.PAPERS)
def test_smoke_records_are_what_they_were_and_what_is_asked_is_declared(name, smoke):
    found, asked = smoke(name).found, smoke(name).asked
    check_whole(found, [item.id for item in found.paper.items])
    rows = found.rows()
    measured = {f"{row['item']}/{row['claim']}": {k: row[k] for k in KEYS} for row in rows}
    record = RECORDS / f"{name}.json"  # a new study has none before it is frozen
    recorded = json.loads(record.read_text(encoding="utf-8")) if record.exists() else measured
    assert list(measured) == list(recorded)
    for claim, row in measured.items():
        was = recorded[claim]
        assert (row["verdict"], row["n"]) == (was["verdict"], was["n"]), claim
        for key in ("estimate", "low", "high"):
            same = was[key] if was[key] is None else pytest.approx(was[key], rel=1e-3, abs=1e-6)
            assert row[key] == same, (claim, key)
    for item in found.paper.items:
        assert set(asked.get(item.name, ())) <= set(item.settings), item.name


def test_every_record_is_of_a_paper():
    assert {file.stem for file in RECORDS.glob("*.json")} <= set(catalogue.PAPERS)
