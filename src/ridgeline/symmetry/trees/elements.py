"""Elements of the group of an ensemble: a pattern for each tree, then a permutation of trees.

An element ``g = (u, p)`` does ``(g theta)_j = u_p(j) theta_p(j)``: patterns are numbered by the
tree that they are applied to, before trees change places. Two elements compose as

    (v, q) (u, p) = (w, p after q)    with   w_i = v_k u_i,   k the place to which p brings tree i

which is the wreath product of the group of one tree with the permutations of trees. A pattern is a
signed permutation of nodes with a permutation of leaves: node n of the result is node ``nodes[n]``
of before, negated where ``signs[n]`` is -1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import torch
from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.symmetry.transform import Acting
from ridgeline.symmetry.trees.ensemble import Ensemble

__all__ = ["Patterns", "TreeElement", "patterns_of", "turned"]


@dataclass(frozen=True, eq=False)
class Patterns:
    """Patterns of several trees.

    Args:
        nodes: Shape (trees, nodes).
        signs: Shape (trees, nodes), 1 or -1.
        leaves: Shape (trees, leaves).
    """

    nodes: np.ndarray
    signs: np.ndarray
    leaves: np.ndarray

    @classmethod
    def still(cls, ensemble: Ensemble, count: int | None = None) -> "Patterns":
        """Patterns that change nothing, of all trees or of a number of them."""
        n = ensemble.trees if count is None else count
        nodes, leaves = (np.tile(np.arange(k), (n, 1)) for k in (ensemble.nodes, ensemble.ends))
        return cls(nodes, np.ones(nodes.shape, np.int64), leaves)

    def __getitem__(self, at: np.ndarray) -> "Patterns":
        return Patterns(self.nodes[at], self.signs[at], self.leaves[at])

    def after(self, first: "Patterns") -> "Patterns":
        """These patterns, applied after others."""
        signs = self.signs * np.take_along_axis(first.signs, self.nodes, 1)
        nodes, leaves = (
            np.take_along_axis(before, own, 1)
            for before, own in ((first.nodes, self.nodes), (first.leaves, self.leaves))
        )
        return Patterns(nodes, signs, leaves)

    def inverse(self) -> "Patterns":
        """Patterns that undo these."""
        nodes = np.argsort(self.nodes, 1)
        signs = np.take_along_axis(self.signs, nodes, 1)
        return Patterns(nodes, signs, np.argsort(self.leaves, 1))


def turned(ensemble: Ensemble, flips: np.ndarray, orders: np.ndarray | None = None) -> Patterns:
    """Patterns of an architecture.

    Args:
        ensemble: The architecture.
        flips: Shape (trees, nodes): True where the node that comes to stand there is turned round,
            and with it the subtrees below; of a shared split, in all of its depth.
        orders: Shape (trees, depth), of oblivious trees: which split comes to each depth.

    Raises:
        UsageError: If a node that may not be turned is, or splits of other trees are reordered.
    """
    if flips[:, ~ensemble.flippable].any():
        raise UsageError(
            "Of lists the last node alone may be turned, and of modified lists none.",
            got=f"flips of {ensemble}",
        )
    if orders is not None and ensemble.kind != "oblivious":
        raise UsageError("Oblivious trees alone have orders of splits.", got=str(ensemble))
    still = Patterns.still(ensemble, len(flips))
    signs, leaves = np.where(flips, -1, 1), still.leaves
    if ensemble.kind == "perfect":
        nodes, leaves = _subtrees(ensemble, flips)
        return Patterns(nodes, signs, leaves)
    if ensemble.kind == "oblivious":
        orders = still.nodes if orders is None else orders
        places = ensemble.depth - 1 - np.arange(ensemble.depth)  # of a depth's bit
        bits = (np.arange(ensemble.ends)[:, None] >> places & 1) ^ flips[:, None].astype(int)
        return Patterns(orders, signs, (bits << places[orders][:, None]).sum(-1))
    if ensemble.kind == "list":
        last = flips[:, -1:]
        ends = np.where(last, leaves[:, [-1, -2]], leaves[:, [-2, -1]])
        leaves = np.concatenate([leaves[:, :-2], ends], 1)
    return Patterns(still.nodes, signs, leaves)


def _subtrees(ensemble: Ensemble, flips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which node and which leaf come to stand in each place."""
    row, found = np.zeros((len(flips), 1), np.int64), []
    for depth in range(ensemble.depth):
        found.append(row + 2**depth - 1)
        flip = flips[:, 2**depth - 1 : 2 ** (depth + 1) - 1].astype(int)
        row = np.stack([2 * row + flip, 2 * row + 1 - flip], -1).reshape(len(flips), -1)
    return np.concatenate(found, 1), row


def patterns_of(ensemble: Ensemble) -> Patterns:
    """All patterns of one tree, the identity first.

    Their number is 2^(2^D - 1) for perfect trees of depth D, 2^D D! for oblivious ones, 2 for lists
    and 1 for modified lists.
    """
    may = np.flatnonzero(ensemble.flippable)
    flips = np.zeros((2 ** len(may), ensemble.nodes), bool)
    flips[:, may] = np.array(list(product([False, True], repeat=len(may))))
    if ensemble.kind != "oblivious":
        return turned(ensemble, flips)
    orders = np.array(list(permutations(range(ensemble.depth))))
    rows, turns = len(orders), len(flips)
    return turned(ensemble, np.tile(flips, (rows, 1)), np.repeat(orders, turns, 0))


@dataclass(frozen=True, eq=False)
class TreeElement:
    """A pattern for each tree, then a permutation of trees.

    Args:
        group: Its generator.
        ensemble: The trees.
        patterns: By the tree that each is applied to.
        trees: Shape (trees,): tree j of the result is tree ``trees[j]`` of before.

    Raises:
        UsageError: If `trees` is no permutation.
    """

    group: Acting
    ensemble: Ensemble
    patterns: Patterns
    trees: np.ndarray

    def __post_init__(self) -> None:
        if sorted(self.trees.tolist()) != list(range(self.ensemble.trees)):
            raise UsageError(
                f"An order of trees is a permutation of {self.ensemble.trees}.",
                got=str(self.trees.tolist())[:100],
            )

    def changed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors that it changes, as they are afterwards; the same bits in other places."""
        made, found = self.patterns[self.trees], dict[str, Tensor]()
        for name, held in zip(
            self.ensemble.tensors, (made.nodes, made.nodes, made.leaves), strict=True
        ):
            x = state[name]
            at = torch.from_numpy(self.trees[:, None] * held.shape[1] + held).to(x.device)
            found[name] = x.flatten(0, 1)[at.ravel()].reshape(x.shape)
        signs = torch.from_numpy(made.signs < 0)
        for name in (self.ensemble.weight, self.ensemble.bias):
            x = found[name]
            negative = signs.to(x.device).reshape(*signs.shape, *(1,) * (x.ndim - 2))
            found[name] = torch.where(negative, -x, x)
        return found

    def inverse(self) -> "TreeElement":
        """The element that undoes it."""
        back = self.patterns.inverse()[self.trees]
        return TreeElement(self.group, self.ensemble, back, np.argsort(self.trees))

    def after(self, first: "TreeElement") -> "TreeElement | None":
        """The element that does another, and then this; None if that is of other trees."""
        if first.ensemble != self.ensemble:
            return None
        came = np.argsort(first.trees)  # to which place each tree was brought
        patterns = self.patterns[came].after(first.patterns)
        return TreeElement(self.group, self.ensemble, patterns, first.trees[self.trees])

    @property
    def how(self) -> tuple[str, ...]:
        """In words, for the record of an alignment."""
        u, still = self.patterns, np.arange(self.ensemble.trees)
        flipped = int((u.signs < 0).sum())
        ordered = int((u.nodes != np.arange(self.ensemble.nodes)).any(1).sum())
        told = {
            f"{int((self.trees != still).sum())} of {len(still)} trees moved": None,
            f"{flipped} of {u.signs.size} splits flipped": flipped,
            f"{ordered} of {len(still)} trees with splits in another order": ordered
            if self.ensemble.kind == "oblivious"
            else 0,
        }
        moved = bool((self.trees != still).any())
        return tuple(w for w, count in told.items() if (moved if count is None else count))
