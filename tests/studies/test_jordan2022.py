"""Jordan 2022 at its smallest scale, its scales, and BatchNorm that is fused."""

import numpy as np
import pytest
import torch

from ridgeline.nets import fcn
from ridgeline.studies import catalogue
from ridgeline.studies.jordan2022.networks import fused
from ridgeline.studies.jordan2022.pairs import WAYS
from ridgeline.studies.jordan2022.sweeps import hidden
from ridgeline.study.plan import Machine
from ridgeline.study.reproduction import missing, needed, reproduce
from ridgeline.study.store import Store

NAME = "jordan2022"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    machine = Machine(workers=1, threads=1, together=16)
    return reproduce(catalogue.paper(NAME), catalogue.scale(NAME, "smoke"), store, machine=machine)


def test_every_item_is_measured(found):
    assert {a.item.id: a.left_out for a in found.answers if a.left_out} == {}
    assert [a.item.id for a in found.answers] == ["J1", "J2", "J3", "J4"]
    assert not found.failures


def test_every_claim_gets_a_verdict_or_a_reason(found):
    asked = {claim.id for item in found.paper.items for claim in item.claims}
    assert {verdict.claim.id for verdict in found.verdicts} == asked
    for verdict in found.verdicts:
        m = verdict.measured
        assert m.why or np.isfinite([m.estimate, m.low, m.high]).all()
    names = [chart.name for a in found.answers for chart in a.finding.charts]
    assert len(set(names)) == len(names)


def test_variance_collapses_and_is_brought_back(found):
    rows = {row[0]: row[-2] for row in found.answers[2].finding.tables[0].rows}
    left = {way: float(text.split()[0]) for way, text in rows.items()}
    assert set(left) == set(WAYS)
    assert left["naive"] < left["aligned"] < 0.6
    assert abs(left["aligned, repaired"] - 1) < 0.1
    assert abs(left["repaired alone"] - 1) < 0.1


def test_fusing_keeps_the_function():
    """Against the network with BatchNorm in evaluation mode, with statistics that matter."""
    net = fcn(6, 5, 4, 3, norm="batch").double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, x in net.state_dict().items():
            if x.is_floating_point():
                x.copy_(torch.randn(x.shape, generator=generator, dtype=x.dtype))
                if "var" in name:
                    x.copy_(x.abs() + 0.1)
    plain = fcn(6, 5, 4, 3).double()
    plain.load_state_dict(fused(net.state_dict()))
    inputs = torch.randn(7, 6, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(plain(inputs), net.eval()(inputs))


def test_fusing_leaves_a_network_without_norms_as_it_is():
    state = fcn(6, 5, 3).state_dict()
    assert {n: x.tolist() for n, x in fused(state).items()} == {
        n: x.tolist() for n, x in state.items()
    }


@pytest.mark.parametrize("name", ["smoke", "laptop", "paper"])
def test_scales_have_what_items_need(name):
    paper, scale = catalogue.paper(NAME), catalogue.scale(NAME, name)
    assert [item.name for item in paper.items if missing(item, scale)] == []
    assert needed(paper.items, scale)
    depths = {hidden(run.net.options["widths"]) for run in scale.populations["depths"].runs}
    assert scale.setting("deep") in depths
    (plain,) = {hidden(run.net.options["widths"]) for run in scale.populations["plain"].runs}
    assert plain == scale.setting("deep")


def test_at_laptop_scale_every_population_has_five_pairs():
    for name, spec in catalogue.scale(NAME, "laptop").populations.items():
        assert len({run.seed for run in spec.runs}) >= 10, name
