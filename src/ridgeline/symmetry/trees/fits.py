"""Fits of each tree of one ensemble onto each of another, over the patterns of a tree.

``S[i, j] = max over u of <a_i, u b_j>``, for all pairs at once:

* Perfect trees decompose [derived]. With x a node of a_i and y one of b_j at the same depth,

      V(x, y) = max(k <s_x, s_y> + V(x left, y left) + V(x right, y right),
                   -k <s_x, s_y> + V(x left, y right) + V(x right, y left)),   V(leaf, leaf) = <.,.>

  level by level from the leaves, one product of matrices each: exact without enumeration, in
  ``sum_d 4^d`` cells a pair in place of 2^(2^D - 1) patterns.
* Of lists the last node alone may turn: two patterns.
* Oblivious trees: see `ridgeline.symmetry.trees.oblivious`.

Of equal patterns the first counts: no turn before a turn, nodes in order.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ridgeline.symmetry.trees.elements import Patterns, turned
from ridgeline.symmetry.trees.ensemble import Ensemble
from ridgeline.symmetry.trees.oblivious import best_orders

__all__ = ["Fit", "Half", "fit"]

CELLS = 2**23
"""Numbers of a table that are held at a time: 64 MiB."""


@dataclass(frozen=True, eq=False)
class Half:
    """Numbers of one ensemble, in float64, weighted as they are to be compared.

    Args:
        splits: Shape (trees, nodes, features + 1).
        leaves: Shape (trees, leaves, outputs).
    """

    splits: Tensor
    leaves: Tensor

    def __getitem__(self, at: slice | Tensor) -> "Half":
        return Half(self.splits[at], self.leaves[at])

    def flat(self) -> Tensor:
        """All numbers of a tree in a row."""
        return torch.cat([self.splits.flatten(1), self.leaves.flatten(1)], 1)


@dataclass(frozen=True, eq=False)
class Fit:
    """Best patterns of all pairs of trees.

    Args:
        values: Shape (trees, trees): of tree j of b in the place of tree i of a.
        chosen: From which tree of b each tree of a gets to their patterns.
        exact: False if a search found them, which may miss better ones.
    """

    values: np.ndarray
    chosen: Callable[[np.ndarray], Patterns]
    exact: bool = True


def fit(
    ensemble: Ensemble,
    a: Half,
    b: Half,
    *,
    weights: Tensor | None = None,
    over: Collection[str] = ("orders", "flips"),
    seed: int = 0,
) -> Fit:
    """Patterns by which each tree of b fits best onto each tree of a.

    Args:
        ensemble: The trees of both.
        a: One ensemble.
        b: The other.
        weights: What the inner product of a node counts, shape (nodes,); 1 by default.
        over: Which patterns: ``"orders"`` of splits, ``"flips"``, both or none.
        seed: Of the starts of a search.
    """
    root = torch.ones(ensemble.nodes, dtype=torch.float64) if weights is None else weights
    weighted = Half(a.splits * root[:, None], a.leaves)  # on one side: it is a product
    flips = "flips" in over and bool(ensemble.flippable.any())
    orders = "orders" in over and ensemble.kind == "oblivious"
    if ensemble.kind == "oblivious" and (flips or orders):
        values, found, exact = best_orders(
            weighted.splits, a.leaves, b.splits, b.leaves, orders=orders, flips=flips, seed=seed
        )

        def read(order: np.ndarray) -> Patterns:
            turns, depths = found(order)
            return turned(ensemble, turns, depths)

        return Fit(values, read, exact)
    if not flips:
        values = weighted.flat() @ b.flat().T
        return Fit(values.numpy(), lambda order: Patterns.still(ensemble, len(order)))
    tables = _perfect if ensemble.kind == "perfect" else _last
    step = max(1, CELLS // (len(b.leaves) * ensemble.ends**2))
    parts = [tables(weighted[i : i + step], b, _pairs)[0] for i in range(0, len(a.leaves), step)]

    def chosen(order: np.ndarray) -> Patterns:
        theirs = b[torch.from_numpy(order)]
        found = tables(weighted, theirs, _each)[1]
        return turned(ensemble, found)

    return Fit(torch.cat(parts).numpy(), chosen)


Product = Callable[[Tensor, Tensor], Tensor]
"""From rows (trees, rows, numbers) of both to inner products (rows of a, rows of b, *trees)."""


def _pairs(x: Tensor, y: Tensor) -> Tensor:
    """All pairs of trees: shape (rows of a, rows of b, trees of a, trees of b)."""
    made = x.transpose(0, 1).flatten(0, 1) @ y.transpose(0, 1).flatten(0, 1).T
    return made.unflatten(0, (x.shape[1], -1)).unflatten(2, (y.shape[1], -1)).transpose(1, 2)


def _each(x: Tensor, y: Tensor) -> Tensor:
    """Tree by tree: shape (rows of a, rows of b, trees)."""
    return torch.bmm(x, y.mT).movedim(0, 2)


def _perfect(a: Half, b: Half, product: Product) -> tuple[Tensor, np.ndarray]:
    """Best values of pairs, and, of pairs tree by tree, which nodes turn."""
    best, turns = product(a.leaves, b.leaves), list[Tensor]()
    for depth in reversed(range((a.splits.shape[1] + 1).bit_length() - 1)):
        level = slice(2**depth - 1, 2 ** (depth + 1) - 1)
        split = product(a.splits[:, level], b.splits[:, level])
        as_is = split + best[::2, ::2] + best[1::2, 1::2]
        turned_round = best[::2, 1::2] + best[1::2, ::2] - split
        if product is _each:
            turns.append(turned_round > as_is)
        best = torch.maximum(as_is, turned_round)
    return best[0, 0], _followed(turns[::-1])


def _followed(turns: list[Tensor]) -> np.ndarray:
    """Read from the root down which node meets which, and whether it turns.

    Args:
        turns: For each depth shape (nodes of a, nodes of b, trees).
    """
    if not turns:
        return np.zeros((0, 0), bool)
    row, found = torch.zeros((turns[0].shape[-1], 1), dtype=torch.int64), list[Tensor]()
    for turn in turns:
        at = torch.arange(turn.shape[0])[None]
        flip = turn[at, row, torch.arange(len(row))[:, None]].long()
        found.append(flip)
        row = torch.stack([2 * row + flip, 2 * row + 1 - flip], -1).flatten(1)
    return torch.cat(found, 1).bool().numpy()


def _last(a: Half, b: Half, product: Product) -> tuple[Tensor, np.ndarray]:
    """Lists: values of pairs, and, tree by tree, whether the last node turns."""
    n = a.splits.shape[1]

    def alike(x: Tensor, y: Tensor) -> Tensor:
        return product(x.flatten(1)[:, None], y.flatten(1)[:, None])[0, 0]

    rest = alike(a.splits[:, :-1], b.splits[:, :-1]) if n > 1 else 0.0
    rest = rest + (alike(a.leaves[:, :-2], b.leaves[:, :-2]) if n > 1 else 0.0)
    split = alike(a.splits[:, -1:], b.splits[:, -1:])
    as_is = split + alike(a.leaves[:, -2:], b.leaves[:, -2:])
    turned_round = alike(a.leaves[:, -2:], b.leaves[:, -2:].flip(1)) - split
    found = np.zeros((len(a.splits), n), bool)
    if product is _each:
        found[:, -1] = (turned_round > as_is).numpy()
    return rest + torch.maximum(as_is, turned_round), found
