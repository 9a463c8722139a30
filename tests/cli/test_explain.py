"""``ridgeline explain``: what it says and what it leaves."""

import json

import pytest
import torch

from ridgeline import data, io, nets

MODEL = "ridgeline.nets:fcn(64,16,10)"
WORDS = ("--model", MODEL, "--data", "digits?train=200&test=100", "--points", 5)


def test_it_says_why(here, ridgeline):
    code, out, err = ridgeline("explain", "a.safetensors", "b.safetensors", *WORDS, "--force")
    assert code == 0, err
    for heading in (
        *("Monotone or not", "Plateaus", "The part of the biases"),
        *("The part of the initialisation", "Layers", "What would shorten it"),
    ):
        assert heading in out, heading
    assert "uniform rates (train)" in err


def test_json_and_a_page(here, ridgeline):
    words = (
        "explain",
        "a.safetensors",
        "b.safetensors",
        *WORDS,
        "--out",
        "why",
        "--json",
        "--force",
    )
    code, out, err = ridgeline(*words)
    told = json.loads(out)
    assert code == 0, err
    assert told["format"] == "ridgeline-explanation"
    assert told["provenance"]["split"] == "train"
    assert set(told["layers"]) == {"fc1", "fc2"}
    for file in ("report.html", "explanation.json", "profiles.parquet", "figures/paths.pdf"):
        assert (here / "why" / file).exists(), file
    assert "Layer by layer" in (here / "why" / "report.html").read_text()


def test_layers_can_be_left_out(here, ridgeline):
    words = (
        "explain",
        "a.safetensors",
        "b.safetensors",
        *WORDS,
        "--no-layers",
        "--out",
        "why",
        "--force",
    )
    code, out, _ = ridgeline(*words)
    assert code == 0
    assert "Layers" not in out
    assert "Layer by layer" not in (here / "why" / "report.html").read_text()


def test_ends_that_are_swapped_are_refused_unless_asked(here, ridgeline):
    losses = ends_at(here, "a.safetensors", "b.safetensors")
    best, worst = sorted(losses, key=lambda name: losses[name])
    code, _, err = ridgeline("explain", best, worst, *WORDS)
    assert code == 2 and "did you swap them" in err
    code, _, err = ridgeline("explain", best, worst, *WORDS, "--no-layers", "--force")
    assert code == 0 and "did you swap them" in err
    code, _, err = ridgeline("explain", best, best, *WORDS)
    assert code == 2 and "the two are equal" in err


def test_the_first_of_several_splits_is_explained(here, ridgeline):
    words = ("explain", "a.safetensors", "b.safetensors", *WORDS, "--no-layers", "--force")
    _, _, err = ridgeline(*words, "--split", "test,train")
    assert "explained on split test, the first of test, train" in err
    code, _, err = ridgeline(*words, "--split", "train,tset")
    assert code == 2 and "Did you mean 'test'" in err


def test_data_of_another_shape_are_one_message(here, ridgeline):
    words = ("--model", "ridgeline.nets:fcn(13,16,10)", "--data", "digits", "--points", 5)
    code, _, err = ridgeline("explain", "a.safetensors", "b.safetensors", *words)
    assert code == 3
    assert "the data have 64 features (a sample is 64), the network takes 13" in err
    assert "Traceback" not in err and "traceback" not in err


def ends_at(here, *names):
    split = data.load("digits?train=200&test=100")["train"]
    found = {}
    for name in names:
        model = nets.fcn(64, 16, 10)
        model.load_state_dict(io.load(here / name))
        logits = model(split.inputs).detach()
        found[name] = float(torch.nn.functional.cross_entropy(logits, split.targets))
    return found


@pytest.mark.parametrize(
    ("words", "said"),
    [(("a.safetensors", "missing.pt"), "missing.pt"), (("a.safetensors", "--out", "."), "out")],
)
def test_bad_input_is_refused(here, ridgeline, words, said):
    code, _, err = ridgeline("explain", *words, *WORDS)
    assert code in (2, 3)
    assert said in err or "MINIMUM" in err
