"""Tensors that are one in memory, under several names."""

import pytest
import torch

from ridgeline import state
from ridgeline.errors import RidgelineWarning


def test_views_of_one_storage_are_no_ties():
    whole = torch.randn(4, 4)
    s = {"top": whole[:2], "low": whole[2:], "turned": whole.T, "whole": whole}
    assert state.ties(s) == []
    assert len(list(state.coordinates(s))) == 4
    assert state.ties({"x": torch.empty(0), "y": torch.empty(0)}) == []
    assert state.ties({"x": whole[:0], "y": whole[:0]}) == []


def test_two_names_are_a_tie_and_three_too():
    x, y = torch.ones(2), torch.ones(2)
    assert state.ties({"a": x, "b": y, "c": x}) == [("a", "c")]
    assert state.ties({"a": x, "b": x, "c": x}) == [("a", "b", "c")]


def test_a_tie_is_made_where_both_names_are():
    x, y, z = torch.ones(1), torch.zeros(1), torch.zeros(1)
    made = state.tie({"first": x, "second": y, "alone": z}, {"second": "first", "alone": "absent"})
    assert made["second"] is x and made["alone"] is z
    assert state.tie({"first": x}, {"lost": "first"}) == {"first": x}


def test_states_are_one_in_memory_equal_or_different():
    x, y = torch.ones(2), torch.zeros(2)
    assert state.identical({"x": x, "y": y}, {"x": x, "y": y}) == "memory"
    assert state.identical({"x": x, "y": y}, {"x": x, "y": y.clone()}) == "values"
    assert state.identical({"x": x, "y": y}, {"x": x, "y": y + 1}) == "no"
    assert state.identical({"n": torch.tensor(1)}, {"n": torch.tensor(1)}) == "no"
    z = torch.ones(1, dtype=torch.complex64)
    assert state.identical({"z": z}, {"z": z.clone()}) == "values"


@pytest.mark.parametrize(
    ("copied", "said"),
    [
        (False, "are the same tensors in memory"),
        (True, "have the same values"),
    ],
)
def test_it_is_told_at_the_callers_line(copied, said):
    x = {"x": torch.ones(1)}
    with pytest.warns(RidgelineWarning, match=f"init and final {said}") as caught:
        state.warn_of_identical(x, {"x": x["x"].clone()} if copied else x, names=("init", "final"))
    assert caught[0].filename == __file__
