"""Generators of an ensemble of soft trees: the order of trees, turned subtrees, orders of splits.

They are matched together: the best pattern of each pair of trees first, then one assignment of
trees. Offsets of leaves are a generator apart.
"""

from collections.abc import Mapping
from math import lgamma, log

import numpy as np
from torch import Tensor

from ridgeline.symmetry.group import Group
from ridgeline.symmetry.trees.elements import TreeElement, turned
from ridgeline.symmetry.trees.ensemble import Ensemble
from ridgeline.symmetry.trees.moves import Moves, OfTrees, cycled, half_of
from ridgeline.symmetry.trees.offsets import LeafOffsets, centred

__all__ = ["KINDS", "SplittingOrders", "SubtreeFlips", "TreePermutations", "symmetries_of"]


class TreePermutations(Moves):
    """Permutations of whole trees."""

    kind = "soft-trees.permutations"
    label = "permutation"
    part = "permutation"

    @property
    def units(self) -> int:
        """The trees."""
        return self.ensemble.trees

    @property
    def elements(self) -> float:
        """The natural logarithm of the number of orders of trees."""
        return lgamma(self.ensemble.trees + 1)

    def random(self, seed: int) -> TreeElement:
        """A uniformly random order."""
        return self.by(trees=self.draws(seed).permutation(self.ensemble.trees))

    def moving(self, seed: int, turn: int, fibres: np.ndarray | None = None) -> TreeElement:
        """A cycle through all trees, or the same with two neighbours exchanged."""
        if fibres is not None and not fibres.any():
            return self.identity()
        path = self.draws(seed).permutation(self.ensemble.trees)
        return self.by(trees=cycled(path[None], turn)[0])

    def contains(self, group: Group) -> bool:
        """True of units that are the trees themselves, first axis of all of their tensors."""
        places = {(p.tensor, p.axis) for p in group.places}
        return places == {(n, 0) for n in self.ensemble.tensors} and group.fibres == 1

    def canonical(self, state: Mapping[str, Tensor]) -> TreeElement:
        """Trees in falling order of the norm of their splits, then of their centred leaves."""
        own = half_of(self.ensemble, state)
        leaves = own.leaves if self.ensemble.kind == "modified-list" else centred(own.leaves)
        norms = [np.round(x.flatten(1).norm(dim=1).numpy(), 9) for x in (leaves, own.splits)]
        return self.by(trees=np.lexsort([-n for n in norms]))

    def words(self) -> str:
        """The number of trees."""
        return f"permutations of {self.ensemble}"


class SubtreeFlips(Moves):
    """Splits turned round, with the subtrees below exchanged: sigmoid(-z) is 1 - sigmoid(z).

    A split of an oblivious tree is shared by all nodes of its depth, which turn together; of a
    list the last one may turn, and of a modified list none.
    """

    kind = "soft-trees.flips"
    label = "flips"
    part = "flips"

    @property
    def fibres(self) -> int:
        """The nodes that may turn, of all trees."""
        return self.ensemble.trees * int(self.ensemble.flippable.sum())

    @property
    def elements(self) -> float:
        """The natural logarithm of 2 to the number of nodes that may turn."""
        return self.fibres * log(2)

    def random(self, seed: int) -> TreeElement:
        """Each node turned or not, by a fair coin."""
        return self._turning(self.draws(seed).random(self.fibres) < 0.5)

    def moving(self, seed: int, turn: int, fibres: np.ndarray | None = None) -> TreeElement:
        """All nodes turned, or some of them."""
        which = np.ones(self.fibres, bool)
        if turn:
            which = self.draws(seed).random(self.fibres) < 0.5
            which[0] |= not which.any()
        return self._turning(which if fibres is None else which & fibres)

    def canonical(self, state: Mapping[str, Tensor]) -> TreeElement:
        """The largest number of each split that may turn is positive."""
        splits = self.ensemble.splits(state)
        largest = splits.gather(2, splits.abs().argmax(2, keepdim=True))[..., 0]
        wanted = (largest < 0).numpy() & self.ensemble.flippable
        if self.ensemble.kind != "perfect":
            return self.by(flips=wanted)
        flips = np.zeros_like(wanted)  # the sign of what comes to stand there, from the root down
        for depth in range(self.ensemble.depth):
            at = turned(self.ensemble, flips).nodes
            level = slice(2**depth - 1, 2 ** (depth + 1) - 1)
            flips[:, level] = np.take_along_axis(wanted, at, 1)[:, level]
        return self.by(flips=flips)

    def words(self) -> str:
        """The number of splits."""
        return f"signs of {self.fibres} splits, with their subtrees exchanged"

    def _turning(self, which: np.ndarray) -> TreeElement:
        flips = np.zeros((self.ensemble.trees, self.ensemble.nodes), bool)
        flips[:, self.ensemble.flippable] = which.reshape(self.ensemble.trees, -1)
        return self.by(flips=flips)


class SplittingOrders(Moves):
    """Orders of the splits of oblivious trees, with the bits of the leaves' numbers."""

    kind = "soft-trees.orders"
    label = "orders"
    part = "orders"

    @property
    def fibres(self) -> int:
        """The trees."""
        return self.ensemble.trees

    @property
    def units(self) -> int:
        """The splits of all trees."""
        return self.ensemble.trees * self.ensemble.nodes

    @property
    def elements(self) -> float:
        """The natural logarithm of the number of orders."""
        return self.ensemble.trees * lgamma(self.ensemble.depth + 1)

    def random(self, seed: int) -> TreeElement:
        """A uniformly random order of the splits of each tree."""
        still = np.tile(np.arange(self.ensemble.depth), (self.ensemble.trees, 1))
        return self.by(orders=self.draws(seed).permuted(still, axis=1))

    def moving(self, seed: int, turn: int, fibres: np.ndarray | None = None) -> TreeElement:
        """A cycle through all depths of each tree, or the same with two neighbours exchanged."""
        still = np.tile(np.arange(self.ensemble.depth), (self.ensemble.trees, 1))
        orders = cycled(self.draws(seed).permuted(still, axis=1), turn)
        return self.by(
            orders=orders if fibres is None else np.where(fibres[:, None], orders, still)
        )

    def canonical(self, state: Mapping[str, Tensor]) -> TreeElement:
        """Splits in falling order of norm."""
        norms = np.round(self.ensemble.splits(state).norm(dim=2).numpy(), 9)
        return self.by(orders=np.argsort(-norms, 1, kind="stable"))

    def words(self) -> str:
        """The number of trees, and of splits in each."""
        return f"orders of {self.ensemble.trees} x {self.ensemble.depth} splits"


KINDS: tuple[type[OfTrees], ...] = (
    SplittingOrders,
    SubtreeFlips,
    TreePermutations,
    LeafOffsets,
)
"""Generators of soft trees that are read from a file without being given."""


def symmetries_of(ensemble: Ensemble, outputs: int) -> tuple[OfTrees, ...]:
    """All generators of an ensemble, inner ones first.

    Those but the last are the whole discrete symmetry: of signed permutations of splits, each with
    every permutation of leaves, no other leaves the function as it is (checked by trying all
    of trees up to depth 3). The last are offsets of leaves, where there is more than one tree.

    Args:
        ensemble: The trees.
        outputs: Numbers in a leaf.
    """
    found: list[OfTrees] = []
    if ensemble.kind == "oblivious" and ensemble.depth > 1:
        found.append(SplittingOrders(ensemble))
    if ensemble.flippable.any():
        found.append(SubtreeFlips(ensemble))
    if ensemble.trees > 1:
        found.append(TreePermutations(ensemble))
        if ensemble.kind != "modified-list":
            found.append(LeafOffsets(ensemble, outputs))
    return tuple(found)
