"""State of an elastic band after each of its cycles."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import torch
from torch import Tensor

__all__ = ["BandCycle", "read", "written"]

SPIKES = 2
"""At most: one in the first segment and one in the last."""
NONE = -1.0
"""In the place of one that is not there."""


@dataclass(frozen=True, kw_only=True)
class BandCycle:
    """State of a band after a cycle."""

    cycle: int
    """From 1; 0 is the straight line."""
    steps: int
    """Taken in all until then."""
    pivots: int
    """That moved, without the ends."""
    maximum: float
    """Of the loss at the rows and the positions between them."""
    at: float
    """Position of the maximum by arc length."""
    ends: float
    """The larger loss of the two ends."""
    stretch: float
    """Length of the band over the straight distance of its ends."""
    inserted: int = 0
    """Pivots put in after it."""
    spikes: tuple[float, ...] = ()
    """Positions of maxima inside the first or the last segment, above both of its rows by more than
    the threshold."""


def written(history: Sequence[BandCycle]) -> Tensor:
    """A history as numbers, for snapshots; the inverse of `read`."""
    rows = []
    for noted in history:
        *numbers, spikes = astuple(noted)
        rows.append([*map(float, numbers), *spikes, *[NONE] * (SPIKES - len(spikes))])
    return torch.tensor(rows, dtype=torch.float64)


def read(numbers: Tensor) -> list[BandCycle]:
    """The history that numbers are of."""
    found = []
    for row in numbers.tolist():
        cycle, steps, pivots, maximum, at, ends, stretch, inserted, *spikes = row
        found.append(
            BandCycle(
                cycle=int(cycle),
                steps=int(steps),
                pivots=int(pivots),
                maximum=maximum,
                at=at,
                ends=ends,
                stretch=stretch,
                inserted=int(inserted),
                spikes=tuple(t for t in spikes if t != NONE),
            )
        )
    return found
