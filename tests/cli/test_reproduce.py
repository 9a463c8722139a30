"""``ridgeline reproduce``: what it lists, decides, writes, and how it ends."""

import csv
import json

import pytest

from ridgeline.study.store import Store

TINY = """
paper = "tao2024"
about = "tiny"
seeds = 5
[measure]
points = 5
[base.net]
kind = "fcn"
widths = [64, 8, 10]
[base.data]
set = "digits?train=120&test=60"
[base.training]
length = "2ep"
batch_size = 40
[populations.biases.grid]
"net.bias" = [true, "last", false]
"""
SETTINGS = """points = 5
flow_seeds = 2
grid_seeds = 2
flow_grid = [[3, 0.1]]
flow_scale = 0.1
flow_degree = 3"""
FAST = ("--workers", 1, "--threads", 1)


@pytest.fixture
def tiny(here):
    (here / "tiny.toml").write_text(TINY)
    return "tiny.toml"


@pytest.mark.slow
def test_the_list_names_papers_items_and_scales(ridgeline):
    code, out, _ = ridgeline("reproduce", "--list")
    assert code == 0
    for text in ("wang2023/bias-ablation (W2)", "scale laptop", "lucas2021", "claims"):
        assert text in out, text
    code, out, _ = ridgeline("reproduce", "tao2024", "--list", "--json")
    (told,) = json.loads(out)
    assert told["name"] == "tao2024"
    assert [item["id"] for item in told["items"]] == ["T1", "T2"]
    assert told["scales"][0]["name"] == "smoke"
    assert told["items"][0]["runs"]["smoke"] == 15


@pytest.mark.slow
def test_without_a_paper_it_lists(ridgeline):
    assert ridgeline("reproduce")[:2] == ridgeline("reproduce", "--list")[:2]


@pytest.mark.slow
def test_a_paper_is_asked_and_the_second_time_nothing_is_done(here, tiny, ridgeline):
    words = ("reproduce", "tao2024", "--scale", tiny, *FAST)
    code, out, err = ridgeline(*words, "--out", "out")
    assert code == 0, err
    assert "tao2024 at scale tiny: " in out
    assert "T2a" in out
    for file in ("report.html", "verdicts.json", "verdicts.csv", "verdicts.md", "manifest.json"):
        assert (here / "out" / file).exists(), file
    assert (here / "out" / "figures" / "scale-paths.pdf").exists()
    rows = list(csv.DictReader((here / "out" / "verdicts.csv").read_text().splitlines()))
    assert {row["claim"] for row in rows} == {"T1a", "T1b", "T1c", "T2a", "T2b", "T2c"}
    assert {row["item"] for row in rows} == {"other-starts", "scale-paths"}
    page = (here / "out" / "report.html").read_text()
    for text in ("Scale invariance of the solution", "The error still falls monotonically", "T2a"):
        assert text in page, text
    markdown = (here / "out" / "verdicts.md").read_text()
    assert "ridgeline reproduce tao2024 --scale tiny.toml" in markdown
    code, out, err = ridgeline(*words, "--json")
    told = json.loads(out)
    assert told["format"] == "ridgeline-reproduction"
    (paper,) = told["papers"]
    assert len(paper["verdicts"]) == 6
    assert "15 in the store, 0 to train" in err
    assert len(Store("runs")) == 15


def test_one_item_and_overrides(here, tiny, ridgeline):
    words = ("--scale", tiny, *FAST, "--seeds", 1, "--set", "measure.points=3")
    code, out, _ = ridgeline("reproduce", "tao2024/T2", *words, "--json")
    (paper,) = json.loads(out)["papers"]
    assert code == 0
    assert {row["item"] for row in paper["verdicts"]} == {"scale-paths"}
    assert {row["n"] for row in paper["verdicts"]} == {1}  # one seed
    code, out, _ = ridgeline("reproduce", "tao2024/T2", *words, "--out", "out")
    assert (
        "ridgeline reproduce tao2024/scale-paths --scale tiny.toml"
        in (here / "out" / "verdicts.md").read_text()
    )
    assert {row["verdict"] for row in paper["verdicts"]} <= {"undecided", "fails"}
    assert paper["overrides"] == {"measure.points": 3, "seeds": 1}


def test_a_trial_trains_nothing(here, tiny, ridgeline):
    code, out, _ = ridgeline("reproduce", "tao2024", "--scale", tiny, "--dry-run")
    assert code == 0
    assert "2 items; 0 of 15 runs are in the store" in out
    assert "90 steps" in out
    assert not (here / "runs").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tao2042",), "Did you mean 'tao2024'"),
        (("tao2024/scale-path",), "Did you mean 'scale-paths'"),
        (("tao2024", "--scale", "lap"), "laptop"),
        (("wang2023", "--scale", "tiny.toml"), "'tao2024'"),
        (("wang2023", "tao2024", "--scale", "tiny.toml"), "one paper"),
        (("tao2024", "--scale", "tiny.toml", "--set", "base.net.widhts=[3]"), "widths"),
        (("tao2024", "--scale", "missing.toml"), "missing.toml"),
    ],
)
def test_what_is_wrong_is_refused_before_any_work(here, tiny, ridgeline, words, said):
    code, _, err = ridgeline("reproduce", *words, "--out", "out")
    assert code in (2, 3)
    assert said in err
    assert not (here / "out").exists()
    assert not (here / "runs").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tao2024", "--set", "measure.ponts=11"), "Did you mean 'points'"),
        (("tao2024", "--set", "measure.scale-path.points=11"), "Did you mean 'scale-paths'"),
        (("tao2024", "--set", "measure.scale-paths.ponts=11"), "measure.scale-paths.ponts"),
        (("tao2024", "--set", "populations.biasses.seeds=1"), "Did you mean 'biases'"),
        (("tao2024", "--set", "base.net.widths=[13, 8, 10]"), "have 64 features"),
        (("tao2024", "--set", "base.net.widths=[64, 8, 3]"), "10 classes, the network has 3"),
    ],
)
def test_what_changes_nothing_or_does_not_fit_is_refused(here, tiny, ridgeline, words, said):
    code, out, err = ridgeline("reproduce", *words, "--scale", tiny, *FAST)
    assert code in (2, 3)
    assert said in err
    assert len(err) < 1000
    assert not out
    assert not list(here.glob("runs/*.json")) and "step" not in err


def test_a_setting_that_is_missing_names_who_needs_it(here, ridgeline):
    (here / "less.toml").write_text(TINY.replace("points = 5", ""))
    code, _, err = ridgeline("reproduce", "tao2024", "--scale", "less.toml")
    assert code == 2
    assert "lacks measure.points, which items other-starts, scale-paths need" in err
    assert "it has: no settings" in err
    assert not (here / "runs").exists()


def test_an_item_asked_for_by_name_has_to_be_in_the_scale(here, ridgeline):
    text = TINY.replace("tao2024", "wang2023").replace("points = 5", SETTINGS)
    (here / "some.toml").write_text(text)
    code, _, err = ridgeline("reproduce", "wang2023/depth", "--scale", "some.toml")
    assert code == 2
    assert "depth needs depths" in err and "the scale has biases" in err


@pytest.mark.slow
def test_networks_that_are_not_trained_are_said_so(here, tiny, ridgeline):
    words = ("reproduce", "tao2024", "--scale", tiny, *FAST)
    _, out, err = ridgeline(*words, "--out", "out")
    assert "final training loss" in out
    assert "these verdicts are of networks that still misclassify" in err
    for name in ("verdicts.md", "report.html"):
        text = (here / "out" / name).read_text()
        assert "still misclassify" in text and "final training loss" in text, name
    told = json.loads((here / "out" / "verdicts.json").read_text())["papers"][0]
    assert told["ended"]["scale-paths"]["far_from_a_minimum"] == 15
    _, _, err = ridgeline(*words, "--out", "out")
    assert "--overwrite" in err and "overwrite=True" not in err


def test_a_scale_without_a_description_is_described_by_its_data_and_network(here, ridgeline):
    text = TINY.replace('about = "tiny"', "").replace("tao2024", "wang2023")
    text = text.replace("points = 5", SETTINGS)
    (here / "some.toml").write_text(text)
    words = ("wang2023/bias-ablation", "wang2023/hardness", "--scale", "some.toml", *FAST)
    code, out, _ = ridgeline("reproduce", *words, "--out", "out")
    assert code == 0
    assert "data digits?test=60&train=120; network fcn 64-8-10" in out
    assert "of constructions, without data: 1" in out
    markdown = (here / "out" / "verdicts.md").read_text()
    assert "network fcn 64-8-10" in markdown
    assert "without this scale's data and networks: W10" in markdown


def test_an_item_is_listed_with_what_it_needs(ridgeline):
    code, out, _ = ridgeline("reproduce", "--list", "wang2023/depth")
    assert code == 0
    assert "populations: depths" in out and "settings under measure: points" in out
    assert "bias-ablation" not in out and "smoke.toml" in out


def test_an_item_that_a_scale_lacks_is_said_and_stops_no_other(here, ridgeline):
    text = TINY.replace("tao2024", "wang2023").replace("points = 5", SETTINGS)
    (here / "some.toml").write_text(text)
    code, out, err = ridgeline("reproduce", "wang2023", "--scale", "some.toml", *FAST, "--json")
    (paper,) = json.loads(out)["papers"]
    assert code == 0
    assert "no population depths" in paper["left_out"]["depth"]
    assert "left out: depth" in err
    assert any(row["item"] == "bias-ablation" for row in paper["verdicts"])
