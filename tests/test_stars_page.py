"""The page on stars: its blocks run, and give what the page says."""

import re
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).parents[1] / "docs"
TEXT = (DOCS / "stars.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page():
    """What stands after all blocks of the page, in their order."""
    held = {}
    for block in re.findall(r"```python\n(.*?)```", TEXT, re.S):
        exec(compile(block, "stars.md", "exec"), held)
    return held


def test_numbers_of_the_page_are_those_of_its_blocks(page):
    minima, a, b = page["minima"], page["a"], page["b"]
    assert np.abs(minima.risk(a.weights(), 3)).max() < 1e-15
    assert minima.adjacent(a.types, b.types).mean() < 0.01
    assert page["found"][2, 2, 1] == 4
    assert (minima.diameter(4, 7), minima.diameter(4, 6)) == (4, 5)
    assert minima.has_centre(page["feet"], 3).mean() == pytest.approx(0.73, abs=0.005)
    assert minima.star_bound(3, 20) == pytest.approx(0.42, abs=0.005)
    limits = minima.ratio_limit(4, 0.3), minima.least_ratio_limit(4, 0.3)
    assert limits == pytest.approx((1.38, 1.13), abs=0.005)


def test_figures_of_the_page_are_there():
    names = re.findall(r"\]\((images/[^)]*)\)", TEXT)
    assert len(names) == 2 and all((DOCS / name).is_file() for name in names)
