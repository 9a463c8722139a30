"""`torch.vmap` without its warnings of operations that it can only loop over."""

import warnings

import pytest
import torch

from ridgeline.graph.looping import looping_quietly


def test_warnings_are_quiet_within_and_heard_again_after():
    with looping_quietly():
        warnings.warn("There is a performance drop because of x", UserWarning, stacklevel=1)
    with pytest.warns(UserWarning, match="performance drop"):
        warnings.warn("There is a performance drop because of x", UserWarning, stacklevel=1)


def test_other_warnings_are_heard():
    with looping_quietly(), pytest.warns(UserWarning, match="another"):
        warnings.warn("another", UserWarning, stacklevel=1)


def test_the_switch_is_on_again_only_after_the_outermost(monkeypatch):
    turned = []
    monkeypatch.setattr(torch._C._functorch, "_set_vmap_fallback_warning_enabled", turned.append)
    with looping_quietly():
        with looping_quietly():
            pass
        assert turned == [False, False, False]
    assert turned[-1] is True


def test_also_after_an_exception(monkeypatch):
    turned = []
    monkeypatch.setattr(torch._C._functorch, "_set_vmap_fallback_warning_enabled", turned.append)
    with pytest.raises(KeyError), looping_quietly():
        raise KeyError
    assert turned == [False, True]
