"""``ridgeline symmetries``, ``align`` and ``merge``: what they say and refuse."""

import json
import subprocess
import sys

import pytest
import torch

from ridgeline import io, nets
from ridgeline.symmetry import symmetries

MODEL = "ridgeline.nets:fcn(64,16,10)"
DATA = "digits?train=200&test=100"
ON = ("--model", MODEL, "--data", DATA)
FILES = ("a.safetensors", "b.safetensors")


@pytest.fixture
def permuted(here):
    """b is a, its units in another order, as float16 under a wrapper's names."""
    net = nets.fcn(64, 16, 10)
    a = io.load("a.safetensors", model=net)
    b = symmetries(net, torch.randn(2, 64)).random(1)(a)
    io.save(b, "permuted.safetensors")
    fitted = {n: 4 * x for n, x in a.items()}  # larger weights, so that the middle is worse
    io.save(fitted, "large.safetensors")
    element = symmetries(net, torch.randn(2, 64)).random(1)
    io.save(element(fitted), "large_permuted.safetensors")
    torch.save({n: x.half() for n, x in a.items()}, "a_half.pt")
    torch.save({"state_dict": {f"module.{n}": x.half() for n, x in b.items()}}, "half.pt")
    return here


# --- symmetries ---------------------------------------------------------------------------------


def test_groups_are_printed_and_saved(here, ridgeline):
    code, out, err = ridgeline("symmetries", *ON, "--out", "s.json")
    assert code == 0, err
    assert "fc1: 16" in out
    assert "outputs of the network" in out
    assert [g.name for g in io.load_symmetry("s.json").groups] == ["fc1"]
    assert "written: s.json" in err


def test_groups_as_json_without_some(here, ridgeline):
    words = ("symmetries", "--model", "ridgeline.nets:fcn(64,16,12,10)", "--json")
    code, out, _ = ridgeline(*words, "--example", "torch:zeros(2,64)", "--without", "fc2")
    told = json.loads(out)
    assert code == 0
    assert told["format"] == "ridgeline-symmetry"
    assert [g["name"] for g in told["groups"]] == ["fc1"]
    assert told["provenance"]["data"] is None


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--model", MODEL), 2, "--example"),
        ((*ON, "--without", "fc7"), 2, "fc1"),
        ((*ON, "--out", "s.txt"), 2, ".json"),
        ((*ON, "--overwrite"), 2, "--overwrite"),
        (("--model", MODEL, "--data", "none"), 2, "digits"),
    ],
)
def test_symmetries_refuses(here, ridgeline, words, code, said):
    found, out, err = ridgeline("symmetries", *words)
    assert found == code
    assert said in err
    assert not out
    assert not (here / "s.txt").exists()


def test_a_network_that_cannot_be_traced_says_what_to_do(here, ridgeline):
    (here / "branching.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.fc = torch.nn.Linear(64, 10)\n"
        "    def forward(self, x):\n"
        "        return self.fc(x) if float(x.sum()) > 0 else self.fc(-x)\n"
    )
    code, _, err = ridgeline("symmetries", "--model", "branching:Net", "--data", DATA)
    assert code == 3
    assert "--symmetry" in err


# --- align --------------------------------------------------------------------------------------


def test_a_planted_permutation_is_undone_in_the_format_of_the_file(permuted, ridgeline):
    words = ("align", "a_half.pt", "half.pt", "--model", MODEL, "--out", "out.safetensors")
    code, out, err = ridgeline(*words, "--example", "torch:zeros(2,64)")
    assert code == 0, err
    assert "WeightMatching" in out
    found = io.load("out.safetensors")
    a = io.load("a.safetensors")
    assert set(found) == {f"module.{n}" for n in a}
    assert all(x.dtype == torch.float16 for x in found.values())
    assert all(torch.equal(found[f"module.{n}"], a[n].half()) for n in a)


def test_barriers_before_and_after_and_a_page(permuted, ridgeline):
    files = ("large.safetensors", "large_permuted.safetensors")
    words = ("align", *files, *ON, "--points", 5, "--json")
    code, out, err = ridgeline(*words, "--out", "out.safetensors", "--report", "page")
    told = json.loads(out)
    assert code == 0, err
    assert told["format"] == "ridgeline-alignment"
    assert list(told["profiles"]) == ["as they are", "aligned", "aligned and repaired"]
    curves = {n: p["splits"]["train"]["loss"] for n, p in told["profiles"].items()}
    assert max(curves["aligned"]) - min(curves["aligned"]) < 1e-5
    assert max(curves["as they are"]) - min(curves["as they are"]) > 0.1
    assert told["distance"]["before"] > 0
    assert told["distance"]["after"] == 0
    for file in ("report.html", "alignment.json", "profiles.parquet", "figures/aligned.pdf"):
        assert (permuted / "page" / file).exists(), file
    for stage in ("tracing and proving", "aligned (train)"):  # a perfect match ends at once
        assert stage in err


@pytest.mark.parametrize(
    "words",
    [
        ("--by", "activations"),
        ("--by", "straight-through", "--steps", 2),
        ("--by", "sinkhorn", "--steps", 2),
        ("--by", "sinkhorn", "--minimise", "midpoint", "--steps", 2),
        ("--by", "frank-wolfe", "--restarts", 1),
    ],
)
def test_every_strategy(here, ridgeline, words):
    common = ("align", *FILES, *ON, "--points", 3, "--repair", "none", "--samples", 100)
    code, out, err = ridgeline(*common, *words, "--out", "out.safetensors")
    assert code == 0, err
    assert "Aligned by" in out
    net = nets.fcn(64, 16, 10)
    b, carried = (io.load(f"{n}.safetensors", model=net) for n in ("b", "out"))
    x = torch.randn(5, 64, dtype=torch.float64)
    outputs = [
        torch.func.functional_call(net, {n: p.double() for n, p in s.items()}, x)
        for s in (b, carried)
    ]
    assert torch.allclose(*outputs, atol=1e-10)


def test_a_saved_symmetry_in_place_of_discovery(here, ridgeline):
    assert ridgeline("symmetries", *ON, "--out", "s.json")[0] == 0
    words = ("align", *FILES, "--model", MODEL, "--symmetry", "s.json", "--out", "out.safetensors")
    code, _, err = ridgeline(*words)
    assert code == 0, err
    assert "tracing" not in err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--model", MODEL), 2, "--example"),
        (("--model", "ridgeline.nets:fcn(64,12,10)", "--data", DATA), 3, "fc1.weight"),
        ((*ON, "--out", "c.txt"), 2, ".safetensors"),
        ((*ON, "--out", "b.safetensors"), 3, "b.safetensors"),
        ((*ON, "--steps", "3"), 2, "--steps"),
        ((*ON, "--minimise", "midpoint"), 2, "sinkhorn"),
        (("--model", MODEL, "--by", "activations"), 2, "--data"),
        (("--model", MODEL, "--report", "page"), 2, "--data"),
        ((*ON, "--symmetry", "none.json"), 3, "none.json"),
        ((*ON, "--samples", "0", "--by", "activations"), 2, "--samples"),
    ],
)
def test_align_refuses(here, ridgeline, words, code, said):
    before = {p.name: p.stat().st_mtime_ns for p in here.iterdir()}
    found, out, err = ridgeline("align", *FILES, *words)
    assert found == code, err
    assert said in err
    assert not out
    assert {p.name: p.stat().st_mtime_ns for p in here.iterdir()} == before


def test_a_symmetry_of_another_network_is_refused(here, ridgeline):
    words = ("--model", "ridgeline.nets:fcn(64,12,10)", "--example", "torch:zeros(2,64)")
    assert ridgeline("symmetries", *words, "--out", "s.json")[0] == 0
    code, _, err = ridgeline("align", *FILES, "--model", MODEL, "--symmetry", "s.json")
    assert code == 3
    assert "fc1.weight" in err


def test_neither_file_nor_page_if_one_fails(here, ridgeline, monkeypatch):
    def fail(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("ridgeline.io.save_like", fail)
    words = ("align", *FILES, *ON, "--points", 3, "--out", "out.safetensors", "--report", "page")
    code, _, err = ridgeline(*words)
    assert code == 130
    assert "nothing half-written" in err
    assert not (here / "page").exists()
    assert not (here / "out.safetensors").exists()


# --- merge --------------------------------------------------------------------------------------


def test_merging_before_and_after(here, ridgeline):
    words = ("merge", *FILES, *ON, "--align", "--repair", "--out", "m.safetensors", "--json")
    code, out, err = ridgeline(*words, "--report", "page")
    told = json.loads(out)
    assert code == 0, err
    assert told["format"] == "ridgeline-merge"
    names = ["merged", "merged and repaired", *FILES]
    assert list(told["scores"]["test"]["loss"]) == names
    scores = {n: told["scores"]["test"]["loss"][n] for n in names}
    above = scores["merged"]["value"] - (scores[FILES[0]]["value"] + scores[FILES[1]]["value"]) / 2
    assert above == pytest.approx(scores["merged"]["above"]["value"])
    assert (here / "page/report.html").exists()
    assert io.load("m.safetensors", model=nets.fcn(64, 16, 10))


@pytest.mark.parametrize(
    "words",
    [
        ("--by", "mean", "--weights", "1,3"),
        ("--by", "slerp", "--t", "0.25"),
        ("--by", "task-arithmetic", "--base", "c.safetensors", "--scale", "0.5"),
        ("--by", "ties", "--base", "c.safetensors", "--keep", "0.5"),
        ("--by", "dare", "--base", "c.safetensors", "--drop", "0.5"),
        ("--by", "model-stock", "--base", "c.safetensors"),
        ("--by", "fisher", "--data", DATA, "--samples", "50"),
        ("--by", "regmean", "--data", DATA, "--samples", "50"),
        ("--layers", "fc*1"),
        ("--by", "mean", "--base", "c.safetensors", "--align", "--data", DATA),
    ],
)
def test_every_way_to_merge(here, ridgeline, words):
    code, _, err = ridgeline("merge", *FILES, "--model", MODEL, "--out", "m.safetensors", *words)
    if "mean" in words and "--base" in words:
        assert code == 2
        assert "base" in err
        return
    assert code == 0, err
    a, m = io.load("a.safetensors"), io.load("m.safetensors")
    assert {n: x.shape for n, x in a.items()} == {n: x.shape for n, x in m.items()}
    if "--layers" in words:
        assert torch.equal(a["fc2.weight"], m["fc2.weight"])
        assert not torch.equal(a["fc1.weight"], m["fc1.weight"])


def test_three_in_a_common_frame(here, ridgeline):
    words = ("merge", *FILES, "c.safetensors", *ON, "--align", "--out", "m.safetensors")
    code, out, err = ridgeline(*words)
    assert code == 0, err
    assert "3 states aligned by MergeMany" in out


def test_permuted_copies_merge_to_one(permuted, ridgeline):
    words = ("merge", "a.safetensors", "permuted.safetensors", *ON, "--align")
    assert ridgeline(*words, "--out", "m.safetensors")[0] == 0
    a, m = io.load("a.safetensors"), io.load("m.safetensors")
    assert all(torch.equal(a[n], m[n]) for n in a)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--weights", "1"), 2, "2 states"),
        (("--weights", "one,two"), 2, "--weights"),
        (("--layers", "conv*"), 2, "fc1"),
        (("--by", "ties"), 2, "--base"),
        (("--by", "fisher"), 2, "--data"),
        (("--repair",), 2, "--data"),
        (("--t", "0.5"), 2, "slerp"),
        (("--symmetry", "s.json"), 2, "--align"),
        (("--align",), 2, "--example"),
        (("--out", "m.npz"), 2, ".safetensors"),
    ],
)
def test_merge_refuses(here, ridgeline, words, code, said):
    before = sorted(p.name for p in here.iterdir())
    found, out, err = ridgeline("merge", *FILES, "--model", MODEL, "--out", "m.safetensors", *words)
    assert found in (code, 3), err
    assert said in err
    assert not out
    assert sorted(p.name for p in here.iterdir()) == before


def test_running_statistics_are_of_networks_that_have_some(here, ridgeline):
    words = ("merge", *FILES, "c.safetensors", *ON, "--repair", "statistics")
    code, _, err = ridgeline(*words)
    assert code == 2
    assert "statistics" in err


# --- the surface --------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["symmetries", "align", "merge"])
def test_help_does_not_import_torch(verb):
    code = (
        "import sys\nfrom ridgeline.cli.main import main\n"
        f"try:\n    main([{verb!r}, '--help'])\nexcept SystemExit: pass\n"
        "sys.exit('torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "example:" in ran.stdout
