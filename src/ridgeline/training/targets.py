"""What the outputs of a population's members are compared with, at each moment."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ridgeline.data.corruption import noisy_labels
from ridgeline.training.recipe import Relabel
from ridgeline.training.runs import Member

__all__ = ["Targets"]


class Targets:
    """The targets of all members, and those that stand in for them while they are relabelled.

    Args:
        members: Alike, so that they are relabelled at the same times.
        shared: Those of the data, (N, ...).
        total: Steps planned.
        per_epoch: Steps of an epoch.

    Raises:
        DataError: If targets are to be relabelled that are no class numbers.
        UsageError: If the times are not of this run, or a target is beyond the classes.
    """

    def __init__(
        self, members: Sequence[Member], shared: Tensor, total: int, per_epoch: int
    ) -> None:
        self.plain = _plain(members, shared)
        """Those that all members share, (N, ...), or those of each, (K, N, ...)."""
        relabel = members[0].recipe.relabel
        self._steps = range(0) if relabel is None else relabel.steps(total, per_epoch)
        self._moved = None if relabel is None else _moved(members, shared)

    def at(self, step: int) -> Tensor:
        """Those of one step, named by how many were taken before it; shaped as `plain` may be."""
        if self._moved is not None and step in self._steps:
            return self._moved
        return self.plain


def _plain(members: Sequence[Member], shared: Tensor) -> Tensor:
    if all(member.targets is None for member in members):
        return shared
    return torch.stack([_own(member, shared) for member in members])


def _own(member: Member, shared: Tensor) -> Tensor:
    return shared if member.targets is None else member.targets.to(shared)


def _moved(members: Sequence[Member], shared: Tensor) -> Tensor:
    """Each member's targets with its own draw, (K, N)."""
    return torch.stack([_relabelled(member, _own(member, shared)) for member in members])


def _relabelled(member: Member, labels: Tensor) -> Tensor:
    how = member.recipe.relabel
    assert isinstance(how, Relabel)
    seed = member.seed if how.seed is None else how.seed
    # Targets that are no labels have no largest one; the draw says so.
    numbered = labels.ndim == 1 and not labels.is_floating_point() and len(labels) > 0
    largest = int(labels.max()) if numbered else 0
    return noisy_labels(labels, how.share, how.classes or largest + 1, seed)
