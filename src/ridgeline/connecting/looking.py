"""The largest loss along paths, measured now and then while they are trained."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ridgeline.objective import Objective
from ridgeline.paths import Path
from ridgeline.profiles import profile
from ridgeline.rng import stream

__all__ = ["Look", "Watch"]

POINTS = 17
"""Positions on each path."""


@dataclass(frozen=True)
class Look:
    """The largest loss along the paths at one moment."""

    step: int
    """Steps taken before it."""
    maximum: float
    """The largest mean loss, on the samples that are watched; NaN if a loss is not finite."""
    at: float
    """Position of it on its path."""
    path: int = 0
    """Number of the path that has it."""
    ends: float = float("nan")
    """The larger loss of the two ends of that path."""

    @property
    def numbers(self) -> tuple[float, ...]:
        """The fields, as plain numbers."""
        return (self.step, self.maximum, self.at, self.path, self.ends)

    @classmethod
    def of(cls, numbers: Sequence[float]) -> "Look":
        """The look that has these numbers."""
        step, maximum, at, path, ends = numbers
        return cls(int(step), maximum, at, int(path), ends)


class Watch:
    """An objective on some of its samples.

    Args:
        objective: Left as it is.
        count: Samples; all of them if there are fewer.
        seed: Names the draw.
    """

    def __init__(self, objective: Objective, count: int, seed: int) -> None:
        self.objective = objective
        if count < len(objective):
            draws = stream(seed, "points of a path", "watched")
            some = torch.randperm(len(objective), generator=draws)[:count].sort().values
            made = copy.copy(objective)
            made.samples = objective.samples[some.to(objective.device)]
            made.traces = {}
            vars(made).pop("_fingerprint", None)
            self.objective = made.calibrated(made.samples)

    def look(self, paths: Sequence[Path], step: int) -> Look:
        """Measure the loss along paths.

        Args:
            paths: Where.
            step: Steps taken before.
        """
        found: list[Look] = []
        for number, path in enumerate(paths):
            measured = profile(path, self.objective, points=POINTS, strategy="loop")
            mean = measured.curve().mean
            if not np.isfinite(mean).all():
                return Look(step, float("nan"), float("nan"), number)
            k = int(np.argmax(mean))
            ends = max(float(mean[0]), float(mean[-1]))
            found.append(Look(step, float(mean[k]), float(measured.t[k]), number, ends))
        return max(found, key=lambda look: look.maximum)
