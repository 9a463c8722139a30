"""The page on paths around the barrier: its blocks run, and it promises what they do."""

import re
from pathlib import Path

import pytest
import torch

PAGE = Path(__file__).parents[1] / "docs" / "connect.md"


@pytest.fixture(scope="module")
def page():
    """What stands after all blocks of the page, in their order."""
    held = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S):
        exec(compile(block, str(PAGE), "exec"), held)
    return held


@pytest.mark.slow
def test_the_curve_removes_most_of_the_barrier_and_its_ends_are_the_checkpoints(page):
    assert page["left"].height < 0.1 * page["line"].height
    start = page["curve"].path(0.0)
    assert all(torch.equal(x, start[n]) for n, x in page["a"].items())


@pytest.mark.slow
def test_chains_are_shorter_the_larger_the_penalty(page):
    lengths = [c.length for c in page["geodesic"].chains]
    assert lengths[0] > lengths[-1] >= 1
    assert page["geodesic"].removed(page["geodesic"].chains[0]) > 0.9
    assert len(page["steps"]) == 3
