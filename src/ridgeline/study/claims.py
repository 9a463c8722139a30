"""Claims: sentences of papers, each with a test on measured numbers and a computed verdict.

A test is declared with its threshold and direction before anything is measured. Its verdict is

- *holds* if the whole interval is on the claimed side of the threshold,
- *fails* if the whole interval is on the other side,
- *undecided* if the interval straddles it, or there are fewer cases than the test needs.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ridgeline.frame import Asked, Frame
from ridgeline.frame.demands import Measured, Outcome
from ridgeline.frame.intervals import CONFIDENCE

__all__ = ["Claim", "Verdict"]


@dataclass(frozen=True)
class Claim:
    """A sentence of a paper with a test."""

    id: str
    """As in the specification's table, with a letter for each of several: ``W2a``."""
    text: str
    """The paper's sentence in our words."""
    place: str
    """Where the paper says it."""
    test: Asked
    """A question to the measured rows, with its threshold."""
    source: Literal["paper", "derived", "memory"] = "paper"
    """How sure it is that the paper says so: read in it or its code, derived here, or recalled."""

    def decide(self, rows: Frame, scale: str) -> "Verdict":
        """Ask the test.

        Args:
            rows: That were measured.
            scale: What the numbers were measured at.
        """
        return Verdict(self, self.test.decide(rows), scale)


@dataclass(frozen=True)
class Verdict:
    """Verdict on a claim."""

    claim: Claim
    measured: Measured
    scale: str

    @property
    def outcome(self) -> Outcome:
        """Holds, fails or undecided."""
        return self.measured.outcome

    def row(self) -> dict[str, Any]:
        """As one flat record of JSON values; null where a number is not finite."""
        m = self.measured
        numbers = {"estimate": m.estimate, "low": m.low, "high": m.high}
        return {
            "claim": self.claim.id,
            "text": self.claim.text,
            "place": self.claim.place,
            "source": self.claim.source,
            "test": self.claim.test.words,
            "verdict": m.outcome,
            **{k: float(v) if np.isfinite(v) else None for k, v in numbers.items()},
            "confidence": CONFIDENCE,
            "n": m.n,
            "why": m.why,
            "scale": self.scale,
        }
