"""Exit codes where the output cannot be written, and what is left behind."""

import errno
import subprocess
import sys
import threading

import pytest
import torch

from ridgeline import io
from ridgeline.cli import options
from ridgeline.cli.main import main
from ridgeline.cli.signals import Terminated

INSPECT = ["inspect", "a.safetensors"]


def raising(error):
    def run(_):
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BrokenPipeError(), 141),
        (OSError(errno.ENOSPC, "No space left on device"), 3),
        (OSError(errno.EFBIG, "File too large", "out/report.html"), 3),
        (KeyboardInterrupt(), 130),
        (Terminated(), 143),
    ],
)
def test_each_end_has_its_code(monkeypatch, error, code):
    monkeypatch.setattr(options, "run", raising(error))
    assert main(INSPECT) == code


def test_no_space_is_told_with_its_place(monkeypatch, capsys):
    error = OSError(errno.ENOSPC, "No space left on device", "x.html")
    monkeypatch.setattr(options, "run", raising(error))
    main(INSPECT)
    assert "Got No space left on device for 'x.html'. Check the space" in capsys.readouterr().err


def test_other_errors_of_the_system_keep_their_traceback(monkeypatch):
    monkeypatch.setattr(options, "run", raising(OSError(errno.EINVAL, "Invalid argument")))
    with pytest.raises(OSError, match="Invalid argument"):
        main(INSPECT)


def test_a_command_runs_outside_of_the_main_thread(monkeypatch):
    monkeypatch.setattr(options, "run", lambda _: 0)
    codes = []
    thread = threading.Thread(target=lambda: codes.append(main(INSPECT)))
    thread.start()
    thread.join()
    assert codes == [0]


@pytest.mark.parametrize(
    ("shell", "code"),
    [
        ("{tool} | head -1 >/dev/null; exit ${{PIPESTATUS[0]}}", 141),
        ("{tool} --json | true; exit ${{PIPESTATUS[0]}}", 141),
        ("{tool} >/dev/full", 3),
        ("{tool} --json >/dev/full", 3),
        ("{tool} >&-", 0),
        ("{tool} 2>&-", 0),
    ],
)
def test_in_a_shell(tmp_path, shell, code):
    state = {f"layer{i}.weight": torch.ones(2, 2) for i in range(3000)}
    io.save(state, tmp_path / "a.safetensors")
    line = shell.format(tool=f"{sys.executable} -m ridgeline.cli inspect a.safetensors")
    done = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]
