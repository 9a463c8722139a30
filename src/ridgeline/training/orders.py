"""Which samples stand in which batch, and what is done to them.

Both are pure functions of a member's seed and its clock, so that a run goes on after a kill as
if nothing had happened.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ridgeline.data.augment import random_crop, random_flip
from ridgeline.rng import stream
from ridgeline.training.recipe import Augment
from ridgeline.training.runs import Member

__all__ = ["Orders", "augmented"]


class Orders:
    """The order of samples of every member, an epoch at a time.

    Args:
        members: In the order of the stack's rows.
        samples: How many the data have.
        batch_size: Of a step.
        device: Where indices are needed.
    """

    def __init__(
        self, members: Sequence[Member], samples: int, batch_size: int, device: torch.device
    ) -> None:
        self.members, self.batch_size, self.device = list(members), batch_size, device
        self.samples = samples if members[0].rows is None else len(members[0].rows)
        """Of an epoch."""
        self.per_epoch = math.ceil(self.samples / batch_size)
        """Steps of an epoch."""
        self._epoch, self._order = -1, torch.empty(0)

    def at(self, step: int) -> Tensor:
        """The samples of one step, (K, B), int64."""
        epoch, batch = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            of_members = []
            for member in self.members:
                order = torch.randperm(self.samples, generator=stream(member.seed, "order", epoch))
                of_members.append(order if member.rows is None else member.rows[order])
            self._epoch, self._order = epoch, torch.stack(of_members).to(self.device)
        return self._order[:, batch * self.batch_size : (batch + 1) * self.batch_size]

    def planned(self, step: int, start: int, end: int) -> int:
        """Return how many steps from `start` to `end` have as many samples as this one."""
        if self.samples % self.batch_size == 0:
            return end - start
        short = end // self.per_epoch - start // self.per_epoch
        return short if step % self.per_epoch == self.per_epoch - 1 else end - start - short

    def select(self, rows: Sequence[int]) -> None:
        """Keep some members only, in this order."""
        self.members, self._epoch = [self.members[row] for row in rows], -1


def augmented(x: Tensor, how: Augment, seeds: Sequence[int], step: int) -> Tensor:
    """A batch of every member, changed by draws of the member's own.

    Args:
        x: (K, B, ...); images are (K, B, C, H, W).
        how: What is done.
        seeds: Of the members.
        step: Of the clock.

    Returns:
        New inputs of the same shape.
    """
    done = []
    for batch, seed in zip(x, seeds, strict=True):
        draws, changed = stream(seed, "augment", step), batch
        if how.crop:
            mode = "reflect" if how.reflect else "zero"
            changed = random_crop(changed, how.crop, generator=draws, mode=mode)
        if how.flip:
            changed = random_flip(changed, generator=draws)
        if how.noise:
            noise = torch.randn(batch.shape, generator=draws, dtype=batch.dtype)
            changed = changed + how.noise * noise.to(batch.device)
        done.append(changed)
    return torch.stack(done)
