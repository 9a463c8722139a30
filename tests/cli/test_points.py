"""A checkpoint by its file, and by its place in a file that holds several."""

from pathlib import Path

import pytest
import torch

from ridgeline import io
from ridgeline.cli.points import place_of

MODEL = "torch.nn:Linear(4, 3)"


@pytest.fixture
def states(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    a, b = ({"weight": torch.full((3, 4), x), "bias": torch.zeros(3)} for x in (1.0, 2.0))
    torch.save({"first": a, "second": {"shadow": b}, "epoch": 3}, "both.pt")
    torch.save(a, "flat.pt")
    return a, b


def test_a_key_is_after_the_last_colon_of_what_is_no_file(states):
    assert place_of("flat.pt") == ("flat.pt", None)
    assert place_of("both.pt:second.shadow") == ("both.pt", "second.shadow")
    torch.save(states[0], "with:colon.pt")
    assert place_of("with:colon.pt") == ("with:colon.pt", None)
    assert place_of("with:colon.pt:key") == ("with:colon.pt", "key")
    assert place_of("missing.pt:key") == ("missing.pt:key", None)


def test_each_file_has_its_own_key(states, ridgeline):
    code, out, err = ridgeline("inspect", "both.pt:second.shadow")
    assert code == 0 and "weight" in out, err
    words = ["--model", MODEL, "--out", "mean.safetensors"]
    code, out, err = ridgeline("merge", "flat.pt", "both.pt:second.shadow", *words)
    assert code == 0, err
    assert torch.equal(io.load("mean.safetensors")["weight"], torch.full((3, 4), 1.5))


def test_the_states_of_a_trajectory_too(states, ridgeline):
    torch.save(
        {"x": {"weight": torch.zeros(3, 4), "bias": torch.ones(3)}, "y": states[0]}, "way.pt"
    )
    points = ["flat.pt", "both.pt:second.shadow", "way.pt:x"]
    words = ["--data", "way_data:data", "--model", MODEL, "--points", "3"]
    Path("way_data.py").write_text(
        "import torch\n\n\ndef data():\n    return torch.ones(6, 4), torch.arange(6) % 3\n"
    )
    line = "way=way.pt:x,way.pt:y"
    code, out, err = ridgeline("plane", *points, *words, "--trajectory", line)
    assert code == 0, err


def test_which_state_is_asked_for_in_the_command_s_words(states, ridgeline):
    code, _, err = ridgeline("inspect", "both.pt:third")
    assert code != 0 and "first" in err and "third" in err
    torch.save({"model": states[0], "ema": states[1]}, "two.pt")
    code, _, err = ridgeline(
        "merge", "two.pt", "flat.pt", "--model", MODEL, "--out", "m.safetensors"
    )
    assert code != 0 and "two.pt:model on the command line" in " ".join(err.split())
