"""Declared settings: complete, and none that a shipped scale lacks."""

import pytest

from ridgeline.studies import catalogue
from ridgeline.study.preflight import check_scale


@pytest.mark.parametrize("name", catalogue.PAPERS)
def test_shipped_scales_have_what_is_declared_and_no_more(name):
    paper = catalogue.paper(name)
    assert [item.name for item in paper.items if item.settings is None] == []
    for scale in catalogue.scales(name):
        check_scale(paper, paper.items, catalogue.scale(name, scale))
