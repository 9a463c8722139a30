"""Training data made worse on purpose: labels moved, classes shared out unevenly.

Pure functions of targets and a seed; nothing is changed in place.
"""

import torch
from torch import Tensor

from ridgeline.errors import DataError, UsageError
from ridgeline.rng import stream

__all__ = ["noisy_labels", "skewed"]


def noisy_labels(targets: Tensor, share: float, classes: int, seed: int) -> Tensor:
    """Labels of which each is replaced, with some probability, by a uniform one.

    The new label may be the true one, so that about ``share * (1 - 1 / classes)`` of all are
    wrong (as in the code of Lucas et al. 2021). Nested: with the same seed, labels replaced at a
    share of 0.1 are replaced at 0.2 too, and by the same ones.

    Args:
        targets: Class numbers, (n,).
        share: The probability.
        classes: How many there are.
        seed: The same seed gives the same labels.

    Returns:
        New labels.

    Raises:
        DataError: If targets are no class numbers.
        UsageError: If the share is outside [0, 1], or a target is beyond the classes.
    """
    _check_labels(targets)
    _check_share(share)
    low, high = int(targets.min()), int(targets.max())
    if low < 0 or high >= classes:
        raise UsageError(
            f"Labels of {classes} classes are from 0 to {classes - 1}.", got=f"{low} to {high}"
        )
    draws = torch.rand(
        len(targets), generator=stream(seed, "label noise", "which"), dtype=torch.float64
    )
    labels = torch.randint(
        classes, (len(targets),), generator=stream(seed, "label noise", "label")
    ).to(targets)
    return torch.where((draws < share).to(targets.device), labels, targets)


def skewed(targets: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Two parts of the data whose classes are unlike, without overlap and without rest.

    Part a has `share` of the samples of each class in the first half of the classes, by number,
    and the other ``1 - share`` of each class in the second half; part b has the rest. Counts are
    exact but for rounding: b has of a later class what a would have of it were it an early one.
    With an odd number of classes the first half is the smaller.

    References: Ainsworth, Hayase & Srinivasa (2022), "Git Re-Basin", section 5.4; Kanoh &
    Sugiyama (2024), section 5, with two classes and a share of 0.8.

    Args:
        targets: Class numbers, (n,).
        share: Of the early classes that is in part a.
        seed: Of the choice. Parts are nested: with more share, a keeps what it had of the early
            classes.

    Returns:
        Rows of part a and of part b, (n_a,) and (n_b,) int64 on the CPU, each in order.

    Raises:
        DataError: If targets are no class numbers, or a part is empty.
        UsageError: If the share is outside [0, 1].
    """
    _check_labels(targets)
    _check_share(share)
    labels = targets.cpu()
    numbers = labels.unique().tolist()
    in_a = torch.zeros(len(labels), dtype=torch.bool)
    for i, number in enumerate(numbers):
        rows = (labels == number).nonzero()[:, 0]
        rows = rows[torch.randperm(len(rows), generator=stream(seed, "skew", number))]
        larger = int(share * len(rows) + 0.5)
        in_a[rows[:larger] if i < len(numbers) // 2 else rows[larger:]] = True
    parts = in_a.nonzero()[:, 0], (~in_a).nonzero()[:, 0]
    if not len(parts[0]) or not len(parts[1]):
        raise DataError(
            "Each part of skewed data has a sample.",
            got=f"{len(parts[0])} and {len(parts[1])}, of {len(numbers)} classes",
            remedy="Choose a share between 0 and 1, and at least two classes.",
        )
    return parts


def _check_labels(targets: Tensor) -> None:
    if targets.ndim != 1 or targets.is_floating_point() or not len(targets):
        raise DataError(
            "Labels are whole numbers, one for each sample.",
            got=f"{targets.dtype}, shape {tuple(targets.shape)}",
        )


def _check_share(share: float) -> None:
    if not 0 <= share <= 1:
        raise UsageError("`share` is from 0 to 1.", got=str(share))
