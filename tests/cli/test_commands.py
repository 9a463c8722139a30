"""Every verb, as a user gives it; and every way a command can be wrong."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import ridgeline as rl
from ridgeline import io, nets

MODEL = "ridgeline.nets:fcn(64,16,10)"
DATA = "digits?train=200&test=100"


def test_json_has_the_documented_shape_and_the_librarys_numbers(here, profiled):
    code, told, _ = profiled("--points", 11)
    assert code == 0
    assert told["format"] == "ridgeline-profile" and told["version"] == 1
    assert set(told["splits"]) == {"train", "test"}
    assert set(told["splits"]["train"]) == {"loss", "error"}
    data = rl.data.load(DATA)["train"]
    a, b = (rl.load(f"{n}.safetensors") for n in "ab")
    same = rl.profile(rl.Line(a, b), rl.Objective(nets.fcn(64, 16, 10), data), points=11)
    np.testing.assert_allclose(told["splits"]["train"]["loss"], same.curve().mean)
    np.testing.assert_allclose(told["t"], same.t)
    top = told["measures"]["train"]["loss"]["barrier"]
    assert top["kind"] == "chord" and top["height"] == pytest.approx(same.barrier().height)
    assert top["stderr"] == pytest.approx(same.barrier().stderr) and 0 <= top["at"] <= 1
    assert set(told["measures"]["train"]["loss"]) >= {
        "barrier",
        "monotonicity",
        "plateau",
        "length",
    }
    assert told["provenance"]["data"]["name"] == DATA


def test_options_reach_the_measurement(here, profiled):
    _, told, _ = profiled(
        "--grid", "0,0.25,1", "--split", "test", "--metrics", "accuracy,top5_error"
    )
    assert told["t"] == [0, 0.25, 1] and list(told["splits"]) == ["test"]
    assert list(told["splits"]["test"]) == ["loss", "accuracy", "top5_error"]
    _, told, _ = profiled("--points", 3, "--layers", "fc2", "--hold", "b")
    ends = rl.load("b.safetensors")
    assert told["splits"]["train"]["loss"][2] == pytest.approx(
        rl.Objective(nets.fcn(64, 16, 10), rl.data.load(DATA)["train"])(ends)["loss"].mean().item()
    )
    _, homogeneous, _ = profiled("--points", 3, "--rates", "homogeneous-biases")
    _, uniform, _ = profiled("--points", 3)
    assert homogeneous["splits"]["train"]["loss"][0] == uniform["splits"]["train"]["loss"][0]
    _, beyond, _ = profiled("--grid=-0.5,0,1,1.5", "--extrapolate")
    assert beyond["t"] == [-0.5, 0, 1, 1.5]
    _, wide, _ = profiled("--points", 3, "--dtype", "float64")
    np.testing.assert_allclose(
        wide["splits"]["train"]["loss"], uniform["splits"]["train"]["loss"], rtol=1e-5
    )


def test_precision_in_units_and_in_per_cent(here, profiled):
    for wanted in ("5", "500%"):
        _, told, _ = profiled("--points", 3, "--precision", wanted, data="digits")
        assert told["samples"]["train"]["evaluated"] < told["samples"]["train"]["of"]
        assert told["samples"]["train"]["scope"] == "data set"


@pytest.mark.slow
def test_out_holds_tables_figures_and_a_page(here, ridgeline):
    words = ["a.safetensors", "b.safetensors", "--model", MODEL, "--data", DATA]
    code, out, err = ridgeline("profile", *words, "--points", 5, "--out", "made/here")
    assert code == 0 and "made/here/report.html" in err and "barrier" in out
    folder = here / "made/here"
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert {"report.html", "profile.json", "profile.parquet", "manifest.json"} <= names
    assert any(n.endswith(".pdf") for n in names) and any(n.endswith(".svg") for n in names)
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(folder / "profile.parquet").to_pylist()
    assert len(table) == 5 * 2 * 2 and {"t", "split", "metric", "value", "stderr"} <= set(table[0])
    code, _, err = ridgeline("profile", *words, "--points", 5, "--out", "made/here")
    assert code == 3 and "not replaced unless asked" in err
    code, _, _ = ridgeline("profile", *words, "--points", 3, "--out", "made/here", "--overwrite")
    assert code == 0 and len(json.loads((folder / "profile.json").read_text())["t"]) == 3


def test_layers(here, profiled):
    code, told, _ = profiled("--points", 3, "--out", "layers", verb="layers")
    assert code == 0 and list(told["layers"]) == ["fc1", "fc2"]
    assert told["whole"]["splits"]["train"]["loss"][0] == pytest.approx(
        told["layers"]["fc1"]["splits"]["train"]["loss"][0]
    )
    assert (here / "layers/report.html").exists()


@pytest.mark.slow
def test_plane_through_three_and_around_one(here, ridgeline):
    names = [f"{n}.safetensors" for n in "abc"]
    words = ["--model", MODEL, "--data", DATA, "--points", 4, "--json", "--split", "train"]
    line = f"walk={names[0]},{names[1]}"
    code, out, _ = ridgeline("plane", *names, *words, "--trajectory", line, "--out", "plane")
    told = json.loads(out)
    assert code == 0 and np.shape(told["values"]["train"]["loss"]) == (4, 4)
    assert told["trajectories"]["walk"][0] == pytest.approx([0, 0, 0], abs=1e-4)
    assert (here / "plane/report.html").exists()
    both = ("--split", "train,test", "--out", "around")
    code, out, _ = ridgeline("plane", names[0], *words, "--seed", 3, *both)
    found = json.loads(out)
    assert found["x"] == found["y"] and found["x"] == [-x for x in found["x"][::-1]]
    drawn = {path.stem for path in (here / "around/figures").glob("*.csv")}
    kinds = {f"surface-{split}-{m}" for split, ms in found["values"].items() for m in ms}
    assert drawn == kinds and len(kinds) == 4
    code, out, _ = ridgeline("plane", names[0], *words, "--seed", 3)
    assert code == 0 and np.shape(json.loads(out)["values"]["train"]["loss"]) == (4, 4)
    assert ridgeline("plane", *names[:2], *words)[0] == 2
    assert ridgeline("plane", *names, *words, "--trajectory", "walk")[0] == 2


def test_inspect(here, ridgeline):
    state = {"w": torch.tensor([1.0, float("nan")]), "n": torch.tensor(3)}
    torch.save(state, "bad.pt")
    code, out, _ = ridgeline("inspect", "bad.pt", "--json")
    told = {t["name"]: t for t in json.loads(out)["tensors"]}
    assert code == 0 and told["w"]["nans"] == 1 and told["n"]["dtype"].endswith("int64")
    code, out, _ = ridgeline("inspect", "bad.pt")
    assert code == 0 and "w" in out and "NaN" in out


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--metrics", "eror"], 2, "Did you mean 'error'"),
        (["--loss", "crossentropy"], 2, "Did you mean 'cross_entropy'"),
        (["--split", "trian"], 2, "Did you mean 'train'"),
        (["--layers", "fc9"], 2, "Did you mean 'fc\\d'\\? Known: fc\\d, fc\\d"),
        (["--grid", "0,0.5,0.5,1"], 2, "increase"),
        (["--grid", "0,1.5"], 2, "--extrapolate"),
        (["--grid", "0,half,1"], 2, "list of numbers"),
        (["--points", "1"], 2, "two points"),
        (["--precision", "small"], 2, "percent sign"),
        (["--precision", "-1"], 2, "positive"),
        (["--device", "cuda:9"], 2, "device must be there"),
        (["--overwrite"], 2, "--out"),
        (["--out", "/proc/nowhere"], 3, "written"),
        (["--strategy", "fast"], 2, "invalid choice"),
    ],
)
def test_wrong_options_are_told_with_a_remedy(here, ridgeline, words, code, text):
    import re

    base = ["profile", "a.safetensors", "b.safetensors", "--model", MODEL, "--data", DATA]
    found, out, err = ridgeline(*base, *words)
    assert found == code, err
    assert re.search(text, err), err
    assert out == "" and "Traceback" not in err


def test_checkpoints_of_two_types_are_taken_in_the_wider_one_and_told(here, ridgeline):
    torch.save({k: x.half() for k, x in rl.load("a.safetensors").items()}, "half.pt")
    words = ("b.safetensors", "--model", MODEL, "--data", DATA, "--points", "3", "--json")
    code, out, err = ridgeline("profile", "half.pt", *words)
    assert code == 0 and "different types (float16, float32)" in err
    (here / "half.pt").unlink()
    exact = json.loads(ridgeline("profile", "a.safetensors", *words)[1])
    split = next(iter(exact["splits"]))
    found = json.loads(out)["splits"][split]["loss"]
    assert found == pytest.approx(exact["splits"][split]["loss"], rel=1e-2)


def test_bad_input_gets_one_clear_error_and_writes_nothing(here, ridgeline):
    before = set(here.iterdir())

    def refused(a="a.safetensors", model=MODEL, data=DATA):
        code, out, err = ridgeline(
            "profile", a, "b.safetensors", "--model", model, "--data", data, "--out", "result"
        )
        assert code in (2, 3) and out == "" and not (here / "result").exists(), err
        return err

    assert "nothing.pt" in refused(a="nothing.pt")
    assert "Did you mean 'digits'" in refused(data="digit")
    assert "fashion-mnist" in refused(data="nothing-like-it")
    assert "dotted name" in refused(model="nets.py:build")
    assert "Did you mean 'fcn'" in refused(model="ridgeline.nets:fnc")
    assert "torch.nn.Module" in refused(model="builtins:dict")
    assert "fc1.weight (32, 64) -> (16, 64)" in refused(model="ridgeline.nets:fcn(64,32,10)")
    (here / "torn.safetensors").write_bytes((here / "a.safetensors").read_bytes()[:100])
    assert "torn.safetensors" in refused(a="torn.safetensors")
    nan = dict(rl.load("a.safetensors"))
    nan["fc1.bias"] = nan["fc1.bias"] * float("nan")
    torch.save(nan, "nan.pt")
    assert "fc1.bias (16 NaN" in refused(a="nan.pt")
    (here / "own.py").write_text(
        "import torch\n"
        "def empty(): return torch.zeros(0, 64), torch.zeros(0, dtype=torch.long)\n"
        "def high(): return torch.zeros(3, 64), torch.tensor([0, 10, 1])\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n        super().__init__(); self.fc1 = torch.nn.Linear(64, 16)\n"
        "    def forward(self, x): raise RuntimeError('my own trouble')\n"
    )
    assert "at least one sample" in refused(data="own:empty")
    assert "label 10 at sample 1" in refused(data="own:high")
    torch.save(torch.nn.ModuleDict({"fc1": torch.nn.Linear(64, 16)}).state_dict(), "own.pt")
    code, _, err = ridgeline("profile", "own.pt", "own.pt", "--model", "own:Net", "--data", DATA)
    assert code == 3 and "my own trouble" in err and "Traceback" in err
    made = {p.name for p in set(here.iterdir()) - before}
    assert made <= {"torn.safetensors", "nan.pt", "own.py", "own.pt", "__pycache__"}


def test_a_folder_without_leave_is_refused_before_any_work(here, ridgeline, monkeypatch):
    if os.geteuid() == 0:
        monkeypatch.setattr(os, "open", os.open)  # root may write anywhere: use /proc, as above
        pytest.skip("root may write to any folder; /proc stands in for it in the table above")
    (here / "shut").mkdir()
    (here / "shut").chmod(stat.S_IRUSR | stat.S_IXUSR)
    words = ["a.safetensors", "b.safetensors", "--model", MODEL, "--data", DATA]
    assert ridgeline("profile", *words, "--out", "shut/result")[0] == 3


# --- the process as a whole ------------------------------------------------------------------


def test_help_is_instant_and_loads_no_torch():
    code = (
        "import sys, contextlib, io\n"
        "from ridgeline.cli.main import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "    main(['align', '--help'])\n"
        "heavy = {'torch', 'numpy', 'matplotlib', 'sklearn', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_the_library_loads_no_extra():
    code = (
        "import sys, ridgeline as rl\n"
        "rl.profile, rl.Objective, rl.load, rl.data, rl.train, rl.nets\n"
        "heavy = {'matplotlib', 'sklearn', 'pyarrow', 'rich', 'jinja2', 'ray'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_signal_keeps_what_is_done_and_leaves_no_half_files(here, number):
    """A slow model of the user's own is stopped in the middle; a whole result of part remains."""
    (here / "slow.py").write_text(
        "import time, torch\n"
        "class Net(torch.nn.Sequential):\n"
        "    def __init__(self):\n        super().__init__(torch.nn.Linear(64, 10))\n"
        "    def forward(self, x):\n        time.sleep(0.02); return super().forward(x)\n"
        "def data():\n"
        "    return torch.randn(200_000, 64), torch.zeros(200_000, dtype=torch.long)\n"
    )
    state = torch.nn.Sequential(torch.nn.Linear(64, 10)).state_dict()
    io.save(dict(state), "one.safetensors")
    words = ["one.safetensors", "one.safetensors", "--model", "slow:Net", "--data", "slow:data"]
    command = [sys.executable, "-m", "ridgeline.cli", "profile", *words, "--out", "out", "--json"]
    process = subprocess.Popen(
        [*command, "--points", "5", "--strategy", "loop"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(here)},
    )
    assert process.stderr is not None
    assert "the same values" in process.stderr.readline()
    assert "samples of" in process.stderr.readline()
    time.sleep(0.3)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    told = json.loads(out)
    (samples,) = told["samples"].values()
    assert 0 < samples["evaluated"] < samples["of"] == 200_000
    assert (here / "out/manifest.json").exists()
    assert not [p for p in here.iterdir() if ".tmp" in p.name]


def test_the_readme_runs_as_written(here, tmp_path):
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    blocks = readme.split("```python\n")[1:]
    first = blocks[0].split("```")[0]
    assert len([line for line in first.splitlines() if line.strip()]) == 5
    ran = subprocess.run([sys.executable, "-c", first], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("Barrier(height=")


@pytest.mark.slow
def test_the_readme_aligns_as_written():
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (block,) = [b.split("```")[0] for b in readme.split("```python\n") if "rl.symmetries" in b]
    code = block + "\nprint(naive.height > 3 * after.height)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.endswith("True\n"), ran.stdout


def test_options_are_a_reviewed_list(ridgeline):
    """A new flag is a change of the interface: it belongs in this list, on purpose."""
    import argparse

    from ridgeline.cli.main import parser

    (verbs,) = [a for a in parser()._actions if isinstance(a, argparse._SubParsersAction)]
    flags = {
        name: sorted(o for a in verb._actions for o in a.option_strings if o.startswith("--"))
        for name, verb in ((name, verb.filled()) for name, verb in verbs.choices.items())
    }
    shared = {
        *("--model", "--data", "--data-root", "--download", "--split", "--loss", "--metrics"),
        "--mean-over",
        *("--statistics", "--points", "--device", "--dtype", "--strategy", "--threads"),
        *("--seed", "--out", "--overwrite", "--json", "--help"),
    }
    line = {"--grid", "--extrapolate", "--layers", "--hold"}
    assert set(flags["profile"]) == shared | line | {"--rates", "--precision"}
    assert set(flags["layers"]) == shared | line
    assert set(flags["plane"]) == shared | {"--margin", "--trajectory"}
    symmetry = {"--example", "--symmetry", "--without"}
    matching = {"--minimise", "--restarts", "--steps", "--samples", "--report", "--repair"}
    matching |= {"--initial-temperature", "--final-temperature", "--soft", "--regularisation"}
    assert set(flags["align"]) == shared | symmetry | matching | {"--by", "--target"}
    assert set(flags["merge"]) == shared - {"--points", "--strategy"} | symmetry | matching | {
        *("--by", "--base", "--weights", "--layers", "--t", "--scale", "--keep", "--drop"),
        *("--align", "--align-by", "--align-many", "--target"),
    }
    assert set(flags["symmetries"]) == {
        *("--model", "--data", "--data-root", "--download", "--example", "--without", "--device"),
        *("--threads", "--seed", "--out", "--overwrite", "--json", "--help"),
    }
    assert set(flags["inspect"]) == {"--help", "--json"}
    assert set(flags["demo"]) == {"--help", "--out", "--overwrite"}
    assert set(flags["train"]) == {
        *("--help", "--seeds", "--set", "--data-root", "--download", "--device", "--workers"),
        *("--threads", "--together", "--store", "--dry-run", "--json"),
    }
    assert set(flags["runs"]) == {
        *("--help", "--where", "--sort", "--sql", "--curves", "--shallow", "--keep", "--dry-run"),
        *("--yes", "--json", "--overwrite"),
    }
    descent = {"--length", "--batch-size", "--positions", "--optimiser", "--learning-rate"}
    descent |= {"--decay", "--clip", "--keep", "--align", "--report"} | symmetry
    assert set(flags["connect"]) == shared | descent | {"--by", "--bends", "--share"}
    assert set(flags["star"]) == shared | descent | {
        *("--start", "--sampling", "--feet-per-step", "--held-out"),
    }
    assert set(flags["geodesic"]) == shared | descent | {"--penalties", "--bends", "--removing"}
