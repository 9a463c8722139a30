"""Losses of torch: each is what its own reduction means, per sample, or is refused."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ridgeline.errors import DataError, RidgelineWarning, UsageError
from ridgeline.objective import Objective, cross_entropy, error, masked

rng = torch.Generator().manual_seed(0)


def drawn(*shape):
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def classes(*shape, of=4):
    return torch.randint(0, of, shape, generator=rng)


class Echo(nn.Module):
    """Outputs that are the inputs, turned by a parameter so that there is a state."""

    def __init__(self):
        super().__init__()
        self.one = nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, x):
        return x * self.one


def found(loss, outputs, targets, **more):
    model = Echo()
    objective = Objective(model, (outputs, targets), loss=loss, **more)
    return objective(model.state_dict())


def alone(loss, outputs, targets):
    """The loss of each sample by itself, as torch gives it."""
    rows = range(len(outputs))
    return torch.stack([loss(outputs[i : i + 1], targets[i : i + 1]).reshape(()) for i in rows])


PAIRS = {
    "L1Loss": (drawn(7, 3), drawn(7, 3)),
    "MSELoss": (drawn(7, 3, 2), drawn(7, 3, 2)),
    "SmoothL1Loss": (drawn(7), drawn(7)),
    "HuberLoss": (drawn(7, 3), drawn(7, 3)),
    "BCELoss": (drawn(7, 3).sigmoid(), drawn(7, 3).sigmoid()),
    "BCEWithLogitsLoss": (drawn(7, 3), drawn(7, 3).sigmoid()),
    "SoftMarginLoss": (drawn(7, 3), drawn(7, 3).sign()),
    "PoissonNLLLoss": (drawn(7, 3), drawn(7, 3).exp()),
    "HingeEmbeddingLoss": (drawn(7, 3), drawn(7, 3).sign()),
    "KLDivLoss": (drawn(7, 4).log_softmax(1), drawn(7, 4).softmax(1)),
    "MultiLabelMarginLoss": (drawn(7, 4), torch.tensor([[1, 2, -1, 0]]).repeat(7, 1)),
    "MultiLabelSoftMarginLoss": (drawn(7, 4), classes(7, 4, of=2).double()),
    "MultiMarginLoss": (drawn(7, 4), classes(7)),
    "CrossEntropyLoss": (drawn(7, 4, 5), classes(7, 5)),
    "NLLLoss": (drawn(7, 4).log_softmax(1), classes(7)),
}
OTHER = {"GaussianNLLLoss", "CosineEmbeddingLoss", "MarginRankingLoss", "TripletMarginLoss"}
OTHER |= {"TripletMarginWithDistanceLoss", "CTCLoss", "LinearCrossEntropyLoss"}


def test_every_loss_of_torch_is_here():
    known = set(nn.modules.loss.__all__) - {"NLLLoss2d"}  # an old name of NLLLoss
    assert known <= set(PAIRS) | OTHER


@pytest.mark.parametrize("reduction", ["mean", "none", "batchmean"])
@pytest.mark.parametrize("name", list(PAIRS))
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")
def test_a_sample_has_what_the_loss_gives_of_it_alone(name, reduction):
    outputs, targets = PAIRS[name]
    if reduction == "batchmean" and name != "KLDivLoss":
        with pytest.raises(UsageError, match=f"one of mean, none.*{name}.*batchmean"):
            found(getattr(nn, name)(reduction=reduction), outputs, targets)
        return
    loss = getattr(nn, name)(reduction=reduction)
    want = alone(getattr(nn, name)(reduction=reduction.replace("none", "mean")), outputs, targets)
    torch.testing.assert_close(found(loss, outputs, targets)["loss"], want)
    assert loss.reduction == reduction


@pytest.mark.parametrize("name", list(PAIRS))
def test_a_sum_over_the_data_is_no_mean_of_samples(name):
    loss = getattr(nn, name)(reduction="sum")
    with pytest.raises(UsageError, match=rf"mean over samples.*{name}\(reduction='sum'\).*summed"):
        found(loss, *PAIRS[name])
    with pytest.raises(UsageError, match="grows with the data"):
        found(nn.MSELoss(), drawn(7, 3), drawn(7, 3), metrics={"own": loss})


@pytest.mark.parametrize("name", sorted(OTHER))
def test_a_loss_of_other_arguments_is_refused(name):
    if not hasattr(nn, name):
        pytest.skip("not in this version of torch")
    more = (4, 3) if name == "LinearCrossEntropyLoss" else ()
    with pytest.raises(UsageError, match=rf"outputs and targets.*Got {name}.*-> \(N,\)"):
        found(getattr(nn, name)(*more), drawn(7, 3), drawn(7, 3))


@pytest.mark.parametrize("ignored", [-100, 0, 255, -1])
@pytest.mark.parametrize("shape", [(), (5,), (3, 5), (4,), (4, 4)])
@pytest.mark.parametrize("kind", [nn.CrossEntropyLoss, nn.NLLLoss])
def test_a_label_that_is_ignored_counts_nowhere(kind, shape, ignored):
    """With four classes also on axes of four, where the shape does not tell which they are."""
    outputs, targets = drawn(9, 4, *shape), classes(9, *shape)
    if kind is nn.NLLLoss:
        outputs = outputs.log_softmax(1)
    drop = torch.rand(9, *shape, generator=rng) < 0.4
    drop[0], drop[1] = True, False  # nothing of the first counts, all of the second
    targets[drop] = ignored
    counted = targets != ignored  # a class that is ignored is so wherever it is
    loss = kind(ignore_index=ignored)
    kept = [i for i in range(9) if counted[i].any()]
    own = found(loss, outputs, targets)
    want = [loss(outputs[i : i + 1], targets[i : i + 1]) for i in kept]
    torch.testing.assert_close(own["loss"], torch.stack(want))
    wrong = outputs.argmax(1) != targets
    rate = torch.stack([wrong[i][counted[i]].double().mean() for i in kept])
    torch.testing.assert_close(own["error"], rate)
    tokens = found(loss, outputs, targets, weights="tokens")
    assert float(tokens["loss"].mean()) == pytest.approx(float(loss(outputs, targets)))
    assert float(tokens["error"].mean()) == pytest.approx(float(wrong[counted].double().mean()))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(), (5,)])
def test_class_weights_are_the_ratio_that_torchs_mean_is(shape, smoothing):
    outputs, targets = drawn(9, 4, *shape), classes(9, *shape)
    targets.flatten()[2] = -100
    weight = torch.tensor([0.5, 1.0, 3.0, 2.0])
    loss = nn.CrossEntropyLoss(weight, label_smoothing=smoothing)
    mode = "tokens" if shape else "samples"
    own = found(loss, outputs, targets, weights=mode)["loss"]
    want = nn.CrossEntropyLoss(weight.double(), label_smoothing=smoothing)(outputs, targets)
    assert float(own.mean()) == pytest.approx(float(want))


def test_class_weights_over_positions_have_no_mean_over_samples():
    with pytest.raises(UsageError, match=r"another quantity.*positions of shape \(5,\).*tokens"):
        found(nn.CrossEntropyLoss(torch.ones(4)), drawn(9, 4, 5), classes(9, 5))


def test_a_class_without_weight_is_left_out():
    outputs, targets = drawn(9, 4), torch.arange(9) % 4
    loss = nn.CrossEntropyLoss(torch.tensor([0.0, 1, 1, 1]))
    own = found(loss, outputs, targets)["loss"]
    assert len(own) == 6
    want = nn.CrossEntropyLoss(torch.tensor([0.0, 1, 1, 1]).double())(outputs, targets)
    assert float(own.mean()) == pytest.approx(float(want))
    with pytest.raises(UsageError, match="positive with label smoothing"):
        found(nn.CrossEntropyLoss(torch.zeros(4), label_smoothing=0.1), outputs, targets)


def test_probabilities_of_classes_are_no_labels():
    outputs, targets = drawn(9, 4, 5), drawn(9, 4, 5).softmax(1)
    own = found(nn.CrossEntropyLoss(), outputs, targets)
    assert list(own) == ["loss"]  # no error of what has no label
    torch.testing.assert_close(own["loss"], alone(nn.CrossEntropyLoss(), outputs, targets))


@pytest.mark.parametrize(
    ("function", "outputs", "targets"),
    [
        (F.cross_entropy, drawn(9, 4, 4), classes(9, 4)),
        (partial(F.cross_entropy, ignore_index=2), drawn(9, 4), classes(9)),
        (F.mse_loss, drawn(9, 3), drawn(9, 3)),
        (partial(F.huber_loss, delta=0.3), drawn(9, 3), drawn(9, 3)),
        (F.binary_cross_entropy_with_logits, drawn(9), classes(9, of=2).double()),
        (partial(F.kl_div, reduction="batchmean"), *PAIRS["KLDivLoss"]),
    ],
)
def test_functions_of_torch_are_their_modules(function, outputs, targets):
    own = found(function, outputs, targets)["loss"]
    each = [function(outputs[i : i + 1], targets[i : i + 1]) for i in range(len(outputs))]
    want = torch.stack([x for x in each if not x.isnan()])
    torch.testing.assert_close(own, want)


def test_outputs_with_an_axis_of_one_are_not_broadcast():
    for kind in (nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss, nn.BCEWithLogitsLoss):
        outputs, targets = drawn(9, 1), classes(9, of=2).double()
        want = alone(kind(), outputs[:, 0], targets)
        torch.testing.assert_close(found(kind(), outputs, targets)["loss"], want)
        torch.testing.assert_close(found(kind(), outputs[:, 0], targets[:, None])["loss"], want)
    pixels, mask = drawn(3, 1, 3, 3), drawn(3, 3, 3)  # a batch as large as an image's side
    want = alone(nn.MSELoss(), pixels[:, 0], mask)
    torch.testing.assert_close(found(nn.MSELoss(), pixels, mask)["loss"], want)
    with pytest.raises(UsageError, match=r"MSELoss takes.*one shape.*every sample with every"):
        found(nn.MSELoss(), drawn(9, 9), drawn(9))


def test_the_class_axis_is_torchs_and_the_shape_is_not_asked():
    outputs, targets = drawn(4, 4, 4, 4), classes(4, 4, 4)
    own = found(nn.CrossEntropyLoss(), outputs, targets)
    torch.testing.assert_close(own["loss"], alone(nn.CrossEntropyLoss(), outputs, targets))
    wrong = (outputs.argmax(1) != targets).double().flatten(1).mean(1)
    torch.testing.assert_close(own["error"], wrong)
    with pytest.warns(RidgelineWarning):
        last = found("cross_entropy", outputs, targets)  # ours has the classes last
    moved = outputs.movedim(-1, 1)
    torch.testing.assert_close(last["loss"], alone(nn.CrossEntropyLoss(), moved, targets))


@pytest.mark.parametrize("shape", [(7, 4, 4), (7, 4, 4, 4)])
def test_an_axis_that_is_taken_on_trust_is_told(shape):
    data = drawn(*shape), classes(*shape[:1], *shape[2:])
    with pytest.warns(RidgelineWarning, match="as many classes as positions.*last axis.*dim=1"):
        told = Objective(Echo(), data)
    assert any("as many classes as positions" in note for note in told.notes)
    with pytest.warns(RidgelineWarning, match="`error` takes the last axis"):
        Objective(Echo(), data, loss=lambda o, t: o.flatten(1).mean(1), metrics=["error"])
    for loss in (
        *(nn.CrossEntropyLoss(), partial(cross_entropy, dim=1), partial(cross_entropy, dim=-1)),
    ):
        assert not Objective(Echo(), data, loss=loss).notes  # a warning would fail the test


def test_axes_of_other_sizes_are_not_taken_on_trust():
    assert not Objective(Echo(), (drawn(7, 5, 4), classes(7, 5))).notes
    assert not Objective(Echo(), (drawn(7, 4), classes(7))).notes


@pytest.mark.parametrize("loss", [nn.BCEWithLogitsLoss(), "bce"])
@pytest.mark.parametrize("wide", [1, 3])
def test_targets_may_be_booleans(loss, wide):
    outputs, targets = drawn(9, wide), drawn(9, wide) > 0
    got = found(loss, outputs, targets)
    each = F.binary_cross_entropy_with_logits(outputs, targets.double(), reduction="none")
    torch.testing.assert_close(got["loss"], each.mean(1))
    assert ("error" in got) == (wide == 1)
    if wide == 1:
        wrong = ((outputs > 0) != targets)[:, 0]
        assert got["error"].tolist() == wrong.double().tolist()


def test_classes_on_the_other_axis_are_refused_with_the_remedy():
    with pytest.raises(UsageError, match=r"\(N, C, \.\.\.\).*\(7, 5, 4\).*rl\.cross_entropy"):
        found(nn.CrossEntropyLoss(), drawn(7, 5, 4), classes(7, 5))
    with pytest.raises(UsageError, match=r"\(N, \.\.\., C\).*\(7, 4, 5\).*dim=1"):
        found("cross_entropy", drawn(7, 4, 5), classes(7, 5))


def test_single_outputs_are_no_classes():
    with pytest.raises(UsageError, match=r"\(N, C, \.\.\.\).*outputs \(7,\), targets \(7,\)"):
        found(nn.CrossEntropyLoss(), drawn(7), classes(7))


def test_weights_of_samples_in_a_batch_are_refused():
    for held in (torch.ones(7, 1), torch.ones(7, 3)):
        with pytest.raises(UsageError, match=r"weight for each sample.*\(values, weights\)"):
            found(nn.BCEWithLogitsLoss(weight=held), drawn(7, 3), drawn(7, 3).sigmoid())
    outputs, targets = drawn(7, 3), classes(7, 3, of=2).double()
    loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.0, 2, 3]))
    want = alone(
        nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.0, 2, 3]).double()), outputs, targets
    )
    torch.testing.assert_close(found(loss, outputs, targets)["loss"], want)


def test_a_sum_over_a_sample_has_no_mean_over_tokens():
    said = r"mean over tokens.*KLDivLoss\(reduction='batchmean'\), for 'loss'.*default"
    with pytest.raises(UsageError, match=said):
        found(nn.KLDivLoss(reduction="batchmean"), *PAIRS["KLDivLoss"], weights="tokens")


class Focal(nn.Module):
    """A loss of one's own that averages over what `gamma` leaves of it."""

    def __init__(self, reduction="mean", normalised=False):
        super().__init__()
        self.reduction, self.normalised = reduction, normalised

    def forward(self, outputs, targets):
        ce = F.cross_entropy(outputs, targets, reduction="none")
        scale = (1 - (-ce).exp()) ** 2
        values = scale * ce
        if self.reduction == "none":
            return values
        if self.normalised:
            return values.sum() / scale.sum()
        return values.mean() if self.reduction == "mean" else values.sum()


def test_a_module_with_a_reduction_is_taken_if_it_is_what_its_name_says():
    outputs, targets = drawn(7, 4, 5), classes(7, 5)
    own = found(Focal(), outputs, targets)["loss"]
    torch.testing.assert_close(own, alone(Focal(), outputs, targets))
    with pytest.raises(UsageError, match=r"reduction.*Focal.*for a sample where"):
        found(Focal(normalised=True), outputs, targets)
    with pytest.raises(UsageError, match=r"Focal\(reduction='sum'\)"):
        found(Focal("sum"), outputs, targets)


@pytest.mark.parametrize(
    ("loss", "threshold"), [(nn.BCEWithLogitsLoss(), 0), (nn.BCELoss(), 0.5), ("bce", 0)]
)
@pytest.mark.parametrize("axis", [True, False])
def test_one_logit_has_an_error(loss, threshold, axis):
    outputs, targets = drawn(9, 1) if axis else drawn(9), classes(9, of=2)
    if isinstance(loss, nn.BCELoss):
        outputs = outputs.sigmoid()
    own = found(loss, outputs, targets.double())
    want = ((outputs.reshape(9) > threshold).long() != targets).double()
    torch.testing.assert_close(own["error"], want)
    named = found(loss, outputs, targets.double(), metrics={"e": error, "a": "accuracy"})
    torch.testing.assert_close(named["e"], want)
    torch.testing.assert_close(named["a"], 1 - want)


def test_no_error_is_added_to_what_it_does_not_fit():
    soft, many = drawn(9).sigmoid(), classes(9, 4, of=2).double()
    for loss, outputs, targets in (
        (nn.BCEWithLogitsLoss(), drawn(9), soft),  # no labels
        (nn.BCEWithLogitsLoss(), drawn(9, 4), many),  # several labels a sample
        (nn.MSELoss(), drawn(9, 4), many),
        (nn.CrossEntropyLoss(), drawn(9, 4), many / many.sum(1, keepdim=True).clamp(min=1)),
    ):
        assert list(found(loss, outputs, targets)) == ["loss"]


@pytest.mark.parametrize("loss", [nn.BCEWithLogitsLoss(), nn.BCELoss(), "bce"])
def test_targets_of_a_binary_cross_entropy_are_shares_unless_masked(loss):
    outputs, targets = drawn(9, 4).sigmoid(), classes(9, 4, of=2).double()
    targets[3, 1] = -100  # torch gives 40 for it and says nothing
    with pytest.raises(DataError, match=r"in \[0, 1\]. Got -100 at sample 3 \(1 in all\)"):
        found(loss, outputs, targets)


def test_a_masked_binary_cross_entropy_is_of_the_targets_that_are_there():
    outputs, targets = drawn(9, 4), classes(9, 4, of=2).double()
    targets[3, 1] = -1
    loss = masked(nn.BCEWithLogitsLoss(), lambda outputs, targets: targets >= 0)
    each = nn.functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none")
    want = each.mean(1)
    want[3] = each[3, [0, 2, 3]].mean()
    torch.testing.assert_close(found(loss, outputs, targets)["loss"], want)
