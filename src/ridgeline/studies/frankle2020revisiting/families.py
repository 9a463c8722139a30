"""Lines from the states of training to its end, and the barriers on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ridgeline.errors import UsageError
from ridgeline.profiles import Profile

__all__ = ["EARLY", "Family", "barrier"]

EARLY = 0.1
"""Share of training that is its beginning. A barrier from a state kept within it came quickly."""


def barrier(profile: Profile) -> float:
    """Return how far the training loss on a line rises over the worse of its ends, in nats."""
    return profile.barrier("max").height


@dataclass(frozen=True)
class Family:
    """Lines to the solution from the states of the runs of one network."""

    lines: Mapping[int, Sequence[Profile]]
    """Step to the profiles from there, one a run; steps in order, the last of training left out."""
    length: int
    """Steps of training."""
    seeds: Sequence[int]
    """Of the runs."""

    def barriers(self, step: int) -> list[float]:
        """From the state after a step, by run."""
        return [barrier(p) for p in self.lines[step]]

    def peak(self) -> list[float]:
        """The highest barrier from any state after the start, by run: too high rather than low.

        Raises:
            UsageError: If no state was kept on the way.
        """
        later = [step for step in self.lines if step]
        if not later:
            raise _nothing("on the way", self)
        return np.max([self.barriers(step) for step in later], axis=0).tolist()

    def early(self) -> int:
        """The last step after the start that is within the first tenth of training.

        Raises:
            UsageError: If no state was kept there.
        """
        within = [step for step in self.lines if 0 < step <= EARLY * self.length * (1 + 1e-9)]
        if not within:
            raise _nothing("within the first tenth of training", self)
        return within[-1]

    def gained(self) -> dict[str, Sequence[Any]]:
        """Barriers from the early state, and from the start of the same runs."""
        sides = {"more": self.barriers(self.early()), "less": self.barriers(0)}
        return {**sides, "more_group": self.seeds, "less_group": self.seeds}


def _nothing(where: str, family: Family) -> UsageError:
    return UsageError(
        f"Lines from later states begin at a state that was kept {where}.",
        got=f"states after {', '.join(map(str, family.lines))} of {family.length} steps",
        remedy='Keep some in the population: training.keep = { at = ["1ep", "4ep"] }.',
    )
