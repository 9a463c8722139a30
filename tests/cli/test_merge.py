"""``ridgeline merge``: its numbers are those of the checkpoints and of the file that is written."""

import csv
import json

import pytest
import torch
from torch import nn

from ridgeline import data, io
from ridgeline.cli.main import main

DATA = "digits?train=300&test=100"
SPEC = ("--model", "nets:build", "--data", DATA)
FILES = ("a.pt", "b.pt")
NETS = """
from torch import nn
def build():
    return nn.Sequential(
        nn.Linear(64, 24), nn.BatchNorm1d(24), nn.ReLU(),
        nn.Linear(24, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 10),
    )
"""
WAYS = [(), ("--repair", "statistics"), ("--repair", "forward"), ("--repair", "closed-form")]
STALE = "running statistics were averaged"


def build():
    space = {}
    exec(NETS, space)
    return space["build"]()


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Two small networks with BatchNorm, each trained a little from its own start."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(NETS)
    split = data.load(DATA)["train"]
    for seed, name in enumerate(FILES):
        torch.manual_seed(seed)
        net = build().train()
        step = torch.optim.Adam(net.parameters(), 0.01)
        for _ in range(30):
            loss = nn.functional.cross_entropy(net(split.inputs), split.targets)
            step.zero_grad()
            loss.backward()
            step.step()
        torch.save(net.state_dict(), name)
    return tmp_path


@pytest.fixture
def merged(trained, ridgeline):
    def call(*words):
        code, out, err = ridgeline("merge", *FILES, *SPEC, *words, "--json")
        assert code == 0, err
        return json.loads(out)

    return call


def plain_loss(file, split):
    """What a loop of one's own says of a checkpoint, or of a file that was written."""
    net = build()
    state = torch.load(file) if file.endswith(".pt") else io.load(file)
    net.load_state_dict({n: x.float() if x.is_floating_point() else x for n, x in state.items()})
    samples = data.load(DATA)[split]
    with torch.no_grad():
        return float(nn.functional.cross_entropy(net.eval()(samples.inputs), samples.targets))


# --- whose the numbers are ----------------------------------------------------------------------


@pytest.mark.parametrize("words", WAYS)
def test_every_row_is_of_a_checkpoint_or_of_the_file_as_it_is_written(merged, words):
    scores = merged("--out", "m.safetensors", *words)["scores"]
    made = "merged and repaired" if words else "merged"
    for split in ("train", "test"):
        found = {name: row["value"] for name, row in scores[split]["loss"].items()}
        assert found[made] == pytest.approx(plain_loss("m.safetensors", split), abs=1e-6)
        for file in FILES:
            assert found[file] == pytest.approx(plain_loss(file, split), abs=1e-6)


def test_a_repair_of_statistics_is_seen_to_do_something(merged):
    loss = merged("--repair", "statistics")["scores"]["train"]["loss"]
    assert loss["merged and repaired"]["value"] < loss["merged"]["value"]


def test_what_is_rounded_when_it_is_written_is_measured_rounded(trained, merged):
    for file in FILES:
        state = torch.load(file)
        halves = {n: x.half() if x.is_floating_point() else x for n, x in state.items()}
        torch.save(halves, file)
    told = merged("--out", "m.safetensors", "--dtype", "float32", "--repair", "statistics")
    written = io.load("m.safetensors")
    assert written["0.weight"].dtype == torch.float16
    found = told["scores"]["test"]["loss"]["merged and repaired"]["value"]
    assert found == pytest.approx(plain_loss("m.safetensors", "test"), abs=1e-6)


def test_recomputed_statistics_are_measured_on_request_and_said(merged):
    own, other = merged(), merged("--statistics", "recompute")
    said = " ".join(other["said"])
    assert "Measured with running statistics recomputed" in said
    assert "the merge as written has averaged ones" in said
    assert "Measured with" not in " ".join(own["said"])
    losses = [told["scores"]["test"]["loss"]["merged"]["value"] for told in (own, other)]
    assert losses[0] != pytest.approx(losses[1], abs=1e-3)
    again = merged("--statistics", "recompute", "--repair")
    assert "has its own" in " ".join(again["said"])


def test_a_strategy_that_looks_between_checkpoints_recomputes_statistics_there(merged):
    words = ("--align", "--align-by", "straight-through", "--steps", "40", "--out", "m.safetensors")
    merged(*words)
    first = io.load("m.safetensors")
    merged(*words, "--overwrite", "--statistics", "recompute")
    again = io.load("m.safetensors")
    assert all(torch.equal(first[n], again[n]) for n in first)


# --- what is said -------------------------------------------------------------------------------


def test_averaged_statistics_are_said_with_what_to_do_here(merged):
    said = " ".join(merged()["said"])
    assert STALE in said and "To recompute them here: --repair statistics" in said


@pytest.mark.parametrize("words", WAYS[1:])
def test_statistics_that_a_repair_recomputed_are_not_called_averaged(merged, words):
    said = " ".join(merged(*words)["said"])
    assert STALE not in said and "--repair" not in said


def test_without_data_what_to_do_names_data_too(trained, ridgeline):
    words = ("merge", *FILES, *SPEC[:2], "--out", "m.safetensors")
    code, out, err = ridgeline(*words)
    assert code == 0, err
    assert STALE in out and "each with --data" in out
    assert out.startswith("2 checkpoints merged by Mean: all 14 tensors.")


# --- what is refused before any work ------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "words", "said"),
    [
        (FILES, (), "neither --out nor --data"),
        (FILES[:1], ("--out", "m.safetensors"), "two checkpoints or more"),
        (FILES[:1], ("--data", DATA, "--repair"), "--repair statistics"),
        ((*FILES, "a.pt"), ("--json", "--by", "slerp"), "3 checkpoints. Use --by mean."),
        (FILES, ("--json", "--by", "slerp", "--weights", "1,2"), "--weights is of mean"),
        (FILES, ("--json", "--base", "a.pt"), "--base is of task-arithmetic"),
    ],
)
def test_refusals(trained, ridgeline, monkeypatch, files, words, said):
    monkeypatch.setattr("ridgeline.cli.merge.Setting", None)  # nothing is loaded
    code, out, err = ridgeline("merge", *files, *SPEC[:2], *words)
    assert (code, out) == (2, "")
    assert said in err
    assert "Leave out weights" not in err


def test_one_checkpoint_has_its_statistics_recomputed(trained, ridgeline):
    words = ("merge", "a.pt", *SPEC, "--repair", "statistics", "--out", "m.safetensors")
    code, out, err = ridgeline(*words)
    assert code == 0, err
    assert out.startswith("1 checkpoint merged by Mean: all 14 tensors.")
    assert STALE not in out


def test_one_checkpoint_and_a_base_are_merged(trained, ridgeline):
    words = (
        "--by",
        "task-arithmetic",
        "--scale",
        "0.5",
        "--base",
        "b.pt",
        "--out",
        "m.safetensors",
    )
    code, out, err = ridgeline("merge", "a.pt", *SPEC[:2], *words)
    assert code == 0, err
    assert "1 checkpoint merged by TaskArithmetic (scale 0.5)" in out


def test_what_exists_is_refused_with_the_option_that_allows_it(trained, capsys):
    io.save(torch.load("a.pt"), "m.safetensors")
    assert main(["merge", *FILES, *SPEC[:2], "--out", "m.safetensors"]) == 3
    err = capsys.readouterr().err
    assert "allow it with --overwrite." in err and "overwrite=True" not in err


# --- the page -----------------------------------------------------------------------------------


def test_the_report_draws_every_state_and_has_numbers_in_its_tables(trained, merged):
    merged("--repair", "--report", "page")
    assert 'data-figure="merged"' in (trained / "page/report.html").read_text()
    for place in ("tables/before-and-after.csv", "figures/merged.csv"):
        with (trained / "page" / place).open(newline="") as file:
            found = list(csv.DictReader(file))
        assert [r["state"] for r in found[:4]] == ["merged", "merged and repaired", *FILES]
        assert all(float(r["value"]) >= 0 and float(r["stderr"]) > 0 for r in found)
        assert float(found[0]["above"]) > 0 and found[2]["above"] == ""
