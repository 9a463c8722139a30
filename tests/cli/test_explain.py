"""``ridgeline explain``: what it says and what it leaves."""

import json

import pytest

MODEL = "ridgeline.nets:fcn(64,16,10)"
WORDS = ("--model", MODEL, "--data", "digits?train=200&test=100", "--points", 5)


def test_it_says_why(here, ridgeline):
    code, out, err = ridgeline("explain", "a.safetensors", "b.safetensors", *WORDS)
    assert code == 0, err
    for heading in (
        *("Monotone or not", "Plateaus", "The part of the biases"),
        *("The part of the initialisation", "Layers", "What would shorten it"),
    ):
        assert heading in out, heading
    assert "uniform rates (train)" in err


def test_json_and_a_page(here, ridgeline):
    words = ("explain", "a.safetensors", "b.safetensors", *WORDS, "--out", "why", "--json")
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
    words = ("explain", "a.safetensors", "b.safetensors", *WORDS, "--no-layers", "--out", "why")
    code, out, _ = ridgeline(*words)
    assert code == 0
    assert "Layers" not in out
    assert "Layer by layer" not in (here / "why" / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [(("a.safetensors", "missing.pt"), "missing.pt"), (("a.safetensors", "--out", "."), "out")],
)
def test_bad_input_is_refused(here, ridgeline, words, said):
    code, _, err = ridgeline("explain", *words, *WORDS)
    assert code in (2, 3)
    assert said in err or "MINIMUM" in err
