from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgeline import objective
from ridgeline.errors import UsageError
from ridgeline.training import Recipe
from ridgeline.training.heads import counted, head_of


def outputs_and_labels(shape, classes, seed, scale=3.0):
    draws = torch.Generator().manual_seed(seed)
    outputs = scale * torch.randn(*shape, classes, generator=draws, dtype=torch.float64)
    return outputs, torch.randint(classes, shape, generator=draws)


def by_differentiation(loss, outputs, targets):
    leaf = outputs.clone().requires_grad_()
    values = torch.stack([loss(o, t).mean() for o, t in zip(leaf, targets, strict=True)])
    return values.detach(), torch.autograd.grad(values.sum(), leaf)[0]


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from([(1, 5), (3, 4), (2, 3, 6), (2, 2, 3, 2)]),
    st.integers(2, 12),
    st.sampled_from([0.0, 0.1]),
    st.booleans(),
    st.integers(0, 9),
)
def test_cross_entropy_is_the_objectives_and_its_slope_the_derivative(
    shape, classes, smoothing, ignoring, seed
):
    outputs, labels = outputs_and_labels(shape, classes, seed)
    if ignoring and len(shape) > 2:
        labels[..., 0] = -100
    recipe = Recipe(length="1it", label_smoothing=smoothing)
    loss, missed, slope = head_of(recipe, labels)(outputs, labels)
    expected, gradient = by_differentiation(
        lambda o, t: objective.cross_entropy(o, t, label_smoothing=smoothing), outputs, labels
    )
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(slope, gradient, rtol=1e-9, atol=1e-12)
    errors = [objective.error(o, t).sum() for o, t in zip(outputs, labels, strict=True)]
    torch.testing.assert_close(missed, torch.stack(errors))


@pytest.mark.parametrize("name", ["squared_error", "binary_cross_entropy"])
@pytest.mark.parametrize("shape", [(2, 5, 3), (3, 4, 1), (2, 3, 4, 2)])
def test_losses_of_numbers(name, shape):
    outputs = 3 * torch.randn(shape, generator=torch.Generator().manual_seed(0)).double()
    targets = torch.rand(shape, generator=torch.Generator().manual_seed(1)).double()
    if shape[-1] == 1:
        targets = targets[..., 0]
    loss, missed, slope = head_of(Recipe(length="1it", loss=name), targets)(outputs, targets)
    expected, gradient = by_differentiation(getattr(objective, name), outputs, targets)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(slope, gradient)
    assert missed.isnan().all()


def test_a_loss_of_ones_own_is_differentiated():
    outputs, labels = outputs_and_labels((3, 5), 4, 0)
    own = head_of(Recipe(length="1it", loss=torch.nn.functional.cross_entropy), labels)
    known = head_of(Recipe(length="1it"), labels)
    for a, b in zip(own(outputs, labels), known(outputs, labels), strict=True):
        torch.testing.assert_close(a, b)


def test_confident_samples_keep_their_loss_in_single_precision():
    outputs = torch.tensor([[[40.0, 0.0, 0.0]]])
    loss, _, slope = head_of(Recipe(length="1it"), torch.tensor([1]))(outputs, torch.tensor([[1]]))
    assert float(loss) == 40.0
    assert slope[0, 0].tolist() == pytest.approx([1.0, -1.0, 0.0])


def test_equal_logits_are_a_miss_unless_the_first_class_is_meant():
    head = head_of(Recipe(length="1it"), torch.tensor([0]))
    outputs = torch.zeros(1, 4, 3)
    assert head(outputs, torch.tensor([[0, 1, 2, 1]]))[1].tolist() == [3.0]


def test_targets_of_another_kind_are_refused():
    with pytest.raises(UsageError, match="class numbers"):
        head_of(Recipe(length="1it"), torch.rand(3))
    head = head_of(Recipe(length="1it"), torch.tensor([0]))
    with pytest.raises(UsageError, match="integer targets"):
        head(torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, dtype=torch.long))
    head = head_of(Recipe(length="1it", loss="squared_error"), torch.rand(3))
    with pytest.raises(UsageError, match="one shape"):
        head(torch.zeros(1, 2, 3), torch.zeros(1, 2, 4))


@pytest.mark.parametrize(
    ("loss", "dim"),
    [
        (torch.nn.CrossEntropyLoss(ignore_index=1), 1),
        (partial(torch.nn.functional.cross_entropy, ignore_index=1), 1),
        (partial(objective.cross_entropy, ignore_index=1, dim=1), 1),
        (partial(objective.cross_entropy, ignore_index=1), -1),
    ],
)
def test_misses_of_ones_own_loss_follow_its_axis_and_its_ignored_label(loss, dim):
    """With as many classes as positions the shape says nothing."""
    outputs, labels = outputs_and_labels((2, 3, 4), 4, 0)  # 2 members, 3 samples, 4 of 4 classes
    labels[1, 2] = 1  # nothing of this sample counts
    _, missed, _ = head_of(Recipe(length="1it", loss=loss), labels)(outputs, labels)
    for k in range(2):
        want = 0.0
        for i in range(3):
            at = [j for j in range(4) if labels[k, i, j] != 1]
            one = outputs[k, i].movedim(dim if dim < 0 else 0, -1)
            want += sum(float(one[j].argmax() != labels[k, i, j]) for j in at) / max(1, len(at))
        assert float(missed[k]) == pytest.approx(want)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_sample_of_which_nothing_counts_has_no_part_in_the_mean_as_torch_has_it(smoothing):
    outputs, labels = outputs_and_labels((2, 5), 4, 0)
    labels[0, 1], labels[1, :3] = -100, -100
    head = head_of(Recipe(length="1it", label_smoothing=smoothing), labels)
    loss, missed, slope = head(outputs, labels)
    want, gradient = by_differentiation(
        partial(torch.nn.functional.cross_entropy, label_smoothing=smoothing), outputs, labels
    )
    torch.testing.assert_close(loss, want)
    torch.testing.assert_close(slope, gradient)
    assert counted(head, labels).tolist() == [4, 2]
    wrong = (outputs.argmax(-1) != labels) & (labels != -100)
    assert missed.tolist() == wrong.sum(1).tolist()


def test_a_step_in_which_nothing_counts_is_of_zeros():
    outputs, labels = outputs_and_labels((1, 5), 4, 0)
    labels[:] = -100
    loss, _, slope = head_of(Recipe(length="1it"), labels)(outputs, labels)
    assert float(loss) == 0 and not slope.any()


@pytest.mark.parametrize(
    "loss",
    [torch.nn.CrossEntropyLoss(ignore_index=1), partial(objective.cross_entropy, ignore_index=1)],
)
def test_ones_own_loss_says_which_samples_count(loss):
    _, labels = outputs_and_labels((2, 5), 4, 0)
    head = head_of(Recipe(length="1it", loss=loss), labels)
    assert counted(head, labels).tolist() == (labels != 1).sum(1).tolist()


def test_a_sample_of_which_nothing_counts_has_no_part_in_ones_own_mean():
    outputs, labels = outputs_and_labels((1, 5), 4, 0)
    labels[0, 2] = -100
    own = head_of(Recipe(length="1it", loss=objective.cross_entropy), labels)
    loss, _, slope = own(outputs, labels)
    kept = [0, 1, 3, 4]
    want = torch.nn.functional.cross_entropy(outputs[0, kept], labels[0, kept])
    assert float(loss) == pytest.approx(float(want))
    assert not slope[0, 2].any() and slope[0, kept].any()
