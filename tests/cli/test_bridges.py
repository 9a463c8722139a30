"""``ridgeline connect``, ``star`` and ``geodesic``: what is written is what was measured."""

import json

import pytest
import torch

import ridgeline as rl
from ridgeline import data, io, nets

DATA = "digits?train=200&test=100"
MODEL = "ridgeline.nets:fcn(64,16,10)"
FAST = ("--length", "6it", "--points", "5", "--batch-size", "50", "--json")


@pytest.fixture
def told(here, ridgeline):
    def call(verb, *words):
        code, out, err = ridgeline(verb, *words, "--model", MODEL, "--data", DATA, *FAST)
        assert code == 0, err
        return json.loads(out)

    return call


def objective():
    return rl.Objective(nets.fcn(64, 16, 10), data.load(DATA)["train"])


def test_the_bend_that_is_written_is_that_of_the_curve_that_was_measured(told):
    found = told("connect", "a.safetensors", "b.safetensors", "--out", "bend.safetensors")
    a, bend, b = (io.load(f"{n}.safetensors") for n in ("a", "bend", "b"))
    again = rl.profile(rl.Bezier(a, bend, b), objective(), points=5)
    means = found["profiles"]["curve"]["splits"]["train"]["loss"]
    assert means == pytest.approx(list(again.curve().mean), abs=1e-6)
    by = rl.CurveFinding(descent=rl.Descent(length="6it", batch_size=50))
    same = rl.connect(a, b, objective(), by=by).path.points[1]
    assert all(torch.equal(x, same[n]) for n, x in bend.items())


@pytest.mark.slow
def test_bends_of_a_chain_are_numbered_files_and_a_page_shows_the_plane(told, here):
    words = ("--by", "polygon", "--bends", "2", "--out", "bend.safetensors", "--report", "curve")
    told("connect", "a.safetensors", "b.safetensors", *words)
    assert {p.name for p in here.glob("bend*")} == {"bend-1.safetensors", "bend-2.safetensors"}
    drawn = {p.stem for p in (here / "curve" / "figures").iterdir()}
    assert {"line-and-curve", "arc", "plane", "training"} <= drawn


def test_a_band_writes_its_pivots_and_takes_no_options_of_curves(here, ridgeline):
    words = ("connect", "a.safetensors", "b.safetensors", "--model", MODEL, "--data", DATA)
    more = ("--by", "band", "--share", "0.0005", "--points", "3", "--out", "pivot.safetensors")
    code, _, err = ridgeline(*words, *more)
    assert code == 0, err
    assert "written: pivot-1.safetensors" in err
    assert len(list(here.glob("pivot-*.safetensors"))) >= 3
    code, _, err = ridgeline(*words, "--by", "band", "--clip", "1")
    assert code == 2
    assert "--clip is of --by bezier and polygon" in err
    code, _, err = ridgeline(*words, "--share", "0.1")
    assert code == 2
    assert "--share is of --by band" in err


def test_the_centre_that_is_written_is_that_of_the_arms(told):
    words = ("--held-out", "c.safetensors", "--out", "centre.safetensors")
    found = told("star", "a.safetensors", "b.safetensors", *words)
    assert list(found["profiles"]) == [
        "foot 1 to foot 2",
        "arm of foot 1",
        "arm of foot 2",
        "held out 1",
    ]
    ends = [io.load(f"{n}.safetensors") for n in ("c", "centre")]
    again = rl.profile(rl.Line(*ends), objective(), points=5).curve().mean
    means = found["profiles"]["held out 1"]["splits"]["train"]["loss"]
    assert means == pytest.approx(list(again), abs=1e-6)


def test_chains_are_told_for_each_penalty_with_what_was_done_to_the_ends(told):
    words = ("--penalties", "0,100", "--out", "bend.safetensors")
    given = told("geodesic", "a.safetensors", "b.safetensors", *words)
    assert [c["penalty"] for c in given["chains"]] == [0, 100]
    assert not given["aligned"]
    assert "the ends as given" in given["said"][0]
    carried = told("geodesic", "a.safetensors", "b.safetensors", "--penalties", "0", "--align")
    assert carried["aligned"]
    assert carried["distance"] < given["distance"]


def test_a_run_that_was_kept_goes_on(told, here):
    words = ("a.safetensors", "b.safetensors", "--keep", "kept.safetensors")
    first = told("connect", *words)
    assert (here / "kept.safetensors").exists()
    assert told("connect", *words)["looks"] == first["looks"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("connect", "a.safetensors", "b.safetensors", "--bends", "0"), "one bend at least"),
        (("star", "a.safetensors"), "two feet at least"),
        (("geodesic", "a.safetensors", "b.safetensors", "--penalties", "1,x"), "with commas"),
        (("connect", "a.safetensors", "b.safetensors", "--length", "9"), "has a unit"),
    ],
)
def test_what_makes_no_path_is_refused_before_any_work(here, ridgeline, words, said):
    code, _, err = ridgeline(*words, "--model", MODEL, "--data", DATA)
    assert code == 2
    assert said in err
