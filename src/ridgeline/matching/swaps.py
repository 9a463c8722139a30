"""By how much a swap of two units changes the overlap, without computing all of it."""

import numpy as np
import torch
from torch import Tensor

from ridgeline.matching.overlap import Overlap
from ridgeline.matching.products import Standing

__all__ = ["Swaps"]


class Swaps:
    """The tensors of b as they are carried, swapped in place, and their overlap with a's.

    Args:
        overlap: Of two states; b starts uncarried.
    """

    def __init__(self, overlap: Overlap) -> None:
        self.overlap = overlap
        self.carried = {name: x.clone() for name, x in overlap.b.items()}
        self._last: tuple[str, int, int, int] | None = None

    def swap(self, name: str, fibre: int, i: int, j: int) -> float:
        """Swap units i and j of a fibre; what the overlap grew by.

        Args:
            name: A group's.
            fibre: Which fibre of the result.
            i: A unit of the result.
            j: Another.
        """
        self._last = name, fibre, i, j
        grown = 0.0
        for tensor in self.overlap.tensors(name):
            standings = [s for s in self.overlap.of[name] if s.place.tensor == tensor]
            if len(standings) == 1:
                grown += self._swap(standings[0], fibre, i, j, measured=True)
                continue
            # Where two places cross, a number is moved twice: the whole tensor is summed.
            a, x = self.overlap.a[tensor], self.carried[tensor]
            before = _dot(a, x)
            for standing in standings:
                self._swap(standing, fibre, i, j, measured=False)
            grown += _dot(a, x) - before
        return grown

    def undo(self) -> None:
        """Swap the last two back."""
        if self._last is None:
            return
        name, fibre, i, j = self._last
        for standing in self.overlap.of[name]:
            self._swap(standing, fibre, i, j, measured=False)
        self._last = None

    def _swap(self, standing: Standing, fibre: int, i: int, j: int, *, measured: bool) -> float:
        place = standing.place
        x, a = self.carried[place.tensor], self.overlap.a[place.tensor]
        here, there = place.index[fibre, i], place.index[fibre, j]
        into = torch.from_numpy(np.concatenate([here, there])).to(x.device)
        out = torch.from_numpy(np.concatenate([there, here])).to(x.device)
        if place.within is None:
            moved = x.index_select(place.axis, out)
            was = x.index_select(place.axis, into)
            x.index_copy_(place.axis, into, moved)
            if not measured:
                return 0.0
            return _dot(a.index_select(place.axis, into), moved - was)
        across, rows = place.within
        at = torch.from_numpy(rows[fibre]).to(x.device)
        part = x.index_select(across, at)
        moved, was = part.index_select(place.axis, out), part.index_select(place.axis, into)
        x.index_copy_(across, at, part.index_copy(place.axis, into, moved))
        if not measured:
            return 0.0
        mine = a.index_select(across, at).index_select(place.axis, into)
        return _dot(mine, moved - was)


def _dot(a: Tensor, b: Tensor) -> float:
    return float((a.double() * b.double()).sum())
