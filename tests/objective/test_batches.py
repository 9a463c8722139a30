"""A sample's number must be its own: what depends on its batch is refused with numbers."""

import pytest
import torch
from torch import nn

from ridgeline.errors import NotDeterministic, UsageError
from ridgeline.objective import batches
from ridgeline.objective.batches import check_batches
from ridgeline.objective.conventions import criteria

OUT, T = torch.arange(12.0).reshape(6, 2), torch.arange(6.0)


def check(loss, outputs=OUT, targets=T, name="loss"):
    given = (loss, {}) if name == "loss" else (lambda o, t: t, {name: loss})
    place = {"device": torch.device("cpu"), "dtype": torch.float32}
    found = criteria(*given, outputs, targets, weights="samples", **place)
    check_batches(found, outputs, targets)


def own(outputs, targets):
    return (outputs[:, 0] - targets) ** 2


def test_a_number_of_its_own_sample_passes():
    check(own)
    check(own, OUT[:1], T[:1])
    check(nn.MSELoss(), OUT, OUT + 1)


def test_a_mean_of_the_batch_taken_off_is_refused_with_both_numbers():
    with pytest.raises(NotDeterministic, match="a sample's number depends on its batch") as caught:
        check(lambda o, t: t - t.mean())
    assert "(sample 0 has -2.5 in a batch and 0 in a smaller one)" in str(caught.value)
    assert "broadcast" in str(caught.value)


def test_a_metric_is_called_by_its_name():
    with pytest.raises(NotDeterministic, match="the metric 'centred', in which"):
        check(lambda o, t: t - t.mean(), name="centred")


def test_what_depends_on_a_half_alone_is_seen():
    def of_many(outputs, targets):
        return targets * (2.0 if len(targets) in (6, 1) else 1.0)

    with pytest.raises(NotDeterministic, match="sample 1 has 2 in a batch and 1 in a smaller one"):
        check(of_many)


def test_what_raises_for_one_alone_is_said():
    def fussy(outputs, targets):
        if len(targets) == 1:
            raise ValueError("too few")
        return targets

    with pytest.raises(NotDeterministic, match=r"of 1 alone it raises ValueError: too few"):
        check(fussy)


def test_what_is_refused_for_one_alone_is_said():
    with pytest.raises(NotDeterministic, match=r"of 1 alone: \(2,\) for 1 samples"):
        check(lambda o, t: t if len(t) > 1 else t.expand(2))


def test_what_draws_is_refused():
    with pytest.raises(NotDeterministic, match="the loss, which gives another number each time"):
        check(lambda o, t: torch.rand(len(t)))


def test_the_generator_stays_where_it_was():
    before = torch.get_rng_state()
    with pytest.raises(NotDeterministic):
        check(lambda o, t: torch.rand(len(t)))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("which", ["outputs", "targets"])
def test_what_writes_is_refused_and_told_to_copy(which):
    def writes(outputs, targets):
        (outputs if which == "outputs" else targets).add_(1)
        return targets.clone()

    with pytest.raises(NotDeterministic, match="which writes to the outputs or the targets") as no:
        check(writes, OUT.clone(), T.clone())
    assert ".clone()" in str(no.value)


def test_missing_and_infinite_numbers_agree_with_themselves():
    check(lambda o, t: torch.where(t == 0, torch.nan, torch.where(t == 1, torch.inf, t)))


@pytest.mark.parametrize(("size", "refused"), [(3e-5, False), (3e-3, True)])
def test_a_difference_by_rounding_is_none(size, refused):
    def nearly(outputs, targets):
        return 1 + size * (len(targets) == 1) + 0 * targets

    if refused:
        with pytest.raises(NotDeterministic, match="depends on its batch"):
            check(nearly)
    else:
        check(nearly)


def test_of_large_outputs_a_few_samples_are_looked_at(monkeypatch):
    seen = []

    def looking(outputs, targets):
        seen.append(len(targets))
        return targets

    check(looking)
    assert max(seen) == 6
    monkeypatch.setattr(batches, "LARGE", 4)
    seen.clear()
    check(looking)
    assert max(seen) == 4


class Reduced(nn.Module):
    """A loss with a `reduction` of its own; of one sample it is what `one` says."""

    def __init__(self, one, reduction="mean"):
        super().__init__()
        self.one, self.reduction = one, reduction

    def forward(self, outputs, targets):
        values = (outputs[:, 0] - targets) ** 2
        return values if self.reduction == "none" else self.one(values)


def test_a_reduction_of_ones_own_is_compared_on_single_samples():
    check(Reduced(torch.mean))
    with pytest.raises(UsageError, match="of one sample, that reduction") as caught:
        check(Reduced(lambda v: 2 * v.mean()), targets=T + 1)
    assert caught.value.got.startswith("Reduced(reduction='mean'), which gives 2 for a sample")
    assert caught.value.got.endswith("has a mean of 1")


def test_a_reduction_that_gives_no_number_is_said():
    with pytest.raises(UsageError, match=r"which gives \(2,\) for one"):
        check(Reduced(lambda v: v.expand(2)))


def test_a_loss_without_reduction_is_not_compared():
    check(Reduced(lambda v: 1 / 0, reduction="none"))
