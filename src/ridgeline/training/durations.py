"""Lengths of training with their units: ``"20ep"``, ``"5000it"``, ``"2ep50it"``."""

import re
from dataclasses import dataclass

from ridgeline.errors import UsageError

__all__ = ["Duration"]

WRITTEN = re.compile(r"(?:(?P<epochs>\d+)ep)?(?:(?P<steps>\d+)it)?")


@dataclass(frozen=True)
class Duration:
    """So many epochs (passes over the data) and then so many iterations (steps).

    Two durations in different units compare only once the steps of an epoch are known, so
    there is no order among them; `count` gives the steps.
    """

    epochs: int = 0
    steps: int = 0

    @classmethod
    def parse(cls, text: "str | Duration") -> "Duration":
        """Read ``"20ep"``, ``"5000it"`` or ``"2ep50it"``; a duration is returned as it is.

        Raises:
            UsageError: If the text is not of this form; a bare number has no unit.
        """
        if isinstance(text, Duration):
            return text
        found = WRITTEN.fullmatch(text.strip()) if isinstance(text, str) else None
        if found is None or not found[0]:
            raise UsageError(
                "A duration has a unit: epochs (ep), iterations (it), or both.",
                got=repr(text),
                remedy='Write "20ep", "5000it" or "2ep50it".',
            )
        return cls(int(found["epochs"] or 0), int(found["steps"] or 0))

    def count(self, per_epoch: int) -> int:
        """In steps.

        Args:
            per_epoch: Steps of an epoch; the last may have fewer samples than the others.
        """
        return self.epochs * per_epoch + self.steps

    def __str__(self) -> str:
        if not self.epochs:
            return f"{self.steps}it"
        return f"{self.epochs}ep" + (f"{self.steps}it" if self.steps else "")
