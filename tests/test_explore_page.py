"""The page on exploring many networks: its blocks run, and say what they say."""

import re
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.slow  # what it shows is tested in tests/explorations
PAGE = Path(__file__).parents[1] / "docs" / "explore.md"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """What stands after all blocks of the page, run in a folder of their own."""
    pytest.importorskip("sklearn")
    pytest.importorskip("jinja2")
    held = {}
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng():
        patch.chdir(tmp_path_factory.mktemp("page"))
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S):
            exec(compile(block, str(PAGE), "exec"), held)
        held["html"] = held["page"].read_text(encoding="utf-8")
    return held


def test_barriers_of_all_pairs_aligned_and_not_by_width(page):
    frame = page["frame"]
    assert len(frame) == 4
    assert set(frame.by("width", "align")) == {
        (width, way) for width in (8, 32) for way in ("naive", "aligned")
    }
    near, far = (frame.where(align=way)["distance"] for way in ("aligned", "naive"))
    assert (near < far).all()
    assert "Means by factor" in page["html"]


def test_questions_have_their_answers(page):
    assert page["norms"]["norm"].min() > 0
    assert page["gain"].columns == ["a", "b", "naive", "aligned", "gain"]
    assert page["matrix"].shape == (2, 2)
    assert page["relative"]["relative"] == pytest.approx(
        page["frame"]["barrier"] / page["frame"]["loss"]
    )
