"""Places on file systems that are not a folder of this machine."""

import time
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from ridgeline.errors import StoreError
from ridgeline.study.store import claims
from ridgeline.study.store.places import Place

HASH = "0" * 16


class ListedFileSystem(MemoryFileSystem):
    """A bucket in memory that remembers listings, as s3fs does, and leaves zones out."""

    cachable = False
    store: ClassVar[dict] = {}
    pseudo_dirs: ClassVar[list] = [""]
    late = timedelta(0)

    def ls(self, path, detail=True, **kwargs):
        kept = self._ls_from_cache(path)
        if kept is None:
            kept = super().ls(path, detail=True, **kwargs)
            self.dircache[path] = kept
        return kept if detail else [entry["name"] for entry in kept]

    def exists(self, path, **kwargs):
        parent = self._parent(self._strip_protocol(path))
        try:
            return self._strip_protocol(path) in self.ls(parent, detail=False)
        except FileNotFoundError:
            return False

    def invalidate_cache(self, path=None):
        self.dircache.clear() if path is None else self.dircache.pop(path, None)

    def modified(self, path):
        return (datetime.now(UTC) - type(self).late).replace(tzinfo=None)


@pytest.fixture
def bucket(monkeypatch):
    """Two machines' views of one bucket."""
    monkeypatch.setattr(ListedFileSystem, "store", {})
    monkeypatch.setattr(ListedFileSystem, "late", timedelta(0))
    views = [Place("memory://runs"), Place("memory://runs")]
    for view in views:
        view.files = ListedFileSystem()
    return views


def test_what_another_machine_writes_is_seen_at_once(bucket):
    here, there = bucket
    there.write(b"1", "folder", "first")
    assert here.exists("folder", "first")
    assert not here.exists("folder", "second")  # now a listing is remembered
    there.write(b"2", "folder", "second")
    assert here.exists("folder", "second")
    assert here.names("folder") == ["first", "second"]
    there.remove("folder", "first")
    assert not here.exists("folder", "first")


def test_a_living_claim_of_another_machine_is_not_hidden_by_a_remembered_listing(
    bucket, monkeypatch
):
    monkeypatch.setattr(claims, "SETTLING", 0.0)
    here, there = bucket
    there.write(b"{}", claims.FOLDER, "other.json")
    assert not here.exists(claims.FOLDER, f"{HASH}.json")
    with claims.try_claim(there, HASH):
        assert claims.try_claim(here, HASH) is None


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def test_times_without_a_zone_are_utc(bucket, monkeypatch, zone):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        here, _ = bucket
        here.write(b"1", "file")
        monkeypatch.setattr(ListedFileSystem, "late", timedelta(seconds=100))
        assert here.age("file") == pytest.approx(100, abs=5)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_an_unknown_kind_of_place_is_refused():
    with pytest.raises(StoreError, match="nonesuch"):
        Place("nonesuch://runs")


def test_a_store_where_no_folder_can_be_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"can be written to.*file' \(Not a directory\)"):
        Place(tmp_path / "file").write(b"x", ".plans", "a.json")
