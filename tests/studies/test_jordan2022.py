"""Jordan 2022 at its smallest scale, its scales, and BatchNorm that is fused."""

import pytest
import torch

from ridgeline.frame import Frame
from ridgeline.nets import fcn
from ridgeline.studies import catalogue
from ridgeline.studies.jordan2022.networks import fused
from ridgeline.studies.jordan2022.pairs import WAYS
from ridgeline.studies.jordan2022.sweeps import hidden
from whole import check_whole, scale_of

NAME = "jordan2022"


def test_every_item_is_measured_and_every_claim_gets_a_verdict_or_a_reason(found):
    check_whole(found, ["J1", "J2", "J3", "J4"])


def test_variance_collapses_and_is_brought_back(found):
    rows = {row[0]: row[-2] for row in found.answers[2].tables[0].rows}
    left = {way: float(text.split()[0]) for way, text in rows.items()}
    assert set(left) == set(WAYS)
    assert left["naive"] < left["aligned"] < 0.6
    assert abs(left["aligned, repaired"] - 1) < 0.1
    assert abs(left["repaired alone"] - 1) < 0.1


def claim(name):
    return next(c for item in catalogue.paper(NAME).items for c in item.claims if c.id == name)


def test_ways_are_compared_within_a_pair_and_no_pair_that_learned_nothing_decides():
    rows = Frame.of(
        {"deep": True, "group": group, "way": way, "judged": 10 * group + by, "lost": left}
        for way, by, left in (("aligned", 0.0, 8.0), ("aligned, repaired", 6.0, 2.0))
        for group in range(6)
    )
    found = claim("J1c").decide(rows, "").measured
    assert (found.outcome, found.n, found.estimate) == ("holds", 6, 6.0)
    assert list(claim("J1d").test.cases(rows)) == [0.75] * 6
    spoilt = rows.derive(judged=lambda judged, group: float("nan") if group == 0 else judged)
    assert claim("J1c").decide(spoilt, "").outcome == "undecided"


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
    scale = scale_of(NAME, name)
    depths = {hidden(run.net.options["widths"]) for run in scale.populations["depths"].runs}
    assert scale.setting("deep") in depths
    (plain,) = {hidden(run.net.options["widths"]) for run in scale.populations["plain"].runs}
    assert plain == scale.setting("deep")


def test_at_laptop_scale_every_population_has_five_pairs():
    for name, spec in catalogue.scale(NAME, "laptop").populations.items():
        assert len({run.seed for run in spec.runs}) >= 10, name
