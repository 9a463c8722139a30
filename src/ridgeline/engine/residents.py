"""The one working copy of a state, moved from position to position in place."""

from collections.abc import Iterable, Mapping
from typing import Protocol

import torch
from torch import Tensor

from ridgeline.objective import Objective
from ridgeline.paths import Combination
from ridgeline.state import is_continuous, matching

__all__ = ["Overrides", "Positioned", "Resident", "gather_statistics"]


class Positioned(Protocol):
    """One tensor at K positions: a tensor of shape (K, ...), or what forms one when asked."""

    def __getitem__(self, k: int, /) -> Tensor: ...


Overrides = Mapping[str, Positioned]
"""Name to what replaces the combination's tensor at each position, such as statistics."""


class Resident:
    """Tensors of the network at one position at a time.

    Tensors that stand still are the basis' own where type and place allow. Those that move have
    one buffer each, written by a fused lerp; nothing is allocated after construction.

    Args:
        objective: Gives names, device and dtype.
        combination: The positions.
        overrides: Recomputed statistics and repaired tensors, which replace the combination's.
    """

    def __init__(
        self, objective: Objective, combination: Combination, overrides: Overrides
    ) -> None:
        self.combination, self.overrides = combination, overrides
        self.device, self.dtype = objective.device, objective.dtype
        names = objective.network.tensors
        self.moving = [n for n in names if n in combination.moving or n in overrides]
        self.tensors: dict[str, Tensor] = {}
        for name in names:
            x = combination.tensor(name, 0)
            dtype = matching(self.dtype, x) or x.dtype
            if name in self.moving:
                self.tensors[name] = torch.empty(x.shape, dtype=dtype, device=self.device)
            else:
                self.tensors[name] = x.to(device=self.device, dtype=dtype)

    def move(self, k: int, names: Iterable[str] | None = None) -> dict[str, Tensor]:
        """Bring tensors to position k.

        Args:
            k: Which position.
            names: Moving tensors to bring; all by default.

        Returns:
            The working tensors, valid until the next move.
        """
        for name in self.moving if names is None else names:
            self.write(name, k, self.tensors[name])
        return self.tensors

    def write(self, name: str, k: int, out: Tensor) -> None:
        """Write one moving tensor at position k."""
        if name in self.overrides:
            out.copy_(self.overrides[name][k])
        elif is_continuous(out):
            self.combination.write(name, k, out)
        else:
            out.copy_(self.combination.tensor(name, k))

    def stack(self, names: Iterable[str], positions: Iterable[int]) -> dict[str, Tensor]:
        """Moving tensors at several positions, stacked along a new first axis."""
        at = list(positions)
        stacked: dict[str, Tensor] = {}
        for name in names:
            like = self.tensors[name]
            stacked[name] = like.new_empty((len(at), *like.shape))
            for row, k in enumerate(at):
                self.write(name, k, stacked[name][row])
        return stacked


def gather_statistics(
    objective: Objective, combination: Combination, overrides: Overrides | None = None
) -> dict[str, Tensor]:
    """Normalisation statistics at every position, as the objective's policy sets them.

    Args:
        objective: Gives policy and calibration data.
        combination: The positions.
        overrides: What replaces the combination's tensors.

    Returns:
        Name to a tensor of shape (K, ...); empty if the policy keeps the states' own.
    """
    if objective.calibration is None:
        return {}
    resident = Resident(objective, combination, overrides or {})
    found: list[dict[str, Tensor]] = []
    with objective.computing():
        for k in range(len(combination)):
            found.append(objective.recomputed(resident.move(k)))
    return {name: torch.stack([f[name] for f in found]) for name in found[0]}
