"""Training of the points of a path."""

from dataclasses import dataclass, field

from ridgeline.errors import UsageError
from ridgeline.training.durations import Duration
from ridgeline.training.optimisers import SGD, Library, Optimiser
from ridgeline.training.schedules import HeldThenLinear, Schedule

__all__ = ["Descent"]


@dataclass(frozen=True, kw_only=True)
class Descent:
    """Descent of the loss at sampled points of a path.

    The schedule is Garipov et al.'s (2018): the rate is held to the middle of the run, falls to a
    hundredth at nine tenths, and stays.

    Raises:
        UsageError: If a number is outside of what it is defined for.
    """

    length: str = "2000it"
    """A duration: steps (``"2000it"``) or passes over the data (``"30ep"``)."""
    batch_size: int = 128
    """Samples of a step; an epoch's rest that fills no batch is left out."""
    positions: int = 1
    """Points of the path in a step, all on one batch."""
    optimiser: Optimiser = field(default_factory=lambda: SGD(learning_rate=0.03, momentum=0.9))
    """Its own weight decay acts on the states that are trained."""
    schedule: Schedule = field(default_factory=HeldThenLinear)
    decay: float = 0.0
    """Weight decay at the sampled point, as in Garipov et al.: half of it times the squared norm
    is added to the loss there."""
    clip: float | None = None
    """Largest Euclidean norm of the gradient of a step, over all states that are trained."""
    looks: int = 10
    """How often in the run the loss along the path is measured, and a snapshot kept."""
    watched: int = 1000
    """Samples that it is measured on."""

    def __post_init__(self) -> None:
        if Duration.parse(self.length) == Duration():
            raise UsageError("A descent has at least one step.", got=f"length={self.length!r}")
        for name in ("batch_size", "positions", "looks", "watched"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise UsageError(f"`{name}` is a whole number from 1.", got=repr(value))
        if not 0 <= self.decay < float("inf"):
            raise UsageError("`decay` is finite and not negative.", got=str(self.decay))
        if self.clip is not None and not 0 < self.clip < float("inf"):
            raise UsageError("`clip` is positive and finite, or None.", got=str(self.clip))
        known = isinstance(self.optimiser, Optimiser) and not isinstance(self.optimiser, Library)
        if not known or self.optimiser.joint:
            raise UsageError(
                "The points of a path are moved by an optimiser of `ridgeline.training`.",
                got=f"{self.optimiser}",
                remedy="Take SGD, Adam, AdamW or RMSProp.",
            )
