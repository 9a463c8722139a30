"""Every strategy and every way to bring many together, from the command line."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from ridgeline import io, nets
from ridgeline.cli.ways import MANY, MATCHING
from ridgeline.symmetry import rescalable, symmetries

MODEL = "ridgeline.nets:fcn(64,16,10)"
DATA = "digits?train=200&test=100"
ON = ("--model", MODEL, "--data", DATA)
TWO = ("a.safetensors", "b.safetensors")
THREE = (*TWO, "c.safetensors")
SHORT = ("--points", 3, "--repair", "none", "--samples", 100)
VIT = "ridgeline.nets:vit(10,1,8,4,8,2,1,'mean')"
IMAGES = ("--model", VIT, "--data", "images:digits")
VITS = ("va.safetensors", "vb.safetensors")
TIED = "ridgeline.nets:transformer(11,6,width=8,heads=2,depth=1)"


@pytest.fixture
def pictures(here):
    """The digits as images, and three vision transformers for them with weights of some size."""
    (here / "images.py").write_text(
        "from ridgeline import data\n"
        "def digits():\n"
        "    found = data.load('digits?train=100&test=50').splits.items()\n"
        "    return {n: (s.inputs.reshape(-1, 1, 8, 8), s.targets) for n, s in found}\n"
    )
    for seed, name in enumerate("abc"):
        draws = torch.Generator().manual_seed(seed)
        state = nets.vit(10, 1, 8, 4, 8, 2, 1, "mean", seed).state_dict()
        noisy = {n: x + 0.2 * torch.randn(x.shape, generator=draws) for n, x in state.items()}
        io.save(noisy, f"v{name}.safetensors")
    return here


def outputs(net, file, x):
    state = {n: p.double() for n, p in io.load(file, model=net).items()}
    with torch.no_grad():
        return torch.func.functional_call(net, state, x.double())


def header(file):
    with safe_open(file, "pt") as opened:
        return json.loads(opened.metadata()["ridgeline.aligned"])


# --- two ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--by", "annealing", "--steps", 50), "of 50 swaps were taken"),
        (
            (
                "--by",
                "annealing",
                "--steps",
                50,
                "--initial-temperature",
                1,
                "--final-temperature",
                0.1,
            ),
            "squared",
        ),
        (("--by", "transport"), "OptimalTransport"),
        (("--by", "rescaling"), "16 units (fc1) by positive factors"),
    ],
)
def test_a_perceptron_keeps_its_function(here, ridgeline, words, said):
    code, out, err = ridgeline("align", *TWO, *ON, *SHORT, *words, "--out", "out.safetensors")
    assert code == 0, err
    assert said in out
    net, x = nets.fcn(64, 16, 10), torch.randn(5, 64)
    b, carried = outputs(net, "b.safetensors", x), outputs(net, "out.safetensors", x)
    torch.testing.assert_close(b, carried, rtol=1e-5, atol=1e-5)
    assert header("out.safetensors") == {"to": TWO[0], "from": TWO[1], "by": words[1]}


@pytest.mark.parametrize("words", [("procrustes",), ("learned", "--steps", 3)])
def test_a_transformer_keeps_its_function(pictures, ridgeline, words):
    code, out, err = ridgeline(
        "align", *VITS, *IMAGES, *SHORT, "--by", *words, "--out", "out.safetensors"
    )
    assert code == 0, err
    assert "The 8 coordinates of the residual stream" in out
    assert "2 circuits of query and key or value and output" in out
    net, x = nets.vit(10, 1, 8, 4, 8, 2, 1, "mean"), torch.randn(5, 1, 8, 8)
    b, carried = outputs(net, "vb.safetensors", x), outputs(net, "out.safetensors", x)
    torch.testing.assert_close(b, carried, rtol=1e-3, atol=1e-4)


def test_planted_factors_and_permutations_are_undone_by_a_saved_symmetry(here, ridgeline):
    """`--symmetry` alone will do if the file holds the scalings."""
    net, example = nets.fcn(64, 16, 10), torch.randn(2, 64)
    symmetry = rescalable(symmetries(net, example), net, example)
    a = io.load("a.safetensors", model=net)
    io.save(symmetry.random(3, scalings=True)(a), "planted.safetensors")
    io.save_symmetry(symmetry, "s.json")
    words = ("a.safetensors", "planted.safetensors", "--model", MODEL, "--symmetry", "s.json")
    code, _, err = ridgeline("align", *words, "--by", "rescaling", "--out", "out.safetensors")
    assert code == 0, err
    assert "scalings" not in err
    found = io.load("out.safetensors")
    for name, x in a.items():
        torch.testing.assert_close(found[name], x, rtol=1e-4, atol=1e-5)


def test_mixed_units_are_said_to_be_no_transform(here, ridgeline):
    words = ("align", *TWO, *ON, "--points", 3, "--by", "transport", "--soft")
    code, out, err = ridgeline(*words, "--out", "out.safetensors")
    assert code == 0, err
    assert "no transform of the checkpoint and computes another function" in out
    assert "mixed and repaired" in out
    assert "\naligned" not in out  # no line is called so
    assert header("out.safetensors")["mixed"] is True
    net, x = nets.fcn(64, 16, 10), torch.randn(5, 64)
    b, mixed = outputs(net, "b.safetensors", x), outputs(net, "out.safetensors", x)
    assert not torch.allclose(b, mixed, atol=1e-2)
    more = ("--regularisation", 1e-4, "--json", "--report", "page")
    code, out, err = ridgeline(*words, *more)
    told = json.loads(out)
    assert list(told["profiles"]) == ["as they are", "mixed", "mixed and repaired"]
    assert told["permutation"] is False
    assert any("no transform" in note for note in told["provenance"]["notes"])
    assert "Units were mixed" in Path("page/report.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--soft",), "--soft is of transport. Got --soft with weights."),
        (("--by", "transport", "--regularisation", 0.1), "Add --soft"),
        (("--by", "weights", "--initial-temperature", 3), "annealing"),
        (("--by", "annealing", "--initial-temperature", 1), "fall"),
        (("--by", "transport", "--steps", 3), "sinkhorn, straight-through, annealing, learned"),
        (("--by", "procrustes"), "no normalisation layer has a gain. The strategy weights"),
        (("--by", "learned", "--steps", 3), "residual stream of a transformer"),
    ],
)
def test_what_does_not_fit_is_one_line(here, ridgeline, words, said):
    code, out, err = ridgeline("align", *TWO, *ON, *words)
    lines = [line for line in err.splitlines() if line.startswith("ridgeline: ")]
    assert code == 2
    assert not out
    assert said in lines[0]
    assert err.splitlines()[-1] == lines[0]


def test_networks_without_what_a_strategy_needs(here, ridgeline):
    (here / "odd.py").write_text(
        "import torch\n"
        "from torch import nn\n"
        "def gelu():\n"
        "    return nn.Sequential(nn.Linear(64, 4), nn.GELU(), nn.Linear(4, 10))\n"
        "def tokens():\n"
        "    return torch.zeros(1, 6, dtype=torch.int64)\n"
    )
    for name, spec in (("gelu", "odd:gelu"), ("tied", TIED)):
        io.save(dict(io.resolve(spec, kind="model").state_dict()), f"{name}.safetensors")
    refusals = {
        ("gelu", "odd:gelu", "torch:zeros(1,64)", "rescaling"): "ReLU and tanh",
        ("tied", TIED, "odd:tokens", "procrustes"): "shares its weight with the embedding",
    }
    for (name, model, example, by), said in refusals.items():
        words = (f"{name}.safetensors",) * 2
        code, _, err = ridgeline(
            "align", *words, "--model", model, "--example", example, "--by", by
        )
        assert code == 2, err
        assert said in err
        assert "The strategy weights permutes units of any network." in err


# --- three and more -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "MergeMany"),
        (("--align-many", "merge-many", "--align-by", "frank-wolfe", "--restarts", 1), "MergeMany"),
        (("--align-many", "cycle-consistent", "--restarts", 2), "CycleConsistent"),
        (("--align-many", "reference", "--align-by", "rescaling"), "ToReference"),
    ],
)
def test_many_are_brought_together(here, ridgeline, words, said):
    code, out, err = ridgeline("merge", *THREE, *ON, "--align", *words)
    assert code == 0, err
    assert f"3 states aligned by {said}" in out
    before, after = (float(x) for x in out.split("spread ")[1].split(" (")[0].split(" -> "))
    assert after < before


@pytest.mark.slow
def test_transformers_go_to_the_first(pictures, ridgeline):
    code, out, err = ridgeline(
        *("merge", *VITS, "vc.safetensors", *IMAGES, "--align", "--align-by", "procrustes"),
        *("--align-many", "reference"),
    )
    assert code == 0, err
    assert "3 states aligned by ToReference" in out


@pytest.mark.parametrize("kind", ["forward", "closed-form"])
def test_a_merge_of_three_is_repaired_with_the_shares_of_its_weights(here, ridgeline, kind):
    words = ("merge", *THREE, *ON, "--repair", kind, "--json")
    found = {}
    for weights in ("1,1,1", "1,2,1", "0,1,0"):
        code, out, err = ridgeline(*words, "--weights", weights)
        assert code == 0, err
        loss = json.loads(out)["scores"]["test"]["loss"]
        found[weights] = loss["merged"]["value"], loss["merged and repaired"]["value"]
    plain, repaired = found["1,1,1"]
    assert plain != repaired
    assert found["1,2,1"][1] != repaired
    assert found["0,1,0"][0] == found["0,1,0"][1]  # one of the ends stays as it is


@pytest.mark.parametrize(
    ("files", "words", "said"),
    [
        (THREE, ("--align-many", "reference"), "Add --align."),
        (THREE, ("--align-by", "weights", "--steps", 2), "--align-by, --steps are for aligning"),
        (TWO, ("--align", "--align-many", "reference"), "with 2 of them. Leave it out"),
        (THREE, ("--align", "--align-by", "procrustes"), "--align-many reference"),
        (THREE, ("--align", "--align-many", "merge-many", "--align-by", "rescaling"), "reference"),
        (
            THREE,
            ("--align", "--align-many", "cycle-consistent", "--align-by", "weights"),
            "Leave --align-by out",
        ),
        (THREE, ("--align", "--align-many", "cycle-consistent", "--steps", 3), "--steps"),
        (THREE, ("--align", "--align-by", "transport", "--soft"), "Merge two"),
        (
            TWO,
            ("--align", "--by", "ties", "--base", "c.safetensors", "--align-many", "reference"),
            "carried to the base",
        ),
        (TWO[:1], ("--repair",), "Give two or more"),
        (THREE, ("--repair", "--weights", "1,-1,1"), "--weights"),
    ],
)
def test_what_does_not_fit_a_merge(here, ridgeline, files, words, said):
    code, out, err = ridgeline("merge", *files, *ON, *words)
    assert code == 2, err
    assert not out
    assert said in err
    assert len(err.splitlines()) == 1


def test_help_names_every_strategy(ridgeline):
    for verb, names in (("align", MATCHING), ("merge", (*MATCHING, *MANY))):
        code, out, _ = ridgeline(verb, "--help")
        assert code == 0
        out = "".join(out.split())  # words with hyphens are broken at them
        assert all(name in out for name in names)
        assert "splitsofthedataset:trainandtest" in out
    assert "cycle-consistent" not in ridgeline("align", "--help")[1]
