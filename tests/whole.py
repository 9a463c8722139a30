"""What every study must do at its smallest scale, and every scale of it must have."""

from collections.abc import Sequence

import numpy as np

from ridgeline.studies import catalogue
from ridgeline.study.reproduction import Reproduction, missing, needed
from ridgeline.study.scales import Scale


def check_whole(found: Reproduction, ids: Sequence[str]) -> None:
    """Every item is measured, every claim has a verdict or a reason, every chart its own name."""
    assert {a.item.id: a.left_out for a in found.answers if a.left_out} == {}
    assert [a.item.id for a in found.answers] == list(ids)
    assert not found.failures
    asked = {claim.id for item in found.paper.items for claim in item.claims}
    assert {verdict.claim.id for verdict in found.verdicts} == asked
    for verdict in found.verdicts:
        m = verdict.measured
        assert m.why or np.isfinite([m.estimate, m.low, m.high]).all()
    names = [chart.name for a in found.answers for chart in a.charts]
    assert len(set(names)) == len(names)


def scale_of(paper: str, name: str) -> Scale:
    """A shipped scale, that has what the paper's items need."""
    scale, items = catalogue.scale(paper, name), catalogue.paper(paper).items
    assert [item.name for item in items if missing(item, scale)] == []
    assert needed(items, scale)
    return scale
