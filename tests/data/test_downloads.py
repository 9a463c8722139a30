import hashlib

import pytest

from ridgeline import data
from ridgeline.data import downloads, idx
from ridgeline.data.downloads import REMOTES, Remote, fetch
from ridgeline.errors import DataError, OutputError


def publish(folder, name, content, md5=None):
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return Remote((folder / name).as_uri(), md5 or digest)


def everything(folder):
    return sorted(p.name for p in folder.rglob("*"))


def test_a_download_is_checked_reported_and_kept(tmp_path):
    content = bytes(range(256)) * 3000
    remote = publish(tmp_path / "site", "a.gz", content)
    seen = []
    path = fetch(remote, tmp_path / "new" / "here", progress=lambda *x: seen.append(x))
    assert path.read_bytes() == content
    assert [done for _, done, _ in seen] == sorted({done for _, done, _ in seen})
    assert seen[-1] == ("a.gz", len(content), len(content))
    assert len(seen) == 3
    seen.clear()
    assert fetch(remote, tmp_path / "new" / "here", progress=lambda *x: seen.append(x)) == path
    assert seen == []


def test_a_wrong_checksum_leaves_nothing(tmp_path):
    remote = publish(tmp_path / "site", "a.gz", b"changed", md5="0" * 32)
    with pytest.raises(DataError, match=rf"a\.gz: 7 bytes with MD5 \w+, not {'0' * 32}"):
        fetch(remote, tmp_path / "here")
    assert not (tmp_path / "here").exists()


def test_no_network_is_one_clear_error_and_leaves_nothing(tmp_path):
    remote = Remote((tmp_path / "nowhere.gz").as_uri(), "0" * 32)
    with pytest.raises(DataError, match=r"needs a network .*nowhere\.gz .*put it into '.*here'"):
        fetch(remote, tmp_path / "here")
    assert everything(tmp_path) == []


def test_an_interrupted_download_leaves_nothing(tmp_path):
    remote = publish(tmp_path / "site", "a.gz", b"x" * 10)

    def interrupt(what, done, of):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(remote, tmp_path / "here", progress=interrupt)
    assert everything(tmp_path) == ["a.gz", "site"]


def test_an_unwritable_folder_is_an_output_error(tmp_path):
    remote = publish(tmp_path / "site", "a.gz", b"x" * 10)
    with pytest.raises(OutputError, match="can be written to"):
        fetch(remote, tmp_path / "site" / "a.gz" / "below")


def test_nothing_is_downloaded_unless_asked(tmp_path, monkeypatch):
    import gzip

    import numpy as np

    remotes = []
    for split in ("train", "test"):
        for name, axes in zip(idx.FILES[split], (3, 1), strict=True):
            head = bytes([0, 0, 8, axes]) + np.array([6, 2, 2][:axes], ">u4").tobytes()
            body = bytes(24 if axes == 3 else range(6))
            remotes.append(publish(tmp_path / "site", f"{name}.gz", gzip.compress(head + body)))
    monkeypatch.setitem(REMOTES, "mnist", tuple(remotes))
    monkeypatch.delenv("RIDGELINE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    with pytest.raises(DataError, match="must be on this machine"):
        data.load("mnist")
    assert not (tmp_path / "cache").exists()

    seen = []
    read = data.load("mnist", download=True, progress=lambda *x: seen.append(x))
    assert len(seen) == 4
    assert read.source == str(tmp_path / "cache" / "ridgeline" / "mnist")
    assert data.load("mnist").fingerprint == read.fingerprint
    data.load("mnist", root=tmp_path / "root", download=True)
    assert not (tmp_path / "root").exists()  # it was in the cache already


@pytest.mark.parametrize("name", REMOTES)
def test_every_remote_file_is_one_that_is_looked_for(name):
    assert all(len(remote.md5) == 32 for remote in REMOTES[name])
    wanted = {f"{n}.gz" for names in idx.FILES.values() for n in names}
    files = {remote.file for remote in REMOTES[name]}
    assert files == wanted if "mnist" in name else len(files) == 1


def test_the_cache_is_the_user_s(monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert downloads.cache() == tmp_path / ".cache" / "ridgeline"
