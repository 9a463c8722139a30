"""TIES and DARE on tensors that can be worked out by hand."""

import pytest
import torch

import ridgeline as rl
from ridgeline.errors import UnknownName, UsageError
from ridgeline.merging import Dare, TaskArithmetic, Ties
from ridgeline.merging.sparse import _threshold

BASE = {"w": torch.zeros(4), "v": torch.zeros(2)}
ONE = {"w": torch.tensor([4.0, -3.0, 0.5, 0.0]), "v": torch.tensor([0.2, 0.1])}
TWO = {"w": torch.tensor([2.0, 5.0, -0.4, 1.0]), "v": torch.tensor([-0.3, 0.4])}


def merged(by, weights=None, states=(ONE, TWO)):
    found = rl.merge(list(states), by=by, base=BASE, weights=weights)
    return {n: [round(v, 5) for v in x.tolist()] for n, x in found.state.items()}


def test_signs_are_elected_and_those_that_agree_averaged():
    assert merged(Ties(keep=1)) == {"w": [3.0, 5.0, 0.5, 1.0], "v": [-0.3, 0.25]}


def test_the_largest_share_of_the_whole_is_kept():
    # Two of six entries of each: 4 and -3; 5 and 2.
    assert merged(Ties(keep=1 / 3)) == {"w": [3.0, 5.0, 0.0, 0.0], "v": [0.0, 0.0]}


def test_by_tensor_each_keeps_its_share():
    found = merged(Ties(keep=0.5, per="tensor"))
    assert found == {"w": [3.0, 5.0, 0.0, 0.0], "v": [0.2, 0.4]}


def test_weights_are_votes_and_shares_of_those_that_agree():
    assert merged(Ties(keep=1), weights=[3, 1])["w"] == [3.5, -3.0, 0.5, 1.0]


def test_a_scale_multiplies_what_is_added():
    assert merged(Ties(keep=1, scale=0.5))["w"] == [1.5, 2.5, 0.25, 0.5]


@pytest.mark.parametrize(
    ("keep", "want"), [(0.2, 5.0), (0.21, 4.0), (0.4, 4.0), (1.0, 1.0), (1e-6, 5.0)]
)
def test_the_threshold_is_the_last_that_is_kept(keep, want):
    assert _threshold(torch.tensor([3.0, 1.0, 5.0, 2.0, 4.0]), keep) == want
    assert _threshold(torch.empty(0), keep) == 0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Ties(keep=0), r"share kept lies in \(0, 1\]\. Got 0"),
        (lambda: Ties(keep=1.1), r"Got 1\.1"),
        (lambda: Ties(scale=float("inf")), r"A scale is finite\. Got inf"),
        (lambda: Dare(drop=1.0), r"probability to drop lies in \[0, 1\)\. Got 1\.0"),
        (lambda: Dare(drop=-0.1), r"Got -0\.1"),
        (lambda: Dare(scale=float("nan")), "A scale is finite"),
    ],
)
def test_numbers_out_of_range(make, said):
    with pytest.raises(UsageError, match=said):
        make()


def test_an_unknown_way_to_trim_lists_those_known():
    with pytest.raises(UnknownName, match=r"trimming.*'layer'.*whole.*tensor"):
        Ties(per="layer")


def test_defaults_are_the_papers():
    assert (Ties().keep, Ties().scale, Ties().per) == (0.2, 1.0, "whole")
    assert (Dare().drop, Dare().scale) == (0.9, 1.0) and Ties.needs_base and Dare.needs_base


def test_dropping_nothing_is_task_arithmetic():
    assert merged(Dare(drop=0.0)) == merged(TaskArithmetic())
    assert merged(Dare(drop=0.0, scale=0.5), [2, 1]) == merged(TaskArithmetic(0.5), [2, 1])


def test_entries_are_dropped_whole_and_the_rest_is_rescaled():
    ones = {"w": torch.ones(4000), "v": torch.ones(2)}
    base = {n: torch.zeros_like(x) for n, x in ones.items()}
    found = rl.merge([ones, ones], by=Dare(drop=0.75, scale=0.5), base=base).state["w"]
    assert set(found.tolist()) == {0.0, 2.0, 4.0}
    both = float((found == 4).double().mean())
    assert both == pytest.approx(1 / 16, abs=0.02)  # masks of states are independent
    assert float(found.mean()) == pytest.approx(1.0, abs=0.1)


def test_masks_belong_to_seed_and_tensor():
    ones = {"w": torch.ones(64), "v": torch.ones(64)}
    base = {n: torch.zeros_like(x) for n, x in ones.items()}

    def of(seed):
        return rl.merge([ones, base], by=Dare(drop=0.5, seed=seed), base=base).state

    assert torch.equal(of(1)["w"], of(1)["w"]) and not torch.equal(of(1)["w"], of(2)["w"])
    assert not torch.equal(of(1)["w"], of(1)["v"])
