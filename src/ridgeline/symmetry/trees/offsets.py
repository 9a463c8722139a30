"""Offsets of leaves: what is added to all leaves of one tree is taken from those of others.

Shares of a sample in the leaves of a tree sum to 1, but in modified lists, one leaf of which is
empty. ``(trees - 1) outputs`` directions in which the function does not change [derived].
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.rng import seed_of
from ridgeline.symmetry.transform import Acting
from ridgeline.symmetry.trees.ensemble import Ensemble
from ridgeline.symmetry.trees.moves import OfTrees

__all__ = ["LeafOffsets", "Offset", "centred"]


@dataclass(frozen=True, eq=False)
class Offset:
    """Adds a number to all leaves of a tree, for each tree and output.

    Args:
        group: Its generator.
        ensemble: The trees.
        added: Shape (trees, outputs) in float64; sums over trees are zero.

    Raises:
        UsageError: If they are not.
    """

    group: Acting
    ensemble: Ensemble
    added: Tensor

    def __post_init__(self) -> None:
        total = float(self.added.sum(0).abs().max()) if self.added.numel() else 0.0
        if not total <= 1e-9 * (1 + float(self.added.abs().sum())):
            raise UsageError("Offsets of leaves sum to zero over trees.", got=f"{total:.3g}")

    @property
    def how(self) -> tuple[str, ...]:
        """In words, for the record of an alignment."""
        most = float(self.added.abs().max()) if self.added.numel() else 0.0
        return (f"leaves shifted by up to {most:.3g}",) if most else ()

    def changed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The leaves as they are afterwards."""
        x = state[self.ensemble.leaves]
        made = x.double() + self.added[:, None].to(x.device)
        return {self.ensemble.leaves: made.to(x.dtype)}

    def inverse(self) -> "Offset":
        """The offsets back."""
        return Offset(self.group, self.ensemble, -self.added)

    def after(self, first: "Offset") -> "Offset | None":
        """Both in one; None if the other is of other trees."""
        if first.ensemble != self.ensemble:
            return None
        return Offset(self.group, self.ensemble, self.added + first.added)


def centred(leaves: Tensor) -> Tensor:
    """Leaves less their mean in each tree; shape (trees, leaves, outputs)."""
    return leaves - leaves.mean(1, keepdim=True)


@dataclass(frozen=True, eq=False)
class LeafOffsets(OfTrees):
    """Numbers that are added to all leaves of one tree and taken from those of others.

    Args:
        ensemble: The trees.
        outputs: Numbers in a leaf, each of which has offsets of its own.
    """

    outputs: int = 1

    kind = "soft-trees.offsets"
    label = "offsets"

    @property
    def units(self) -> int:
        """The trees."""
        return self.ensemble.trees

    def tensors(self) -> Iterator[str]:
        """The leaves."""
        yield self.ensemble.leaves

    def identity(self) -> Offset:
        """Offsets of zero."""
        return Offset(self, self.ensemble, torch.zeros(self._shape, dtype=torch.float64))

    def random(self, seed: int) -> Offset:
        """Normal numbers, less their mean over trees."""
        return self._by(np.random.default_rng(seed_of(seed, "symmetry", self.name)))

    def moving(self, seed: int, turn: int, fibres: np.ndarray | None = None) -> Offset:
        """Other numbers at each turn."""
        if fibres is not None and not fibres.any():
            return self.identity()
        return self._by(np.random.default_rng(seed_of(seed, "symmetry", self.name, turn)))

    def best(self, a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> Offset:
        """The offsets that bring the leaves of b nearest to those of a.

        Their inner product grows without bound along an offset; the distance has one minimum.
        """
        away = (self.ensemble.outputs(a) - self.ensemble.outputs(b)).mean(1)
        return Offset(self, self.ensemble, away - away.mean(0))

    def canonical(self, state: Mapping[str, Tensor]) -> Offset:
        """Leaves of the same mean in every tree."""
        means = self.ensemble.outputs(state).mean(1)
        return Offset(self, self.ensemble, means.mean(0) - means)

    def plain(self) -> Mapping[str, Any]:
        """The ensemble and the number of outputs."""
        return {**super().plain(), "outputs": self.outputs}

    @classmethod
    def given(cls, tree: Mapping[str, Any]) -> Self:
        """The generator that was written."""
        return cls(Ensemble(**tree["ensemble"]), int(tree["outputs"]))

    def words(self) -> str:
        """The number of trees."""
        return f"offsets of the leaves of {self.ensemble.trees} trees"

    @property
    def _shape(self) -> tuple[int, int]:
        return self.ensemble.trees, self.outputs

    def _by(self, draws: np.random.Generator) -> Offset:
        drawn = torch.from_numpy(draws.normal(size=self._shape))
        return Offset(self, self.ensemble, drawn - drawn.mean(0))
