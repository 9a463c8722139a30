"""Which samples stand in which batch, and what is done to them."""

from types import SimpleNamespace

import pytest
import torch

from ridgeline.rng import stream
from ridgeline.training import Augment
from ridgeline.training.orders import Orders, augmented

CPU = torch.device("cpu")


def member(seed, rows=None):
    return SimpleNamespace(seed=seed, rows=rows)


def test_an_epoch_holds_each_sample_once_in_the_members_own_order():
    orders = Orders([member(1), member(2)], 10, 4, CPU)
    assert orders.per_epoch == 3
    epoch = torch.cat([orders.at(k) for k in range(3)], 1)
    assert [sorted(row) for row in epoch.tolist()] == [list(range(10))] * 2
    for row, seed in zip(epoch, (1, 2), strict=True):
        assert torch.equal(row, torch.randperm(10, generator=stream(seed, "order", 0)))
    assert [orders.at(k).shape[1] for k in range(6)] == [4, 4, 2, 4, 4, 2]


def test_epochs_have_orders_of_their_own_and_any_step_may_be_asked_first():
    orders = Orders([member(1)], 10, 4, CPU)
    fourth = orders.at(3)
    assert torch.equal(fourth, torch.randperm(10, generator=stream(1, "order", 1))[None, :4])
    assert torch.equal(orders.at(0), Orders([member(1)], 10, 4, CPU).at(0))


def test_a_members_own_samples_are_drawn_from():
    rows = torch.tensor([7, 3, 9])
    orders = Orders([member(1, rows)], 10, 2, CPU)
    assert orders.per_epoch == 2 and sorted(
        torch.cat([orders.at(0), orders.at(1)], 1)[0].tolist()
    ) == [3, 7, 9]


@pytest.mark.parametrize("samples", [10, 12])
def test_steps_of_one_size_are_counted(samples):
    orders = Orders([member(1)], samples, 4, CPU)
    for start, end in ((0, 9), (2, 7), (0, 1), (3, 3)):
        sizes = [orders.at(step).shape[1] for step in range(start, end)]
        for step in range(start, end):
            assert orders.planned(step, start, end) == sizes.count(orders.at(step).shape[1])


def test_members_may_be_chosen():
    orders = Orders([member(1), member(2), member(3)], 10, 4, CPU)
    whole = orders.at(1)
    orders.select([2, 0])
    assert torch.equal(orders.at(1), whole[[2, 0]])


X = torch.arange(2 * 3 * 1 * 4 * 4.0).reshape(2, 3, 1, 4, 4)


def test_without_augmentation_nothing_changes():
    assert torch.equal(augmented(X, Augment(), [1, 2], 0), X)


def test_noise_is_the_members_own_and_of_the_step():
    how = Augment(noise=0.5)
    found = augmented(X, how, [1, 2], 7)
    for batch, x, seed in zip(found, X, (1, 2), strict=True):
        draws = torch.randn(x.shape, generator=stream(seed, "augment", 7))
        assert torch.allclose(batch, x + 0.5 * draws)
    assert not torch.equal(found, augmented(X, how, [1, 2], 8))


def test_flips_are_of_whole_samples():
    found = augmented(X, Augment(flip=True), [1, 2], 0)
    same, turned = (found == X).flatten(2).all(2), (found == X.flip(-1)).flatten(2).all(2)
    assert (same | turned).all() and turned.any()


@pytest.mark.parametrize("reflect", [True, False])
def test_crops_fill_with_zeros_or_what_is_mirrored(reflect):
    found = augmented(X + 1, Augment(crop=1, reflect=reflect), list(range(2)), 0)
    assert found.shape == X.shape and bool((found == 0).any()) is not reflect
