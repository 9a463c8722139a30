"""The demonstration tells the whole story, on less work than the real one."""

import pytest

from ridgeline import io
from ridgeline.cli.main import main
from ridgeline.studies import demo as study


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(study, "EPOCHS", 3)
    monkeypatch.setattr(study, "POINTS", 5)
    monkeypatch.setattr(study, "SIDE", 4)


def test_every_part_of_the_story_is_measured(small):
    stages = []
    found = study.demo(lambda what, done, of: stages.append((what, done, of)))
    assert list(found.descent) == ["uniform rates", "homogeneous biases"]
    assert list(found.layers) == ["fc1", "fc2", "fc3", "fc4"]
    for one in (*found.descent.values(), found.between, *found.layers.values()):
        assert one.splits == ["train", "test"] and len(one.t) == 5
    ends = found.descent["uniform rates"].curve().mean, found.between.curve().mean
    assert ends[0][-1] == pytest.approx(ends[1][0], rel=1e-6)  # both are network a's minimum
    start, last = found.trajectories["a"][0], found.trajectories["a"][-1]
    assert start == pytest.approx((0, 0, 0), abs=1e-3)
    assert last[0] == pytest.approx(found.surface.corners[1, 0], rel=1e-4)
    assert last[2] == pytest.approx(0, abs=1e-2)
    assert {what for what, done, of in stages if done == of} >= {"training two networks"}


@pytest.mark.slow
def test_the_command_writes_a_whole_folder_with_checkpoints_that_load(small, tmp_path, capsys):
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out)]) == 0
    assert "report.html" in capsys.readouterr().err
    assert (out / "manifest.json").exists() and (out / "report.html").stat().st_size > 10**5
    state = io.load(out / "states/minimum_a.safetensors")
    assert state["fc1.weight"].shape == (128, 64)
    for figure in ("descent", "between", "layers", "surface"):
        for kind in ("png", "pdf", "svg", "csv"):
            assert (out / f"figures/{figure}.{kind}").exists()
    assert main(["demo", "--out", str(out)]) == 3
