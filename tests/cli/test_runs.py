import json

import pytest
import torch

from ridgeline.study.store import Identity, Store


@pytest.fixture
def filled(here):
    store = Store("runs")
    for seed in range(3):
        store.publish(
            Identity(f"fcn-seed{seed}", f"{seed:016x}"),
            config={"seed": seed},
            full={"seed": seed, "net": {"kind": "fcn", "widths": [2, seed + 1]}},
            provenance={"ended": "2026-01-01T00:00:00+00:00"},
            states={f"step-{step:08d}": {"w": torch.zeros(100)} for step in (0, 5, 9)},
            log={"epoch": [1.0, 2.0], "loss": [0.5, 0.25 + seed]},
            summary={
                "steps": 9,
                "diverged": seed == 2,
                "stopped": False,
                "final": {
                    "train": {"loss": 0.25 + seed, "error": 0.0},
                    "test": {"loss": None, "error": 0.1 * seed},
                },
            },
        )
    return store


def test_a_table_of_runs(filled, ridgeline):
    code, out, _ = ridgeline("runs")
    assert code == 0
    for seed in range(3):
        assert f"fcn-seed{seed}" in out
    assert "diverged" in out
    assert "3 runs" in out


def test_filters_and_order(filled, ridgeline):
    code, out, _ = ridgeline(
        "runs", "--where", "final.test.error<0.15", "--where", "net.kind=fcn", "--sort=-seed"
    )
    assert code == 0
    assert out.index("fcn-seed1") < out.index("fcn-seed0")
    assert "fcn-seed2" not in out
    code, out, _ = ridgeline("runs", "--where", "net.widths=[2, 3]", "--json")
    assert [run["hash"] for run in json.loads(out)] == [f"{2:016x}"]
    code, out, _ = ridgeline("runs", "--where", "seed>5")
    assert "no run is chosen" in out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--where", "net.kid=fcn"], "Did you mean 'net.kind'"),
        (["--where", "net.kind"], "A condition is a field"),
        (["--where", "seed<fcn"], "one kind"),
        (["--sort", "sed"], "Did you mean 'seed'"),
        (["verify", "a", "b"], "One store"),
        (["--sql", "drop table runs"], "one SELECT"),
        (["prune"], "--dry-run"),
    ],
)
def test_what_cannot_be_is_refused(filled, ridgeline, words, text):
    code, out, err = ridgeline("runs", *words)
    assert code in (2, 3)
    assert text in err
    assert out == ""
    assert len(filled.verify()) == 0


def test_sql(filled, ridgeline):
    sql = "select name, min(loss) as best from logs group by name order by best, name"
    code, out, _ = ridgeline("runs", "--sql", sql)
    assert code == 0
    assert out.split()[:4] == ["name", "best", "fcn-seed0", "0.25"]
    code, out, _ = ridgeline("runs", "--sql", sql, "--json")
    assert json.loads(out)[1] == {"name": "fcn-seed1", "best": 0.5}


def test_learning_curves_are_drawn(filled, ridgeline, here):
    code, out, _ = ridgeline("runs", "--where", "seed<2", "--curves", "drawn")
    assert code == 0
    assert "2 runs" in out
    assert {p.name for p in (here / "drawn").iterdir()} == {
        *(f"learning.{kind}" for kind in ("png", "pdf", "svg", "csv")), "manifest.json"
    }  # fmt: skip
    assert (here / "drawn" / "learning.csv").read_text().count("train,loss") == 4


def test_drawn_curves_are_replaced_when_asked_and_other_files_never(filled, ridgeline, here):
    drawn, other = here / "drawn", here / "other"
    assert ridgeline("runs", "--curves", "drawn")[0] == 0
    before = (drawn / "learning.csv").read_bytes()
    code, _, said = ridgeline("runs", "--where", "seed<2", "--curves", "drawn")
    assert (code, (drawn / "learning.csv").read_bytes()) == (3, before)
    assert "--overwrite" in said
    assert ridgeline("runs", "--where", "seed<2", "--curves", "drawn", "--overwrite")[0] == 0
    assert (drawn / "learning.csv").read_bytes() != before
    other.mkdir()
    (other / "learning.csv").write_text("mine")
    assert ridgeline("runs", "--curves", "other", "--overwrite")[0] == 3
    assert (other / "learning.csv").read_text() == "mine"
    code, _, said = ridgeline("runs", "--overwrite")
    assert code == 2
    assert "--overwrite is about --curves" in said


def test_verify(filled, ridgeline, here):
    code, out, _ = ridgeline("runs", "verify")
    assert code == 0
    assert "sound" in out
    (here / "runs" / f"fcn-seed1-{1:016x}" / "log.parquet").unlink()
    code, out, _ = ridgeline("runs", "verify", "runs")
    assert code == 3
    assert "missing: fcn-seed1" in out
    code, out, _ = ridgeline("runs", "verify", "--json", "--shallow")
    assert code == 3
    assert json.loads(out)[0]["kind"] == "missing"


def test_prune(filled, ridgeline):
    code, out, _ = ridgeline("runs", "prune", "--where", "seed=1", "--dry-run")
    assert (code, "would free" in out) == (0, True)
    assert filled.find(f"{1:016x}").steps == [0, 5, 9]
    code, out, _ = ridgeline("runs", "prune", "--where", "seed=1", "--yes", "--keep", "last")
    assert "2 states of 1 runs" in out
    assert filled.find(f"{1:016x}").steps == [9]
    assert filled.find(f"{0:016x}").steps == [0, 5, 9]
    code, out, _ = ridgeline("runs", "prune", "runs", "--yes", "--json")
    assert json.loads(out)["states"] == 2
    code, out, _ = ridgeline("runs")
    assert "pruned" in out


def test_an_empty_store(here, ridgeline):
    code, out, _ = ridgeline("runs", "nothing")
    assert (code, "no runs yet" in out) == (0, True)
    assert not (here / "nothing").exists()
    code, out, _ = ridgeline("runs", "./verify")
    assert code == 0
