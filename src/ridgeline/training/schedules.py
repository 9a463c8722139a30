"""Schedules of the learning rate: a factor of the optimiser's own rate at every step.

Step `s` of `total` is the one taken after `s` others, so the first has s = 0.
"""

import math
from dataclasses import dataclass
from typing import Literal

from ridgeline.errors import UsageError
from ridgeline.training.durations import Duration

__all__ = [
    "SCHEDULES",
    "Constant",
    "Cosine",
    "Cyclic",
    "HeldThenLinear",
    "Linear",
    "Schedule",
    "Steps",
    "Triangular",
]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Base of all schedules: a linear warm-up, after which the shape begins.

    Warming up, step s of w has the factor (s + 1) / (w + 1): the first step is not lost, and the
    first one after it has the whole rate. The shape is laid over the steps that are left.
    """

    warm_up: str = "0it"
    """A duration."""

    def __post_init__(self) -> None:
        Duration.parse(self.warm_up)
        for name in ("floor", "by"):
            if not 0 <= getattr(self, name, 0.0) < math.inf:
                raise UsageError(
                    f"`{name}` must be finite and not negative.", got=str(getattr(self, name))
                )

    def factor(self, step: int, total: int, per_epoch: int) -> float:
        """Return what the learning rate is multiplied by.

        Args:
            step: Steps taken before this one.
            total: Steps planned.
            per_epoch: Steps of an epoch.
        """
        warm = Duration.parse(self.warm_up).count(per_epoch)
        if step < warm:
            return (step + 1) / (warm + 1)
        return self.shape(step - warm, max(total - warm, 1), per_epoch)

    def shape(self, step: int, total: int, per_epoch: int) -> float:
        """The factor once warm."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Constant(Schedule):
    """The rate stays."""

    kind: Literal["constant"] = "constant"

    def shape(self, step: int, total: int, per_epoch: int) -> float:  # noqa: ARG002 (of the protocol)
        """See `Schedule`."""
        return 1.0


@dataclass(frozen=True, kw_only=True)
class Cosine(Schedule):
    """Half a cosine from 1 to `floor` (Loshchilov & Hutter 2017, without restarts)."""

    kind: Literal["cosine"] = "cosine"
    floor: float = 0.0

    def shape(self, step: int, total: int, per_epoch: int) -> float:  # noqa: ARG002 (of the protocol)
        """See `Schedule`."""
        done = min(step / total, 1.0)
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * done))


@dataclass(frozen=True, kw_only=True)
class Linear(Schedule):
    """A straight line from 1 to `floor`."""

    kind: Literal["linear"] = "linear"
    floor: float = 0.0

    def shape(self, step: int, total: int, per_epoch: int) -> float:  # noqa: ARG002 (of the protocol)
        """See `Schedule`."""
        return 1 + (self.floor - 1) * min(step / total, 1.0)


@dataclass(frozen=True, kw_only=True)
class HeldThenLinear(Schedule):
    """Held at 1, then a straight line to `floor`, then held there (Garipov et al. 2018)."""

    kind: Literal["held-then-linear"] = "held-then-linear"
    until: float = 0.5
    """Share of the run at which the line begins."""
    end: float = 0.9
    """Share at which it ends."""
    floor: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.until < self.end <= 1:
            raise UsageError(
                "`until` and `end` are shares of the run, the first below the second.",
                got=f"until={self.until}, end={self.end}",
            )

    def shape(self, step: int, total: int, per_epoch: int) -> float:  # noqa: ARG002 (of the protocol)
        """See `Schedule`."""
        done = (step / total - self.until) / (self.end - self.until)
        return 1 + (self.floor - 1) * min(max(done, 0.0), 1.0)


@dataclass(frozen=True, kw_only=True)
class Steps(Schedule):
    """Multiplied by `by` at each of the given times, counted from the start of training."""

    kind: Literal["steps"] = "steps"
    at: tuple[str, ...] = ()
    """Durations from the start of the run, the warm-up included."""
    by: float = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", tuple(self.at))
        super().__post_init__()
        for time in self.at:
            Duration.parse(time)

    def shape(self, step: int, total: int, per_epoch: int) -> float:  # noqa: ARG002 (of the protocol)
        """See `Schedule`."""
        step += Duration.parse(self.warm_up).count(per_epoch)
        return self.by ** sum(step >= Duration.parse(time).count(per_epoch) for time in self.at)


@dataclass(frozen=True, kw_only=True)
class Triangular(Schedule):
    """Linearly up to 1 at a share of the run, then linearly down to 0 (as REPAIR trains)."""

    kind: Literal["triangular"] = "triangular"
    peak: float = 0.2
    """Where, as a share of the run."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.peak <= 1:
            raise UsageError("`peak` is a share of the run, from 0 to 1.", got=str(self.peak))

    def shape(self, step: int, total: int, per_epoch: int) -> float:  # noqa: ARG002 (of the protocol)
        """See `Schedule`."""
        top = self.peak * total
        if step < top:
            return (step + 1) / (top + 1)
        return (total - step) / max(total - top, 1.0)


@dataclass(frozen=True, kw_only=True)
class Cyclic(Schedule):
    """Down from 1 to `floor` and up again, once every `every` (Garipov et al. 2018, eq. 6).

    The lowest rate is in the middle of each cycle, where fast geometric ensembling collects.
    """

    kind: Literal["cyclic"] = "cyclic"
    every: str = "4ep"
    floor: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if not any((Duration.parse(self.every).epochs, Duration.parse(self.every).steps)):
            raise UsageError("A cycle takes at least one step.", got=repr(self.every))

    def shape(self, step: int, total: int, per_epoch: int) -> float:  # noqa: ARG002 (of the protocol)
        """See `Schedule`."""
        length = Duration.parse(self.every).count(per_epoch)
        done = (step % length + 1) / length
        return 1 + (self.floor - 1) * (2 * done if done <= 0.5 else 2 - 2 * done)


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "cosine": Cosine,
    "linear": Linear,
    "held-then-linear": HeldThenLinear,
    "steps": Steps,
    "triangular": Triangular,
    "cyclic": Cyclic,
}
"""By the name that a spec gives as `kind`."""
