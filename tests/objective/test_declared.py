"""What a metric says of itself: its direction, and the samples that it is of."""

from functools import partial

import pytest
import torch

import ridgeline as rl
from ridgeline.errors import WrongKind
from ridgeline.objective.declared import Directed, Masked, bare, direction, sounds_higher


def plain(outputs, targets):
    return outputs


@pytest.mark.parametrize(
    "name",
    [
        *("accuracy", "val_acc", "Top1Accuracy", "mIoU", "acc5", "dice2", "f1", "AUROC", "BLEU"),
        *("mAP@50", "map", "R2", "r_squared", "r-squared", "pearson_r", "spearman", "correct"),
    ],
)
def test_names_that_promise_more(name):
    assert sounds_higher(name)


@pytest.mark.parametrize(
    "name",
    [
        *("loss", "dice_loss", "accuracy gap", "error", "acc_drop", "neg_accuracy", "missed"),
        *("mapped", "perplexity", "distance", "account", "r", "f", ""),
    ],
)
def test_names_that_do_not(name):
    assert not sounds_higher(name)


def test_a_direction_is_declared_or_an_attribute_and_goes_through_wrappers():
    assert direction(rl.higher(plain)) is True
    assert direction(rl.lower(plain)) is False
    assert direction(plain) is None
    assert direction(rl.accuracy) is True
    assert direction(partial(rl.accuracy, dim=1)) is True
    assert direction(rl.masked(rl.higher(plain), plain)) is True
    assert direction(rl.masked(plain, plain)) is None
    assert direction(rl.lower(rl.accuracy)) is False


def test_a_metric_is_found_inside_of_what_is_declared():
    assert bare(rl.higher(rl.masked(rl.lower(plain), plain))) is plain
    assert bare(plain) is plain
    assert rl.higher(plain)(torch.ones(2), None).tolist() == [1, 1]
    assert rl.masked(plain, lambda o, t: o > 9)(torch.ones(2), None).tolist() == [1, 1]
    assert isinstance(rl.higher(plain), Directed)
    assert isinstance(rl.masked(plain, plain), Masked)


def test_what_cannot_be_called_is_refused():
    for declare in (rl.higher, rl.lower, lambda x: rl.masked(x, plain)):
        with pytest.raises(WrongKind, match=r"metric is a function.*Got metric = 'accuracy'"):
            declare("accuracy")
    with pytest.raises(WrongKind, match=r"metric is a function.*the class L1Loss.*Make one"):
        rl.higher(torch.nn.L1Loss)
    with pytest.raises(WrongKind, match=r"mask is a function.*Got mask of type list"):
        rl.masked(plain, [True])
