"""Tensors that are one in memory, under several names."""

import torch

from ridgeline import state


def test_views_of_one_storage_are_no_ties():
    whole = torch.randn(4, 4)
    s = {"top": whole[:2], "low": whole[2:], "turned": whole.T, "whole": whole}
    assert state.ties(s) == []
    assert len(list(state.coordinates(s))) == 4
    assert state.ties({"x": torch.empty(0), "y": torch.empty(0)}) == []
    assert state.ties({"x": whole[:0], "y": whole[:0]}) == []
