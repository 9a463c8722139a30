"""Recipes of training: everything but the network, the data and the seed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from ridgeline.errors import UnknownName, UsageError
from ridgeline.objective.names import ALSO
from ridgeline.training.durations import Duration
from ridgeline.training.optimisers import SGD, Optimiser
from ridgeline.training.penalties import L1, Radius
from ridgeline.training.schedules import Constant, Schedule

__all__ = ["EMA", "LOSSES", "SWA", "Augment", "Keep", "Recipe", "Relabel"]

LOSSES = ("cross_entropy", "squared_error", "binary_cross_entropy")
"""Losses that a recipe may name: those of `ridgeline.objective`, per sample and then averaged."""


@dataclass(frozen=True, kw_only=True)
class Keep:
    """Snapshots: the states of a run that are kept, besides the first and the last."""

    at: tuple[str, ...] = ()
    """Durations from the start."""
    every: str | None = None
    """A duration: a state each time it has passed."""
    geometric: int = 0
    """So many states at steps that grow by one factor, from step 1 to the last."""
    spawn: tuple[str, ...] = ()
    """Durations at which the state is kept with the optimiser's slots, for children to go on."""

    def __post_init__(self) -> None:
        for name in ("at", "spawn"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for time in (*self.at, *self.spawn, *([self.every] if self.every else [])):
            Duration.parse(time)
        if self.every is not None and Duration.parse(self.every) == Duration():
            raise UsageError("`every` is at least one step.", got=repr(self.every))
        if self.geometric < 0 or self.geometric == 1:
            raise UsageError(
                "`geometric` is 0, or a number of states from 2.", got=str(self.geometric)
            )

    def steps(self, total: int, per_epoch: int) -> list[int]:
        """The steps after which a state is kept, in order; 0 and `total` among them.

        Args:
            total: Steps planned.
            per_epoch: Steps of an epoch.

        Raises:
            UsageError: If a time lies beyond the end.
        """
        named = [Duration.parse(time).count(per_epoch) for time in (*self.at, *self.spawn)]
        if outside := sorted(step for step in named if step > total):
            raise UsageError(
                f"A state can be kept from step 0 to {total}, the last of this run.",
                got=", ".join(map(str, outside[:10])),
                remedy="Leave these out, or train for longer.",
            )
        kept = {0, total, *named}
        if self.every is not None:
            kept |= set(range(0, total, Duration.parse(self.every).count(per_epoch)))
        if self.geometric and total:
            ratio = total ** (1 / (self.geometric - 1))
            kept |= {min(total, round(ratio**i)) for i in range(self.geometric)}
        return sorted(kept)


@dataclass(frozen=True, kw_only=True)
class EMA:
    """An exponential moving average of the weights, taken after every step.

    average <- decay average + (1 - decay) weights, from the first weights on, without correction.
    """

    kind: Literal["ema"] = "ema"
    decay: float = 0.999

    def __post_init__(self) -> None:
        if not 0 <= self.decay < 1:
            raise UsageError("`decay` must be at least 0 and below 1.", got=str(self.decay))


@dataclass(frozen=True, kw_only=True)
class SWA:
    """The plain mean of the weights at regular times (Izmailov et al. 2018)."""

    kind: Literal["swa"] = "swa"
    start: str = "0it"
    every: str = "1ep"

    def __post_init__(self) -> None:
        Duration.parse(self.start)
        if Duration.parse(self.every) == Duration():
            raise UsageError("A mean is taken every step at most.", got=repr(self.every))


@dataclass(frozen=True, kw_only=True)
class Augment:
    """Augmentation of each batch, every sample with a draw of its own; in this order."""

    crop: int = 0
    """Pixels of padding of a random crop, on each side; images only."""
    reflect: bool = False
    """True if that padding mirrors the image, not zeros."""
    flip: bool = False
    """True if half the images are mirrored left to right."""
    noise: float = 0.0
    """Standard deviation of Gaussian noise, in the units of the inputs."""

    def __post_init__(self) -> None:
        if self.crop < 0 or not 0 <= self.noise < float("inf"):
            raise UsageError(
                "`crop` and `noise` are not negative.", got=f"crop={self.crop}, noise={self.noise}"
            )


@dataclass(frozen=True, kw_only=True)
class Relabel:
    """For a part of training, labels of which each may have been replaced by a uniform one.

    One draw for the whole time, that of `ridgeline.data.corruption.noisy_labels`: at the same seed
    more share keeps what was replaced, and a run that is relabelled throughout is one with so
    much label noise. With `since` this is `corrupt_on_epoch` of the released code of Lucas et
    al. (2021, train_fcnet/train.py), with `until` corruption first and clean labels afterwards.
    """

    share: float
    """Probability with which a training label is replaced, perhaps by itself."""
    since: str = "0it"
    """A duration from the start: steps before it see the labels as they are."""
    until: str | None = None
    """A duration from the start: this step and later ones see them as they are; None for the
    end."""
    seed: int | None = None
    """Seed of the draw; None for the run's seed."""
    classes: int | None = None
    """How many to draw from; None for all that the data have."""

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise UsageError("`share` is a share, from 0 to 1.", got=str(self.share))
        for name, least in (("seed", 0), ("classes", 1)):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or value < least):
                raise UsageError(
                    f"`{name}` is a whole number from {least}, or None.", got=repr(value)
                )
        since = Duration.parse(self.since)
        if self.until is None:
            return
        until = Duration.parse(self.until)
        # Whatever an epoch is: at least one step.
        if until.epochs <= since.epochs and until.count(1) <= since.count(1):
            raise UsageError(
                "`until` is after `since`.", got=f"since={self.since!r}, until={self.until!r}"
            )

    def steps(self, total: int, per_epoch: int) -> range:
        """The steps that see the labels replaced, by how many were taken before them.

        Args:
            total: Steps planned.
            per_epoch: Steps of an epoch.

        Raises:
            UsageError: If a time lies beyond the end, or `until` is not after `since`.
        """
        first = Duration.parse(self.since).count(per_epoch)
        last = total if self.until is None else Duration.parse(self.until).count(per_epoch)
        if not first < last <= total:
            raise UsageError(
                f"Labels are replaced from one step of a run to a later one, up to {total}.",
                got=f"from {first} to {last}",
                remedy="Choose other times, or train for longer.",
            )
        return range(first, last)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Recipe of training: length, batches, update rule and loss, and the states that are kept."""

    length: str
    """A duration: what schedules are laid over, and where training ends."""
    batch_size: int = 128
    """Samples of a step; the last of an epoch has what is left."""
    optimiser: Optimiser = field(default_factory=lambda: SGD(learning_rate=0.1))
    schedule: Schedule = field(default_factory=Constant)
    loss: str | Callable[[Tensor, Tensor], Tensor] = "cross_entropy"
    """One of `LOSSES` (or ``"mse"``, ``"bce"``, ``"ce"``), or your own function of (outputs,
    targets) of one member, or its name ``"module:function"``: a loss of the batch, or of each
    sample, of which the mean is taken."""
    label_smoothing: float = 0.0
    """Share of a target's weight spread over all classes; the loss in the log includes it."""
    clip: float | None = None
    """Largest Euclidean norm of a member's gradient; a longer one is scaled down to it."""
    stop_below: float | None = None
    """Stop after an epoch whose mean training loss, as batches met it, is below this."""
    augment: Augment | None = None
    penalty: Radius | L1 | None = None
    """Added to what is minimised, before any clipping. Every loss in the log and at the end is
    that of the data alone."""
    relabel: Relabel | None = None
    """Other labels for a part of training. What is measured at the end is on the labels as they
    are; the log's `loss` and `error` are on those that the batches had."""
    average: EMA | SWA | None = None
    """A second network, the average of the trajectory, kept as `Run.average`."""
    keep: Keep = field(default_factory=Keep)
    assess: str | None = "1ep"
    """How often the loss and error in evaluation mode are measured on the test split, in whole
    epochs; None for the end alone."""

    def __post_init__(self) -> None:
        if Duration.parse(self.length) == Duration():
            raise UsageError("A run has at least one step.", got=repr(self.length))
        if self.batch_size < 1:
            raise UsageError("`batch_size` must be at least 1.", got=str(self.batch_size))
        if isinstance(self.loss, str):
            object.__setattr__(self, "loss", ALSO.get(self.loss, self.loss))
        if isinstance(self.loss, str) and ":" not in self.loss and self.loss not in LOSSES:
            raise UnknownName(
                "loss of training", self.loss, LOSSES, "Or name one of yours: MOD:FUNC."
            )
        if not 0 <= self.label_smoothing < 1:
            raise UsageError(
                "`label_smoothing` must be at least 0 and below 1.", got=str(self.label_smoothing)
            )
        if self.label_smoothing and self.loss != "cross_entropy":
            raise UsageError("Only the cross entropy is smoothed.", got=f"loss={self.loss!r}")
        for name in ("clip", "stop_below"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise UsageError(f"`{name}` must be positive and finite, or None.", got=str(value))
        if self.assess is not None:
            found = Duration.parse(self.assess)
            if not found.epochs or found.steps:
                raise UsageError("`assess` is a number of whole epochs.", got=repr(self.assess))
