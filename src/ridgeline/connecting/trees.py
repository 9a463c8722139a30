"""Edges between minima, their minimum spanning tree, and the pair to be tried next."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import minimum_spanning_tree

from ridgeline.paths import Path

__all__ = ["Edge", "Found", "next_pair", "spanning"]


class Found(Protocol):
    """Path that a strategy gives for two minima."""

    @property
    def path(self) -> Path:
        """From the one to the other."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Edge:
    """A path between two minima that was found."""

    a: int
    """Number of the minimum where it starts."""
    b: int
    saddle: float
    """The largest loss on it, ends included."""
    at: float = float("nan")
    """Position of that on the path."""
    found: Found | None = None
    """What the strategy gave."""

    @property
    def pair(self) -> tuple[int, int]:
        """The two numbers, the smaller first."""
        return (min(self.a, self.b), max(self.a, self.b))


def spanning(count: int, edges: dict[tuple[int, int], Edge]) -> list[Edge]:
    """The edges of the minimum spanning tree, or forest."""
    if not edges:
        return []
    pairs = list(edges)
    # By rank: scipy takes a weight of zero for no edge, and ties are kept in the order found.
    order = np.argsort([edges[p].saddle for p in pairs], kind="stable")
    rank = np.empty(len(pairs))
    rank[order] = np.arange(1, len(pairs) + 1)
    i, j = np.asarray(pairs).T
    kept = minimum_spanning_tree(csr_array((rank, (i, j)), shape=(count, count))).tocoo()
    return [edges[(int(a), int(b))] for a, b in zip(kept.row, kept.col, strict=True)]


def next_pair(
    losses: Sequence[float], edges: dict[tuple[int, int], Edge], tolerance: float = 0.0
) -> tuple[int, int] | None:
    """The pair of minima to be connected next (Draxler et al. 2018).

    First the lowest minimum is connected to all others. Then the highest edge of the tree that can
    be bettered is taken out, and of the two parts the pair of lowest losses that was not tried is
    next. An edge can be bettered if it stands above the lowest minimum of either part, which every
    path between the parts must climb to.

    Args:
        losses: Of the minima.
        edges: Those found, by pair.
        tolerance: Height above that bound up to which an edge counts as being there.

    Returns:
        Two numbers, or None if there is nothing left to try.
    """
    order = sorted(range(len(losses)), key=lambda k: losses[k])
    for k in order[1:]:
        pair = (min(order[0], k), max(order[0], k))
        if pair not in edges:
            return order[0], k
    tree = spanning(len(losses), edges)
    for edge in sorted(tree, key=lambda e: -e.saddle):
        one = _part(edge.a, [e for e in tree if e is not edge])
        other = [k for k in order if k not in one]
        low = max(min(losses[k] for k in one), min(losses[k] for k in other))
        if edge.saddle <= low + tolerance:
            continue
        for i in (k for k in order if k in one):
            for j in other:
                if (min(i, j), max(i, j)) not in edges:
                    return i, j
    return None


def _part(start: int, tree: Sequence[Edge]) -> set[int]:
    """The minima that edges join with one."""
    found, grown = {start}, True
    while grown:
        more = {k for e in tree if found & set(e.pair) for k in e.pair}
        grown = not more <= found
        found |= more
    return found
