"""Conventions: how loss and metrics read the targets."""

from functools import partial

import pytest
import torch
from torch import nn

import ridgeline as rl
from ridgeline.errors import UsageError
from ridgeline.objective.conventions import Binary, convention, criteria, of_classes, on_trust
from ridgeline.objective.forms import Labels
from ridgeline.objective.losses import binary_cross_entropy, cross_entropy, squared_error
from ridgeline.objective.metrics import accuracy, binary_error, error
from ridgeline.objective.torch_losses import torch_loss

LOGITS, LABELS = torch.zeros(4, 3), torch.tensor([0, 1, 2, 0])
ONE, HARD = torch.zeros(4, 1), torch.tensor([[0.0], [1.0], [1.0], [0.0]])
PLACE = {"device": torch.device("cpu"), "dtype": torch.float32}


def made(loss, metrics=None, outputs=LOGITS, targets=LABELS, weights="samples"):
    return criteria(loss, metrics, outputs, targets, weights=weights, **PLACE)


def read(loss, outputs, targets):
    return convention(loss, torch_loss(loss), outputs, targets)


@pytest.mark.parametrize(
    ("loss", "outputs", "targets", "want"),
    [
        (cross_entropy, LOGITS, LABELS, Labels(-100, -1)),
        (partial(cross_entropy, ignore_index=2, dim=1), LOGITS, LABELS, Labels(2, 1)),
        (nn.CrossEntropyLoss(ignore_index=7), LOGITS, LABELS, Labels(7, 1)),
        (nn.BCEWithLogitsLoss(), ONE, HARD, Binary(0.0)),
        (nn.BCELoss(), ONE, HARD, Binary(0.5)),
        (nn.SoftMarginLoss(), ONE, HARD * 2 - 1, Binary(0.0)),
        (binary_cross_entropy, ONE, HARD, Binary(0.0)),
        (binary_cross_entropy, ONE[:, 0], HARD[:, 0], Binary(0.0)),
        (binary_cross_entropy, torch.zeros(4, 1, 5), torch.ones(4, 1, 5), Binary(0.0)),
        (binary_cross_entropy, LOGITS, torch.ones(4, 3), None),
        (binary_cross_entropy, ONE, HARD * 0.5, None),
        (binary_cross_entropy, [ONE], HARD, None),
        (squared_error, ONE, HARD, None),
        (nn.MSELoss(), ONE, HARD, None),
    ],
)
def test_targets_are_classes_or_zero_and_one_or_neither(loss, outputs, targets, want):
    found = read(loss, outputs, targets)
    assert found == want and type(found) is type(want)


def test_the_error_is_measured_without_being_asked_for_only_where_there_are_classes():
    assert list(made(cross_entropy)) == ["loss", "error"]
    assert list(made(squared_error, outputs=LOGITS, targets=LOGITS)) == ["loss"]
    assert list(made(cross_entropy, {})) == ["loss"]


def test_the_name_of_the_loss_is_taken():
    with pytest.raises(UsageError, match=r"The name 'loss' is that of the loss.* 'loss'\."):
        made(cross_entropy, {"loss": error})


def test_metrics_take_the_losses_label_that_does_not_count_and_keep_their_own():
    found = made(
        nn.CrossEntropyLoss(ignore_index=2), {"e": error, "own": partial(error, ignore_index=0)}
    )
    assert found["e"].labels(LABELS) == Labels(2, 1)
    assert found["own"].labels(LABELS) == Labels(0, 1)


def test_a_metric_of_a_single_logit_takes_the_losses_threshold():
    found = made(nn.BCELoss(), {"error": error, "hit": accuracy}, ONE, HARD)
    low = torch.full((4, 1), 0.4)
    assert found["error"](low, HARD).tolist() == [0, 1, 1, 0]
    assert found["hit"](low, HARD).tolist() == [1, 0, 0, 1]
    assert found["hit"].higher_is_better and not found["error"].higher_is_better


def test_a_metric_of_ones_own_stays_as_it_is():
    own = lambda outputs, targets: outputs[:, 0]  # noqa: E731 (a metric of one's own)
    assert made(nn.BCELoss(), {"own": own}, ONE, HARD)["own"].function is own
    assert made(nn.BCELoss(), {"b": binary_error}, ONE, HARD)["b"].function is binary_error


@pytest.mark.parametrize("wrap", [rl.higher, rl.lower])
def test_a_declared_metric_is_adapted_inside_its_declaration(wrap):
    found = made(nn.CrossEntropyLoss(ignore_index=2), {"e": wrap(error)})["e"]
    assert found.higher_is_better is (wrap is rl.higher)
    assert found.labels(LABELS) == Labels(2, 1)


def test_what_counts_everywhere_is_known():
    assert made(cross_entropy)["loss"].everywhere
    assert not made(cross_entropy, targets=torch.tensor([0, -100, 1, 2]))["loss"].everywhere
    first = rl.masked(error, lambda outputs, targets: targets == 0)
    assert not made(cross_entropy, {"first": first})["first"].everywhere


@pytest.mark.parametrize(("name", "own"), [("accuracy", "f"), ("f", "accuracy_of_mine")])
def test_a_name_that_says_more_is_better_must_be_declared(name, own):
    def metric(outputs, targets):
        return outputs[:, 0]

    metric.__name__ = own
    with pytest.raises(UsageError, match="less is better, unless it says otherwise") as caught:
        made(cross_entropy, {name: metric})
    assert caught.value.got == f"the metric {name!r} ({own}), whose name says that more is"
    assert "rl.higher(f)" in caught.value.remedy and "rl.lower(f)" in caught.value.remedy
    assert made(cross_entropy, {name: rl.lower(metric)})[name].higher_is_better is False


def test_a_loss_with_such_a_name_is_called_the_loss():
    def accuracy_of_mine(outputs, targets):
        return outputs[:, 0]

    with pytest.raises(UsageError, match=r"the loss \(accuracy_of_mine\)"):
        made(accuracy_of_mine)


def test_a_sum_over_a_sample_has_no_mean_over_tokens():
    shares = torch.full((4, 3), 1 / 3)
    loss = nn.KLDivLoss(reduction="batchmean")
    assert made(loss, None, shares.log(), shares)["loss"].total
    with pytest.raises(UsageError, match="is of a loss that is itself a mean over them") as caught:
        made(loss, None, shares.log(), shares, weights="tokens")
    assert caught.value.got == "KLDivLoss(reduction='batchmean'), for 'loss'"
    made(nn.MSELoss(), None, shares, shares, weights="tokens")


@pytest.mark.parametrize(
    ("loss", "is_one"),
    [(cross_entropy, True), (partial(cross_entropy, dim=1), True), (nn.NLLLoss(), True),
     (nn.MSELoss(), False), (squared_error, False), (rl.lower(cross_entropy), True)],
)  # fmt: skip
def test_losses_of_labels_are_known(loss, is_one):
    assert of_classes(loss) is is_one


def test_two_axes_that_may_be_classes_are_told():
    outputs, targets = torch.zeros(4, 5, 5), torch.zeros(4, 5, dtype=torch.long)
    said = on_trust(made(cross_entropy, {}, outputs, targets), outputs, targets)
    assert said.startswith("Outputs (N, 5, 5) have as many classes as positions: `cross_entropy`")
    assert "`functools.partial(rl.cross_entropy, dim=1)`" in said


@pytest.mark.parametrize(
    ("loss", "outputs", "targets"),
    [
        (partial(cross_entropy, dim=-1), torch.zeros(4, 5, 5), torch.zeros(4, 5).long()),
        (nn.CrossEntropyLoss(), torch.zeros(4, 5, 5), torch.zeros(4, 5).long()),
        (cross_entropy, torch.zeros(4, 6, 5), torch.zeros(4, 6).long()),
        (cross_entropy, LOGITS, LABELS),
        (squared_error, torch.zeros(4, 5, 5), torch.zeros(4, 5, 5)),
    ],
)
def test_where_the_axis_is_said_or_plain_there_is_nothing_to_tell(loss, outputs, targets):
    assert on_trust(made(loss, {}, outputs, targets), outputs, targets) == ""


def test_a_metric_is_told_of_where_the_loss_says_nothing_of_classes():
    outputs, targets = torch.zeros(4, 5, 5), torch.zeros(4, 5, dtype=torch.long)
    own = lambda o, t: o.mean((1, 2))  # noqa: E731 (a loss of one's own)
    assert "`error` takes the last axis" in on_trust(
        made(own, {"error": error}, outputs, targets), outputs, targets
    )
