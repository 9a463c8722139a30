"""The page on soft trees: its blocks run, and what it says of them is so."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from ridgeline.nets.soft_trees import ARCHITECTURES, SoftTrees, splits_and_leaves
from ridgeline.study.checks import problems_in
from ridgeline.study.config import DataConfig, NetConfig, RunConfig, SkewConfig
from ridgeline.training import Recipe

PAGE = (Path(__file__).parents[1] / "docs" / "soft-trees.md").read_text()


@pytest.mark.slow
def test_its_blocks_run_and_the_merged_ensemble_beats_both():
    held = {}
    with torch.random.fork_rng():
        for block in re.findall(r"```python\n(.*?)```", PAGE, re.S):
            exec(compile(block, "soft-trees.md", "exec"), held)
    assert held["outputs"].shape == (5, 2)
    torch.testing.assert_close(held["each"].sum(1), held["outputs"])
    assert held["accuracy"] > 0.75
    said = [float(x) for x in re.findall(r"0\.\d\d(?= against| and|,? on)", PAGE)]
    a, b, merged = held["scores"]
    assert merged > max(a, b)
    np.testing.assert_allclose([merged, a, b], said, atol=0.02)
    assert held["recovered"] == 0.0


def test_its_spec_is_one():
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.S)
    given = tomllib.loads(text)
    net = NetConfig(kind=given["net"].pop("kind"), options=given["net"])
    data = DataConfig(set=given["data"]["set"], skew=SkewConfig(**given["data"]["skew"]))
    run = RunConfig(net=net, data=data, training=Recipe(length="1ep"), seed=0)
    assert problems_in(run) == []
    assert net.build(0).kind == "perfect"


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_its_counts_are_those_of_the_module(kind):
    (row,) = re.findall(rf'\| `"{kind}"` \|[^|]*\| ([^|]*) \| ([^|]*) \|', PAGE)
    spelled = {
        "\u2212": "-",
        "^": "**",
        " (": " * (",
        "C L": "C * L",
        "C 2": "C * 2",
        "C D": "C * D",
    }
    counts, parameters = row
    for theirs, ours in spelled.items():
        parameters, counts = parameters.replace(theirs, ours), counts.replace(theirs, ours)
    names = {"D": 3, "F": 5, "C": 2}
    splits, leaves = (eval(part, {}, names) for part in counts.split(","))
    assert (splits, leaves) == splits_and_leaves(kind, 3)
    net = SoftTrees(5, 2, trees=1, depth=3, kind=kind)
    wanted = sum(p.numel() for p in net.parameters())
    assert eval(parameters, {}, {**names, "N": splits, "L": leaves}) == wanted
