"""Moves of trees, subtrees and splits of an ensemble, and several of them as one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ridgeline.rng import seed_of
from ridgeline.symmetry.generator import Generator
from ridgeline.symmetry.trees.elements import Patterns, TreeElement, turned
from ridgeline.symmetry.trees.ensemble import Ensemble
from ridgeline.symmetry.trees.fits import Half, fit

__all__ = ["Moves", "OfTrees", "TreeMoves", "cycled", "half_of", "placed"]


@dataclass(frozen=True, eq=False)
class OfTrees(Generator):
    """A generator of an ensemble.

    Args:
        ensemble: The trees.
    """

    ensemble: Ensemble

    label: ClassVar[str] = ""

    @property
    def name(self) -> str:
        """The same for every ensemble; within a network the module's name stands before it."""
        return self.label

    def tensors(self) -> Iterator[str]:
        """Weights and biases of splits, and leaves."""
        yield from self.ensemble.tensors

    def plain(self) -> Mapping[str, Any]:
        """The ensemble."""
        return {"ensemble": self.ensemble.plain()}

    @classmethod
    def given(cls, tree: Mapping[str, Any]) -> Self:
        """The generator of an ensemble that was written."""
        return cls(Ensemble(**tree["ensemble"]))


class Moves(OfTrees):
    """Base of what puts trees, subtrees or splits elsewhere."""

    part: ClassVar[str] = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """Kinds that act: ``"permutation"``, ``"flips"``, ``"orders"``."""
        return (self.part,)

    def identity(self) -> TreeElement:
        """The element that changes nothing."""
        return self.by()

    def by(
        self,
        *,
        trees: np.ndarray | None = None,
        flips: np.ndarray | None = None,
        orders: np.ndarray | None = None,
    ) -> TreeElement:
        """The element of given patterns, then of a given order of trees.

        Args:
            trees: Shape (trees,): which tree comes to each place; all stay by default.
            flips: As `turned` takes them, by the tree before it is moved; none by default.
            orders: As `turned` takes them; as they are by default.
        """
        e = self.ensemble
        flips = np.zeros((e.trees, e.nodes), bool) if flips is None else flips
        trees = np.arange(e.trees) if trees is None else trees
        return TreeElement(self, e, turned(e, flips, orders), trees)

    def draws(self, seed: int) -> np.random.Generator:
        """The stream of a seed."""
        return np.random.default_rng(seed_of(seed, "symmetry", self.name))

    def best(self, a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> TreeElement:
        """The best pattern of each pair of trees, and the best assignment of trees by them.

        Exact, but for orders of splits beyond depth 5.
        """
        e = self.ensemble
        found = fit(e, half_of(e, a), half_of(e, b), over=self.parts)
        order = np.arange(e.trees)
        if "permutation" in self.parts:
            order = linear_sum_assignment(-found.values)[1]
        return placed(self, found.chosen(order), order)

    def joined(self, others: Sequence[Generator]) -> "TreeMoves | None":
        """All generators of these trees as one, whose best element is the best of all together."""
        mine = [g for g in others if isinstance(g, Moves) and g.ensemble == self.ensemble]
        if not mine or len(mine) != len(others):
            return None
        each = (g.each if isinstance(g, TreeMoves) else (g,) for g in (self, *mine))
        return TreeMoves(self.ensemble, tuple(g for several in each for g in several))


@dataclass(frozen=True, eq=False)
class TreeMoves(Moves):
    """Several generators of an ensemble as one, for the best element of all together.

    Args:
        ensemble: The trees.
        each: The generators, in the order in which they act.
    """

    each: tuple[Moves, ...] = ()

    label = "trees"

    @property
    def parts(self) -> tuple[str, ...]:
        """Those of its generators."""
        return tuple(part for g in self.each for part in g.parts)

    @property
    def elements(self) -> float:
        """The natural logarithm of the number of products of their elements."""
        return sum(g.elements for g in self.each)

    @property
    def units(self) -> int:
        """Things that its generators move."""
        return sum(g.units for g in self.each)

    def random(self, seed: int) -> TreeElement:
        """A random element of each, one after the other."""
        return self._together([g.random(seed) for g in self.each])

    def moving(self, seed: int, turn: int, fibres: np.ndarray | None = None) -> TreeElement:
        """All that its generators move."""
        if fibres is not None and not fibres.any():
            return self.identity()
        return self._together([g.moving(seed, turn) for g in self.each])

    def words(self) -> str:
        """Those of its generators."""
        return "; ".join(g.words() for g in self.each)

    def _together(self, actions: Sequence[Any]) -> TreeElement:
        found = self.identity()
        for action in actions:
            found = action.after(found)
        return TreeElement(self, self.ensemble, found.patterns, found.trees)


def placed(group: Moves, patterns: Patterns, order: np.ndarray) -> TreeElement:
    """The element whose patterns are given by the place to which each tree comes.

    Args:
        group: Of the element.
        patterns: By place.
        order: Which tree comes to each place.
    """
    return TreeElement(group, group.ensemble, patterns[np.argsort(order)], order)


def half_of(ensemble: Ensemble, state: Mapping[str, Tensor]) -> Half:
    """The numbers of an ensemble in a state."""
    return Half(ensemble.splits(state), ensemble.outputs(state))


def cycled(path: np.ndarray, turn: int) -> np.ndarray:
    """Cycles through paths, shape (paths, units); the second time with two neighbours exchanged."""
    found = np.empty_like(path)
    np.put_along_axis(found, path, np.roll(path, -1, axis=1), axis=1)
    if turn and path.shape[1] > 2:
        rows, one, other = np.arange(len(path)), path[:, 0], path[:, 1]
        found[rows, one], found[rows, other] = found[rows, other], found[rows, one]
    return found
