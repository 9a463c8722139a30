"""``ridgeline train``: what it says, what it leaves, and how it ends."""

import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from ridgeline.cli.live import Lines, Table, shortened
from ridgeline.numerals import duration
from ridgeline.study.executors import Failure
from ridgeline.study.plan import Group, Plan
from ridgeline.study.store import Store

SPEC = """
name = "tiny"
seeds = 2
[net]
kind = "fcn"
widths = [64, 8, 10]
[data]
set = "digits?train=120&test=60"
[training]
length = "4ep"
batch_size = 20
optimiser = { kind = "sgd", learning_rate = 0.1, momentum = 0.9 }
"""
FAST = ("--together", 2, "--workers", 1, "--threads", 1)


@pytest.fixture
def spec(here):
    (here / "tiny.toml").write_text(SPEC)
    return here / "tiny.toml"


def test_a_population_is_trained_once(here, spec, ridgeline):
    code, out, err = ridgeline("train", spec, *FAST)
    assert code == 0, err
    assert "0 found in the store, 2 trained; 48 steps" in out and f"store: {here / 'runs'}" in out
    assert "seed0" in out and "test error" in out and "seed1" in out
    assert "2 runs: 0 in the store, 2 to train" in err and "step 24 of 24, loss" in err
    assert len(Store("runs")) == 2
    code, out, err = ridgeline("train", spec, *FAST)
    assert code == 0 and "2 found in the store, 0 trained; 0 steps" in out
    code, out, _ = ridgeline("train", spec, *FAST, "--seeds", 3)
    assert code == 0 and "2 found in the store, 1 trained; 24 steps" in out


def test_json_has_the_documented_shape(here, spec, ridgeline):
    code, out, _ = ridgeline("train", spec, *FAST, "--json", "--store", "other")
    told = json.loads(out)
    assert code == 0 and told["format"] == "ridgeline-population" and told["version"] == 1
    assert (told["spec"], told["found"], told["trained"], told["failed"]) == ("tiny", 0, 2, 0)
    assert told["store"] == str(here / "other") and told["failures"] == []
    assert [run["how"] for run in told["runs"]] == ["trained"] * 2
    stored = Store("other").find(told["runs"][0]["hash"])
    assert told["runs"][0]["summary"] == stored.summary
    assert set(stored.summary) == {
        *("steps", "planned", "diverged", "stopped", "seconds", "together", "parameters", "final")
    }


def test_values_are_put_in_place_of_the_specs(here, spec, ridgeline):
    words = ["--set", "training.length=1ep", "--set", "training.optimiser.momentum=0"]
    code, out, _ = ridgeline("train", spec, *FAST, *words, "--json")
    (run, _) = json.loads(out)["runs"]
    assert code == 0 and run["summary"]["planned"] == 6
    code, _, err = ridgeline("train", spec, *FAST, "--set", "training.lenght=1ep")
    assert code == 2 and "length" in err


def test_a_trial_says_what_would_be_done_and_does_nothing(here, spec, ridgeline):
    code, out, _ = ridgeline("train", spec, "--dry-run")
    assert code == 0 and not (here / "runs").exists()
    for text in ("2 runs", "610 parameters", "48 steps", "in the store: 0 of 2", "estimated time"):
        assert text in out, out
    code, out, _ = ridgeline("train", spec, "--dry-run", "--json", *FAST)
    told = json.loads(out)
    assert code == 0 and told["format"] == "ridgeline-plan" and told["in_store"] == 0
    assert [len(group["runs"]) for group in told["groups"]] == [2] and told["seconds"] is None
    ridgeline("train", spec, *FAST)
    code, out, _ = ridgeline("train", spec, "--dry-run", *FAST)
    assert code == 0 and "in the store: 2 of 2" in out and "estimated" not in out


def test_help_on_a_spec_shows_its_values(here, spec, ridgeline):
    code, out, _ = ridgeline("train", spec, "--help", "--set", "training.batch_size=40")
    assert code == 0 and "widths = [64, 8, 10]" in out and "learning_rate = 0.1" in out
    assert "batch_size = 40" in out and "override" in out and not (here / "runs").exists()
    code, out, _ = ridgeline("train", "--help")
    assert code == 0 and "usage: ridgeline train" in out and "--together" in out


def test_help_loads_no_torch():
    code = (
        "import sys, contextlib, io\n"
        "from ridgeline.cli.main import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "    main(['train', '--help'])\n"
        "heavy = {'torch', 'numpy', 'pydantic', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_failure_is_listed_with_its_config_and_the_others_are_there(here, spec, ridgeline):
    (here / "strange.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Linear):\n"
        "    def __init__(self, seed):\n        super().__init__(64, 10); self.seed = seed\n"
        "    def forward(self, x):\n"
        "        if self.seed: raise RuntimeError('my own trouble')\n"
        "        return super().forward(x)\n"
    )
    words = ["--set", "net.kind=strange:Net", "--together", 1, "--workers", 1]
    spec.write_text(SPEC.replace("widths = [64, 8, 10]\n", ""))
    code, out, err = ridgeline("train", spec, *words)
    assert code == 3 and "1 trained, 1 failed" in out, err
    assert "my own trouble" in err and '"kind": "strange:Net"' in err and "seed1" in err
    code, out, _ = ridgeline("train", spec, *words, "--json")
    (failure,) = json.loads(out)["failures"]
    assert code == 3 and failure["kind"] == "ForwardFailed"
    assert failure["configs"][0]["net"]["kind"] == "strange:Net"


def test_divergence_is_a_result(here, spec, ridgeline):
    code, out, err = ridgeline(
        "train", spec, *FAST, "--set", "training.optimiser.learning_rate=1e30"
    )
    assert code == 0 and "diverged" in out and "2 diverged" in err


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--workers", 0], 2, "`workers` must be at least 1"),
        (["--together", 0], 2, "`together` must be at least 1"),
        (["--set", "nothing"], 2, "equals sign"),
        (["--device", "cuda:9"], 2, "device"),
    ],
)
def test_wrong_options_are_told(here, spec, ridgeline, words, code, text):
    found, out, err = ridgeline("train", spec, *words)
    assert found == code and text in err and out == "" and "Traceback" not in err
    assert not (here / "runs").exists()
    assert ridgeline("train", "nothing.toml")[0] == 3


@pytest.mark.parametrize(
    ("number", "workers"),
    [
        (signal.SIGINT, 1),
        pytest.param(signal.SIGTERM, 1, marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, 2, marks=pytest.mark.slow),
    ],
)
def test_a_signal_stops_it_and_the_same_command_goes_on(here, spec, number, workers):
    spec.write_text(SPEC.replace("4ep", "3000ep"))
    words = ["train", str(spec), "--together", "1", "--threads", "1", "--workers", str(workers)]
    process = subprocess.Popen(
        [sys.executable, "-m", "ridgeline.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    store = Store("runs")
    hashes = []
    for line in process.stderr:  # until the first group is under way
        hashes = [path.stem for path in (here / "runs/.claims").glob("*.json")]
        if "loss" in line:
            break
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    out, err = process.communicate(timeout=60)
    if number == signal.SIGKILL:
        assert process.returncode == -number
    else:
        assert process.returncode == 128 + number, err
        assert "the same command goes on" in err and "Traceback" not in err and out == ""
    for name in hashes:  # nobody is left who holds a claim
        end = time.monotonic() + 60
        while (claim := store.try_claim(name)) is None and time.monotonic() < end:
            time.sleep(0.05)
        assert claim is not None
        claim.release()
    assert hashes and len(store) == 0


# --- how far it is ---------------------------------------------------------------------------


def said(n, step=10, finished=""):
    numbers = {"loss": [0.5] * n, "error": [0.1] * n, "test_error": [float("nan")] * n}
    return {
        **numbers,
        "learning_rate": [0.1] * n,
        "finished": [finished] * n,
        "step": step,
        "planned": 100,
        "epoch": 1.0,
        "rate": 30.0,
    }


def planned(n):
    names = {f"{i:016x}": f"fcn-seed{i}" for i in range(n)}
    return Plan("key", (Group(tuple(names), 0, 100 * n),), 1, 1, None, ("because",)), names


def test_lines_are_few(capsys):
    lines = Lines()
    plan, names = planned(3)
    lines.planned(plan, names, 0)
    group = list(names.values())
    for step in range(1, 100):
        lines.progress(group, said(3, step))
    lines.progress(group, said(3, 100, "diverged"))
    lines.waiting(group, "process 7")
    lines.waiting(group, "process 7")
    lines.ended(group, Failure("ValueError", "no", "", {}))
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "3 runs: 0 in the store, 3 to train",
        "  because",
        "seed0 and 2 more: step 1 of 100, loss 0.5, error 0.1, test error -, rate 0.1, "
        "30 steps/s, 3.3 s left",
        "seed0 and 2 more: step 100 of 100, loss 0.5, error 0.1, test error -, rate 0.1, "
        "30 steps/s, 0 s left, 3 diverged",
        "seed0 and 2 more: waiting, process 7 is at work on it",
        "seed0 and 2 more: failed: ValueError: no",
    ]


def test_the_table_shows_who_runs_and_counts_the_rest():
    from rich.console import Console

    table = Table()
    plan, names = planned(30)
    group = list(names.values())

    def drawn():
        console = Console(width=100, record=True, file=io.StringIO())
        console.print(table.draw())
        return console.export_text()

    with table:
        table.planned(plan, names, 0)
        assert drawn().count("waiting") == 21 and "30 waiting" in drawn()
        table.progress(group[25:], said(5))
        text = drawn()
        assert "5 running, 25 waiting" in " ".join(text.split())
        assert text.index("seed25") < text.index("seed0 ") and "10/100" in text and "3 s" in text
        table.ended(group[25:], None)
        table.ended(group[:1], Failure("ValueError", "no", "", {}))
        table.waiting(group[:2], "process 7")
        assert "5 in the store" in drawn() and "1 failed" in drawn() and "process 7" in drawn()


def test_words():
    assert [duration(s) for s in (0.5, 48.2, 200, 7500, float("nan"))] == [
        *("0.5 s", "48 s", "3 min 20 s", "2 h 5 min", "-")
    ]
    assert shortened(["fcn-a-seed0", "fcn-a-seed10"]) == {
        "fcn-a-seed0": "seed0",
        "fcn-a-seed10": "seed10",
    }
    assert shortened(["fcn-a-seed0"]) == {"fcn-a-seed0": "fcn-a-seed0"}
