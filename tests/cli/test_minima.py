"""``ridgeline minima``: its graph is that of the library."""

import json

import torch

import ridgeline as rl
from ridgeline import data, io, nets
from ridgeline.connecting import ElasticBand, draxler

FILES = ("a.safetensors", "b.safetensors", "c.safetensors")
DATA = "digits?train=60&test=40"
SPEC = ("--model", "ridgeline.nets:fcn(64,16,10)", "--data", DATA, "--share", "0.0001")


def test_a_graph_told_as_json_is_that_of_the_library(here, ridgeline):
    code, out, err = ridgeline("minima", *FILES[:2], *SPEC, "--json")
    assert code == 0, err
    told = json.loads(out)["graph"]
    states = [io.load(name) for name in FILES[:2]]
    goal = rl.Objective(nets.fcn(64, 16, 10), data.load(DATA)["train"])
    wanted = rl.minima_graph(states, goal, by=ElasticBand(cycles=draxler(0.0001)))
    assert told["names"] == list(FILES[:2])
    torch.testing.assert_close(
        torch.tensor(told["saddles"]), torch.from_numpy(wanted.saddles).float(), rtol=1e-4, atol=0
    )
    assert len(told["tree"]) == 1 and len(told["pairs"]) == 1


def test_a_page_shows_the_dendrogram(here, ridgeline):
    code, out, err = ridgeline("minima", *FILES, *SPEC, "--budget", "1", "--out", "found")
    assert code == 0, err
    assert "3 minima of loss" in out and "1 paths" in out
    page = (here / "found" / "report.html").read_text()
    assert "minimum spanning tree" in page
    assert (here / "found" / "minima.json").exists()
    assert (here / "found" / "saddles.parquet").exists()


def test_one_checkpoint_is_no_graph(here, ridgeline):
    code, _, err = ridgeline("minima", FILES[0], *SPEC)
    assert code == 2 and "two checkpoints at least" in err


def test_of_several_splits_one_must_be_for_training(here, ridgeline):
    code, out, err = ridgeline("minima", *FILES[:2], *SPEC, "--split", "test", "--json")
    assert code == 0, err  # the only one there is
