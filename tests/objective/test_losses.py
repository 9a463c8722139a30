"""Losses and metrics, per sample, against formulas."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from ridgeline.errors import UsageError
from ridgeline.objective import (
    accuracy,
    binary_cross_entropy,
    cross_entropy,
    error,
    squared_error,
    top_k,
)
from ridgeline.objective.conventions import criteria
from ridgeline.objective.criteria import Criterion
from ridgeline.objective.forms import Labels, labels_of

rng = torch.Generator().manual_seed(0)
LOGITS = torch.randn(9, 5, generator=rng, dtype=torch.float64)
CLASSES = torch.randint(0, 5, (9,), generator=rng)
WORDS = torch.randn(4, 6, 5, generator=rng, dtype=torch.float64)
NEXT = torch.randint(0, 5, (4, 6), generator=rng)


def test_cross_entropy_is_minus_the_log_probability():
    p = np.exp(LOGITS.numpy())
    p /= p.sum(1, keepdims=True)
    want = -np.log(p[np.arange(9), CLASSES.numpy()])
    np.testing.assert_allclose(cross_entropy(LOGITS, CLASSES).numpy(), want)


def test_over_a_sequence_only_counted_positions_are_averaged():
    masked = NEXT.clone()
    masked[1, 2:] = -100
    masked[2, 0] = -100
    log_p = torch.log_softmax(WORDS, -1)
    wrong = WORDS.argmax(-1) != NEXT
    fifth = (WORDS.topk(2, -1).indices == NEXT[..., None]).any(-1).logical_not()
    for i in range(4):
        keep = masked[i] != -100
        want = -log_p[i, keep].gather(-1, masked[i, keep][:, None]).mean()
        assert float(cross_entropy(WORDS, masked)[i]) == pytest.approx(float(want))
        assert float(error(WORDS, masked)[i]) == pytest.approx(
            float(wrong[i, keep].double().mean())
        )
        share = float(fifth[i, keep].double().mean())
        assert float(top_k(2)(WORDS, masked)[i]) == pytest.approx(share)


def test_smoothing_and_another_ignored_label():
    smooth = cross_entropy(LOGITS, CLASSES, label_smoothing=0.1)
    mean = -torch.log_softmax(LOGITS, -1).mean(1)
    assert torch.allclose(smooth, 0.9 * cross_entropy(LOGITS, CLASSES) + 0.1 * mean)
    some = torch.where(CLASSES == 2, 255, CLASSES)
    found = cross_entropy(LOGITS, some, ignore_index=255)
    assert torch.equal(found.isnan(), CLASSES == 2)  # of which nothing counts


def test_error_accuracy_and_top_k():
    right = LOGITS.argmax(1) == CLASSES
    assert torch.equal(error(LOGITS, CLASSES), (~right).double())
    assert torch.equal(accuracy(LOGITS, CLASSES), right.double())
    ranks = (LOGITS.gather(1, CLASSES[:, None]) < LOGITS).sum(1)
    for k in range(1, 6):
        assert torch.equal(top_k(k)(LOGITS, CLASSES), (ranks >= k).double())
    assert torch.equal(top_k(1)(LOGITS, CLASSES), error(LOGITS, CLASSES))
    with pytest.raises(UsageError, match="at least 1"):
        top_k(0)


def test_squared_error_is_a_mean_over_outputs():
    y = torch.randn(9, 5, generator=rng, dtype=torch.float64)
    want = ((LOGITS - y) ** 2).numpy().mean(1)
    np.testing.assert_allclose(squared_error(LOGITS, y).numpy(), want)
    one = squared_error(LOGITS[:, :1], y[:, 0])
    assert torch.allclose(one, (LOGITS[:, 0] - y[:, 0]) ** 2)
    with pytest.raises(UsageError, match="compare every sample with every other"):
        squared_error(LOGITS, y[:, 0])


def test_binary_cross_entropy_is_logistic():
    z, y = LOGITS[:, 0], (CLASSES > 2).long()
    p = 1 / (1 + np.exp(-z.numpy()))
    want = -np.where(y == 1, np.log(p), np.log(1 - p))
    np.testing.assert_allclose(binary_cross_entropy(z, y).numpy(), want)
    np.testing.assert_allclose(binary_cross_entropy(z[:, None], y).numpy(), want)


def test_shapes_that_are_no_classification_are_refused():
    for function in (cross_entropy, error, accuracy, top_k(2)):
        with pytest.raises(UsageError, match=r"integer targets.*\(9, 5\), targets \(9, 5\)"):
            function(LOGITS, LOGITS)


@pytest.mark.parametrize(
    ("module", "plain", "targets"),
    [
        (nn.CrossEntropyLoss(), cross_entropy, CLASSES),
        (nn.CrossEntropyLoss(reduction="none"), cross_entropy, CLASSES),
        (
            nn.CrossEntropyLoss(label_smoothing=0.2),
            partial(cross_entropy, label_smoothing=0.2),
            CLASSES,
        ),
        (nn.MSELoss(), squared_error, LOGITS.flip(0)),
        (nn.BCEWithLogitsLoss(), binary_cross_entropy, LOGITS.sigmoid()),
    ],
)
def test_a_loss_of_torch_is_asked_for_its_unreduced_values(module, plain, targets):
    before = module.reduction
    assert torch.allclose(asked(module, LOGITS, targets)(LOGITS, targets), plain(LOGITS, targets))
    assert module.reduction == before


def asked(loss, outputs, targets):
    kind = {"weights": "samples", "device": torch.device("cpu"), "dtype": torch.float64}
    return criteria(loss, {}, outputs, targets, **kind)["loss"]


def test_functions_of_classes_say_which_label_does_not_count():
    assert labels_of(error) == labels_of(top_k(3)) == labels_of(cross_entropy) == Labels(-100, -1)
    assert labels_of(partial(cross_entropy, ignore_index=255, dim=1)) == Labels(255, 1)
    assert labels_of(squared_error) is None and labels_of(lambda o, t: o) is None


def test_one_number_per_sample_is_asked_for():
    two = torch.zeros(2)
    right = Criterion("m", lambda *_: torch.tensor([True, False]), None)
    assert right(two, two).dtype == torch.float32
    for wrong in (torch.ones(()), torch.ones(3), torch.ones(2, 1), 0.5):
        with pytest.raises(UsageError, match=r"The metric 'm' must return.*for 2 samples.*reduct"):
            Criterion("m", lambda *_, x=wrong: x, None)(two, two)


def test_a_refusal_names_the_metric():
    outputs = torch.zeros(2, 5)
    for name, said in (("top", "for the metric 'top'"), ("loss", "for the loss")):
        with pytest.raises(UsageError, match=said):
            Criterion(name, error, None)(outputs, outputs)
