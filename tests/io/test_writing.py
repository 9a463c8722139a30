import errno
import json
import os
import resource
import stat
from pathlib import Path

import pytest
import torch

from ridgeline import io
from ridgeline.errors import OutputError, UsageError
from ridgeline.io import writing
from ridgeline.io.writing import MANIFEST, atomic_path, fresh_directory


def fail_in(context, error):
    """Write half of something, then raise."""
    with context as made:
        (made / "half" if made.is_dir() else made).write_text("half")
        raise error


def names(folder):
    return sorted(p.name for p in folder.rglob("*"))


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "report.html"
    with atomic_path(path) as temporary:
        temporary.write_text("x")
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".html"
        assert not path.exists()
    assert path.read_text() == "x"
    assert names(tmp_path) == ["report.html"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_a_failed_file_leaves_nothing(tmp_path, error):
    path = tmp_path / "new" / "deep" / "a.txt"
    with pytest.raises(error):
        fail_in(atomic_path(path), error)
    assert names(tmp_path) == []


def test_a_failure_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ValueError, match="x"):
        fail_in(atomic_path(path, overwrite=True), ValueError("x"))
    assert path.read_text() == "old"


def test_a_file_is_readable_as_any_other(tmp_path):
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("x")
    (tmp_path / "b.txt").write_text("x")
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "b.txt").stat().st_mode


def test_existing_names_are_refused(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(OutputError, match=r"existing file .*'.*/a'.*overwrite=True"):
        atomic_path(tmp_path / "a").__enter__()
    with pytest.raises(OutputError, match="cannot be written where a folder is"):
        atomic_path(tmp_path, overwrite=True).__enter__()
    with (
        pytest.raises(OutputError, match="existing file is not replaced"),
        atomic_path(tmp_path / "b"),
    ):
        (tmp_path / "b").write_text("another process was faster")
    assert (tmp_path / "b").read_text() == "another process was faster"
    assert names(tmp_path) == ["a", "b"]


def test_an_unwritable_place_is_known_before_the_work(tmp_path):
    (tmp_path / "file").touch()
    for make in (atomic_path, fresh_directory):
        with pytest.raises(OutputError, match=r"can be written to\. .*Check the name"):
            make(tmp_path / "file" / "a").__enter__()
    if Path("/proc").is_dir():  # refuses even the superuser
        for make in (atomic_path, fresh_directory):
            with pytest.raises(OutputError, match="can be written to"):
                make("/proc/ridgeline").__enter__()


def test_a_rename_that_fails_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="can be written to"), atomic_path(tmp_path / "a") as t:
        t.unlink()


def test_a_folder_appears_whole_with_a_manifest(tmp_path):
    about = {}
    with fresh_directory(tmp_path / "out" / "run", about=about) as folder:
        (folder / "figures").mkdir()
        (folder / "figures" / "a.svg").write_text("<svg/>")
        about["points"] = 51
        assert not (tmp_path / "out" / "run").exists()
    made = tmp_path / "out" / "run"
    manifest = json.loads((made / MANIFEST).read_text())
    assert manifest["files"] == {"figures/a.svg": 6}
    assert manifest["made_by"] == "ridgeline"
    assert manifest["points"] == 51
    assert names(tmp_path) == ["a.svg", "figures", MANIFEST, "out", "run"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_failed_folder_leaves_nothing_and_keeps_the_old(tmp_path, error):
    with pytest.raises(error):
        fail_in(fresh_directory(tmp_path / "x" / "new"), error)
    assert names(tmp_path) == []
    with fresh_directory(tmp_path / "run") as folder:
        (folder / "old").touch()
    with pytest.raises(error):
        fail_in(fresh_directory(tmp_path / "run", overwrite=True), error)
    assert names(tmp_path) == [MANIFEST, "old", "run"]


def test_only_a_folder_of_ours_is_replaced(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    with fresh_directory(run) as folder:  # an empty one is as good as none
        (folder / "a").touch()
    with pytest.raises(OutputError, match=r"existing folder .*not empty.*overwrite=True"):
        fresh_directory(run).__enter__()
    with fresh_directory(run, overwrite=True) as folder:
        (folder / "b").touch()
    assert names(tmp_path) == ["b", MANIFEST, "run"]

    (run / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"nobody added to.*to which was added: notes\.txt"):
        fresh_directory(run, overwrite=True).__enter__()
    (run / MANIFEST).write_text('{"name": "a web page"}')
    with pytest.raises(OutputError, match=r"manifest\.json is not Ridgeline's"):
        fresh_directory(run, overwrite=True).__enter__()
    (run / MANIFEST).unlink()
    with pytest.raises(OutputError, match=r"no readable manifest\.json"):
        fresh_directory(run, overwrite=True).__enter__()
    with pytest.raises(OutputError, match="cannot be made where a file is"):
        fresh_directory(run / "notes.txt", overwrite=True).__enter__()


def test_a_replacement_that_fails_halfway_is_undone(tmp_path, monkeypatch):
    run = tmp_path / "run"
    with fresh_directory(run) as folder:
        (folder / "old").touch()
    rename = Path.rename

    def fail(self, target):
        if Path(target) == run and not (self / "old").exists():
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with (
        pytest.raises(OutputError, match="Input/output error"),
        fresh_directory(run, overwrite=True) as folder,
    ):
        (folder / "new").touch()
    assert names(tmp_path) == [MANIFEST, "old", "run"]


def test_a_parent_that_cannot_be_made_takes_its_own_away(tmp_path, monkeypatch):
    mkdir = Path.mkdir

    def fail(self, *args, **kwargs):
        if self.name == "two":
            raise OSError(28, "No space left on device")
        return mkdir(self, *args, **kwargs)

    monkeypatch.setattr(Path, "mkdir", fail)
    with pytest.raises(OutputError, match="No space left"):
        atomic_path(tmp_path / "one" / "two" / "a").__enter__()
    assert names(tmp_path) == []


def test_the_current_directory_has_a_name(tmp_path, monkeypatch):
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    (inside / "a").touch()
    with pytest.raises(OutputError, match="not empty"):
        fresh_directory(os.curdir).__enter__()


def test_the_version_is_known_or_said_not_to_be(monkeypatch):
    def missing(name):
        raise writing.importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(writing.importlib.metadata, "version", missing)
    assert writing.version() == "unknown"


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_written_state_has_the_mode_that_the_umask_gives(tmp_path, mask):
    before = os.umask(mask)
    try:
        made = io.save({"w": torch.ones(2)}, tmp_path / "new" / "a.safetensors")
        io.save({"w": torch.ones(2)}, made, overwrite=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE(made.stat().st_mode) == 0o666 & ~mask
    assert stat.S_IMODE(made.parent.stat().st_mode) == 0o777 & ~mask


def test_a_private_file_that_a_library_puts_in_the_place_gets_the_mode_too(tmp_path):
    with atomic_path(tmp_path / "a") as temporary:
        temporary.chmod(0o600)
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


@pytest.mark.parametrize("make", [atomic_path, fresh_directory])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
def test_a_full_disk_is_told_in_words(tmp_path, make, number):
    context = make(tmp_path / "deep" / "a")
    with pytest.raises(OutputError, match=f"{os.strerror(number)}.*Check the name"):
        fail_in(context, OSError(number, os.strerror(number)))
    assert names(tmp_path) == []


def test_an_error_of_reading_while_writing_stays_what_it_is(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a"):
        (tmp_path / "data.csv").read_text()
    assert names(tmp_path) == []


def test_a_state_larger_than_the_disk_leaves_nothing(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OutputError, match=r"written whole.*Nothing was kept"):
            io.save({"w": torch.ones(10_000)}, tmp_path / "a.safetensors")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert names(tmp_path) == []


@pytest.mark.parametrize("make", [atomic_path, fresh_directory])
@pytest.mark.parametrize("name", ["n" * 300, "x/" + "n" * 300 + "/a", "é" * 200])
def test_a_name_too_long_is_refused(tmp_path, make, name):
    with pytest.raises(OutputError, match="File name too long"):
        make(tmp_path / name).__enter__()
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "name", ["n" * 255, "é" * 127, "a." + "b" * 253, "n" * 243 + ".safetensors"]
)
def test_the_longest_names_that_there_are_can_be_written(tmp_path, name):
    with atomic_path(tmp_path / name) as temporary:
        temporary.write_text("x")
    assert names(tmp_path) == [name]


def test_a_zero_byte_in_a_name_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no zero byte"):
        atomic_path(tmp_path / "a\0b").__enter__()
