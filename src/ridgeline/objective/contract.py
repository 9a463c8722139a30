"""The parts of an objective that are read while it is made and when it is told of."""

from collections.abc import Sized
from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch

from ridgeline.graph import Network
from ridgeline.objective.criteria import Criterion
from ridgeline.objective.samples import Samples

__all__ = ["Described", "Questioned"]


class Questioned(Sized, Protocol):
    """An `Objective` before it was asked: a network, samples and policies."""

    network: Network
    samples: Samples
    device: torch.device
    dtype: torch.dtype
    weights: Any
    normalisers: list[str]
    calibration: Samples | None
    calibration_rows: int

    def computing(self) -> AbstractContextManager[None]:
        """No gradients, and the precision that was asked for."""
        ...

    def counted(self, name: str, found: Any) -> Any:
        """Return what was found of a metric, if it is of one sample at least."""
        ...


class Described(Questioned, Protocol):
    """An `Objective` afterwards: with metrics, and with what must be known to read them."""

    autocast: torch.dtype | None
    statistics: Any
    metrics: dict[str, Criterion]
    left_out: int
    reconstructs: bool
    calibration_data: Samples | None
    calibrated_on: str
    kept_statistics: dict[str, str]
    taken_on_trust: tuple[str, ...]

    @property
    def keeps_statistics(self) -> bool:
        """True if a layer of the network has running statistics."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks that must be read with the numbers, in sentences."""
        ...
