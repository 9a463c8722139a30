"""Exit codes where the output cannot be written, and what is left behind."""

import errno
import json
import os
import subprocess
import sys
import threading

import pytest
import torch

from ridgeline import io
from ridgeline.cli import options
from ridgeline.cli.main import main
from ridgeline.cli.signals import Terminated
from ridgeline.cli.streams import json_alone, tell_json

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
        ("{tool}.absent 2>/dev/full", 3),
    ],
)
@pytest.mark.slow
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


# --- JSON alone, and tables that keep their columns ----------------------------------------------

NOISY = """
import atexit, ctypes, os
from torch import nn
print("imported")
atexit.register(print, "the end")

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        print("forward")
        os.write(1, b"from C")
        ctypes.CDLL(None).puts(b"held back by C")
        return self.fc(x)
"""


@pytest.mark.slow
def test_json_is_json_whatever_a_network_prints(tmp_path):
    (tmp_path / "noisy.py").write_text(NOISY)
    torch.save({"fc.weight": torch.ones(10, 64), "fc.bias": torch.ones(10)}, tmp_path / "a.pt")
    torch.save({"fc.weight": torch.zeros(10, 64), "fc.bias": torch.ones(10)}, tmp_path / "b.pt")
    words = ["profile", "a.pt", "b.pt", "--model", "noisy:Net", "--points", "3"]
    words += ["--data", "digits?train=20&test=10", "--json"]
    command = [sys.executable, "-m", "ridgeline.cli", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["format"] == "ridgeline-profile"
    for said in (b"imported", b"forward", b"from C", b"held back by C", b"the end"):
        assert said in done.stderr


def test_standard_output_is_given_back(capsys):
    before = sys.stdout
    with json_alone():
        print("noise")
        tell_json({"a": 1})
    assert sys.stdout is before
    print("after")
    out, err = capsys.readouterr()
    assert (out, err) == ('{"a": 1}\nafter\n', "noise\n")


def test_standard_output_is_given_back_with_its_descriptor(capfd):
    with json_alone():
        os.write(1, b"noise\n")
        tell_json({"a": 1})
    os.write(1, b"after\n")
    out, err = capfd.readouterr()
    assert (out, err) == ('{"a": 1}\nafter\n', "noise\n")


@pytest.mark.parametrize("columns", ["0", "1", "12", "many"])
def test_no_column_is_lost_in_a_narrow_terminal(columns, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    torch.save({"some.weight": torch.ones(2, 3)}, tmp_path / "a.pt")
    assert main(["inspect", str(tmp_path / "a.pt")]) == 0
    out = capsys.readouterr().out
    words = ("some.weight", "2x3", "float32", "2.45", "tensor", "shape", "dtype", "norm", "from")
    assert [word for word in words if word not in out] == []
