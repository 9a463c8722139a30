"""Asking loss and metrics about batches: a sample's number must be its own.

A number that depends on which other samples stand in the batch (outputs (N, 1) against targets
(N,), a contrast among samples, a mean of the batch taken off) has no mean over the data.
"""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ridgeline.errors import NotDeterministic, RidgelineError, UsageError
from ridgeline.objective.criteria import Criterion
from ridgeline.objective.samples import equal
from ridgeline.objective.torch_losses import TorchLoss
from ridgeline.objective.weighted import Weighted, where_counted
from ridgeline.rng import untouched

__all__ = ["check_batches"]

ALONE = 32
"""Samples that are scored alone."""
LARGE, FEW = 2**24, 4
"""Outputs (numbers, not bytes) above which only a few samples are looked at."""
TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-4}
ROUGH = 2e-2


def check_batches(criteria: Mapping[str, Criterion], outputs: Any, targets: Any) -> None:
    """Refuse loss and metrics whose number of a sample depends on its batch, or on the call.

    Args:
        criteria: By name.
        outputs: Of a few samples.
        targets: Of the same.

    Raises:
        NotDeterministic: Naming the loss or metric.
        UsageError: If there is not one number per sample, or a loss' reduction is another than
            its name says.
    """
    size = sum(x.numel() for x in pytree.tree_leaves(outputs) if isinstance(x, Tensor))
    if size > LARGE:
        outputs, targets = (_rows(x, slice(0, FEW)) for x in (outputs, targets))
    count = len(pytree.tree_leaves(targets)[0])
    alone = range(min(count, ALONE))
    for criterion in criteria.values():
        given = [x for x in pytree.tree_leaves((outputs, targets)) if isinstance(x, Tensor)]
        before = [x.clone() for x in given]
        with untouched():
            whole = criterion.scores(outputs, targets)
            again = criterion.scores(outputs, targets)
        if not all(equal(x, y) for x, y in zip(before, given, strict=True)):
            raise NotDeterministic(
                f"{criterion.called}, which writes to the outputs or the targets",
                "Let it work on a copy: `.clone()`.",
            )
        if not _agree(whole, again):
            raise NotDeterministic(
                f"{criterion.called}, which gives another number each time",
                "Draw no random numbers in it.",
            )
        rows = [slice(i, i + 1) for i in alone] + [slice(0, count // 2)] * (count > 3)
        _check_alone(criterion, whole, outputs, targets, rows)
        if isinstance(criterion.form, TorchLoss) and criterion.form.kind == "own":
            _check_reduction(criterion, whole, outputs, targets, rows[: len(alone)])


def _check_alone(
    criterion: Criterion, whole: Weighted, outputs: Any, targets: Any, rows: Iterable[slice]
) -> None:
    """Compare a batch's numbers with those of its parts."""
    for some in rows:
        held = whole.weights
        among = Weighted(whole.values[some], held if held is None else held[some])
        try:
            with untouched(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what torch says of a batch of one
                apart = criterion.scores(_rows(outputs, some), _rows(targets, some))
        except UsageError as refused:
            said = f"of {some.stop - some.start} alone: {refused.got}"
        except RidgelineError:
            raise
        except Exception as failure:  # the user's own loss or metric
            said = (
                f"of {some.stop - some.start} alone it raises {type(failure).__name__}: {failure}"
            )
        else:
            if _agree(among, apart):
                continue
            k = int(_apart(among, apart).int().argmax())
            x, y = (float(where_counted(w)[k]) for w in (among, apart))
            said = f"sample {some.start + k} has {x:.4g} in a batch and {y:.4g} in a smaller one"
        raise NotDeterministic(
            f"{criterion.called}, in which a sample's number depends on its batch ({said})",
            "Each number must be of its own sample: check that outputs and targets are not "
            "broadcast against each other. What is of a whole batch (a contrast among samples, a "
            "score of all of them) has no mean over samples, and no barrier with an interval.",
        )


def _check_reduction(
    criterion: Criterion, whole: Weighted, outputs: Any, targets: Any, rows: Iterable[slice]
) -> None:
    """Compare a module's own reduction of one sample with ours."""
    form: TorchLoss = criterion.form
    if form.reduction == "none":
        return
    for some in rows:
        own = form.original(_rows(outputs, some), _rows(targets, some))
        if isinstance(own, Tensor) and own.numel() == 1:
            if _agree(Weighted(whole.values[some]), Weighted(own.reshape(1))):
                continue
            said = (
                f"{float(own):.4g} for a sample where reduction='none' has a {form.reduction} of "
            )
            said += f"{float(whole.values[some]):.4g}"
        else:
            said = f"{tuple(own.shape) if isinstance(own, Tensor) else type(own).__name__} for one"
        raise UsageError(
            "A loss with a `reduction` is, of one sample, that reduction of its unreduced values.",
            got=f"{form.name}(reduction={form.reduction!r}), which gives {said}",
            remedy="Pass loss(outputs, targets) -> (N,) that gives what is meant, for each sample.",
        )


def _rows(held: Any, some: slice) -> Any:
    return pytree.tree_map_only(Tensor, lambda x: x[some], held)


def _agree(x: Weighted, y: Weighted) -> bool:
    return not bool(_apart(x, y).any())


def _apart(x: Weighted, y: Weighted) -> Tensor:
    """Return where two readings of samples differ by more than rounding; shape (N,)."""
    found = torch.zeros(len(x.values), dtype=torch.bool, device=x.values.device)
    for one, other in ((where_counted(x), where_counted(y)), (_weights(x), _weights(y))):
        p, q = one.double(), other.double()
        finite = p[p.isfinite()].abs()
        size = float(finite.max()) if finite.numel() else 1.0
        near = TOLERANCE.get(one.dtype, ROUGH)
        found |= ~torch.isclose(p, q, rtol=near, atol=near * max(size, 1e-30), equal_nan=True)
    return found


def _weights(scores: Weighted) -> Tensor:
    return torch.ones_like(scores.values) if scores.weights is None else scores.weights
