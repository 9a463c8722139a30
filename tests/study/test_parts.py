"""The parts of a run's config: its network, its data, and how a child begins."""

import pytest
import torch

from ridgeline.errors import RidgelineError, UnknownName, UsageError
from ridgeline.study.parts import (
    DataConfig,
    NetConfig,
    SpawnConfig,
    check_seed,
    check_start,
)


def test_options_at_their_default_are_left_out():
    one = NetConfig(kind="fcn", options={"widths": [4, 3, 2]})
    other = NetConfig(kind="fcn", options={"widths": [4, 3, 2], "activation": "relu"})
    assert one == other and dict(one.options) == {"widths": [4, 3, 2]}


def test_an_unknown_option_or_kind_lists_those_known():
    with pytest.raises(UnknownName):
        NetConfig(kind="fcn", options={"widths": [4, 2], "depth": 3})
    with pytest.raises(UnknownName, match="fcn"):
        NetConfig(kind="fnc")


def test_the_seed_is_a_field_of_its_own():
    with pytest.raises(UsageError, match=r"`seed` is a field of its own, no option\. Got 3"):
        NetConfig(kind="mine:net", options={"seed": 3})


def test_a_network_is_of_its_own_seed_or_of_the_runs():
    options = {"widths": [3, 2]}
    own, free = NetConfig(options=options, seed=5), NetConfig(options=options)
    first = lambda net: next(net.parameters())  # noqa: E731 (its first weights)
    assert torch.equal(first(own.build(1)), first(own.build(2)))
    assert torch.equal(first(free.build(5)), first(own.build(1)))
    assert not torch.equal(first(free.build(1)), first(free.build(2)))


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("digits", "digits"), (" digits ", "digits"), ("digits?seed=0", "digits"),
        ("digits?train=5&seed=0", "digits?train=5"), ("digits?normalise=1", "digits"),
        ("digits?test=3&seed=2&train=5", "digits?seed=2&test=3&train=5"),
        ("mine.data:build?b=1&a=2", "mine.data:build?b=1&a=2"),
    ],
)  # fmt: skip
def test_options_of_a_set_stand_in_one_order_without_defaults(text, want):
    assert DataConfig(set=text).set == want


def test_the_seed_of_no_noise_says_nothing():
    assert DataConfig(set="digits", noise_seed=3) == DataConfig(set="digits")
    assert DataConfig(set="digits", label_noise=0.5, noise_seed=3).noise_seed == 3


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_shares_lie_from_zero_to_one(share):
    with pytest.raises(UsageError, match=f"`label_noise` is a share, from 0 to 1. Got {share}"):
        DataConfig(set="digits", label_noise=share)
    assert DataConfig(set="digits", label_noise=1.0).label_noise == 1.0


def test_noise_is_of_labels():
    with pytest.raises(UsageError, match="for targets that are labels"):
        DataConfig(set="digits", label_noise=0.1, targets="inputs")


@pytest.mark.parametrize("seed", [-1, True, 1.0, "1"])
def test_a_seed_is_a_whole_number_from_zero(seed):
    with pytest.raises(UsageError, match="A seed is a whole number, not negative") as caught:
        check_seed(seed)
    assert caught.value.got == repr(seed)
    check_seed(0)
    check_seed(None)


@pytest.mark.parametrize(
    ("name", "own", "length", "optimiser", "got"),
    [
        ("data", DataConfig(set="digits"), "fixed", "reset", "length='fixed'"),
        ("data", DataConfig(set="digits"), "full", "kept", "optimiser='kept'"),
        ("layers", ["fc1"], "fixed", "reset", "length='fixed'"),
        ("layers", ["fc1"], "full", "kept", "optimiser='kept'"),
    ],
)
def test_a_child_with_a_part_of_its_own_starts_anew(name, own, length, optimiser, got):
    given = {"data": None, "layers": None} | {name: own}
    with pytest.raises(UsageError, match=f"A child with `{name}` of its own has") as caught:
        check_start(optimiser, length, **given)
    assert caught.value.got == got and caught.value.remedy.endswith("beside it.")
    check_start("reset", "full", **given)


def test_layers_of_a_child_are_each_once_and_in_order():
    made = SpawnConfig(
        at="1ep", seed=1, length="full", optimiser="reset", layers=("fc2", "fc1", "fc2")
    )
    assert made.layers == ("fc1", "fc2") and SpawnConfig(at="1ep", seed=1).layers is None
    with pytest.raises(RidgelineError):
        SpawnConfig(at="soon", seed=1)
    with pytest.raises(UsageError):
        SpawnConfig(at="1ep", seed=-1)
