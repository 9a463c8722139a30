"""Best orders and flips of oblivious trees, for all pairs of trees.

Leaves couple the depths, so that oblivious trees do not decompose. What decomposes is the choice of
flips for one order of splits [derived]: leaves of b are then read at ``l xor m``, m the flips as
bits, so that the inner product is a convolution. After the Walsh-Hadamard transform over leaves,
``h_k = <a^_k, b^_r(k)> / L`` with r the order of bits, and a split's inner product stands in the
h_k of its own bit: ``value(m) = sum_k (-1)^|k & m| h_k``. One transform gives all 2^D flips; what
is enumerated are the D! orders.
"""

from collections.abc import Callable
from itertools import combinations, permutations

import numpy as np
import torch
from torch import Tensor

from ridgeline.rng import seed_of

__all__ = ["EXACT", "best_orders"]

EXACT = 5
"""Depth up to which all orders are tried: 120, with 3,840 patterns."""

CELLS = 2**21
"""Numbers of a table that are held at a time."""

STARTS = 3
"""Starts of a search for orders, beyond `EXACT`, besides the order that splits fit in."""

Found = tuple[np.ndarray, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], bool]


def best_orders(
    splits_a: Tensor,
    leaves_a: Tensor,
    splits_b: Tensor,
    leaves_b: Tensor,
    *,
    orders: bool,
    flips: bool,
    seed: int,
) -> Found:
    """Orders and flips by which each tree of b fits best onto each tree of a.

    Up to depth 5 all orders are tried. Beyond, orders are improved by exchanges of two depths
    from several starts, which may miss the best.

    Args:
        splits_a: Shape (trees, depth, features + 1).
        leaves_a: Shape (trees, 2^depth, outputs).
        splits_b: The same of b.
        leaves_b: The same of b.
        orders: Put splits in another order.
        flips: Turn splits round.
        seed: Of the starts.

    Returns:
        Values of shape (trees, trees); from the trees of b that those of a get to flips and orders,
        of shape (trees, depth); and True if all orders were tried.
    """
    depth = splits_a.shape[1]
    signs = _hadamard(depth)
    a, b = signs @ leaves_a / 2**depth, signs @ leaves_b
    tables = _Tables((splits_a, a), (splits_b, b), signs if flips else signs[:1])
    tried = np.array(list(permutations(range(depth)))) if orders and depth <= EXACT else None
    tried = np.arange(depth)[None] if not orders else tried
    step = max(1, CELLS // (len(b) * 2**depth))
    rows = [slice(i, i + step) for i in range(0, len(a), step)]
    if tried is not None:
        parts = [tables.enumerated(at, tried) for at in rows]
    else:
        draws = np.random.default_rng(seed_of(seed, "oblivious trees"))
        starts = [draws.permutation(depth) for _ in range(STARTS)]
        parts = [tables.searched(at, starts) for at in rows]
    values, best, turns = (np.concatenate(each) for each in zip(*parts, strict=True))

    def chosen(order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        i = np.arange(len(order))
        bits = turns[i, order][:, None] >> (depth - 1 - np.arange(depth)) & 1
        return bits.astype(bool), best[i, order]

    return values, chosen, tried is not None


class _Tables:
    """Products of two ensembles, by which orders of pairs are valued.

    Args:
        a: Splits, and transformed leaves.
        b: The same.
        signs: Rows of the transform back, one for each set of flips.
    """

    def __init__(self, a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor], signs: Tensor) -> None:
        (self.splits_a, self.a), (self.splits_b, self.b), self.signs = a, b, signs
        self.depth = self.splits_a.shape[1]
        self.bits = torch.from_numpy(2 ** (self.depth - 1 - np.arange(self.depth)))

    def enumerated(self, at: slice, tried: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return values, orders and flips, of some trees of a with all of b."""
        a, b = self.a[at].transpose(0, 1), self.b.transpose(0, 1)
        split = self.splits_a[at].transpose(0, 1)[:, None] @ self.splits_b.permute(1, 2, 0)[None]
        values = torch.full(split.shape[2:], -torch.inf, dtype=torch.float64)
        which, turns = (torch.zeros(values.shape, dtype=torch.int64) for _ in range(2))
        for k, order in enumerate(torch.from_numpy(tried)):
            h = a @ b[self.moved(order[None])[0]].mT
            for d in range(self.depth):
                h[self.bits[d]] += split[d, order[d]]
            found, turn = (self.signs @ h.flatten(1)).max(0)
            found, turn = found.view(values.shape), turn.view(values.shape)
            better = found > values
            values = torch.where(better, found, values)
            turns, which = torch.where(better, turn, turns), which.masked_fill(better, k)
        return values.numpy(), tried[which.numpy()], turns.numpy()

    def moved(self, orders: Tensor) -> Tensor:
        """Bits of numbers of leaves in another order: shape (orders, leaves)."""
        leaves = torch.arange(2**self.depth)
        set_bits = (leaves[:, None] & self.bits) > 0
        return (set_bits * self.bits[orders][:, None]).sum(-1)

    def searched(self, at: slice, starts: list[np.ndarray]) -> tuple[np.ndarray, ...]:
        """The same by a search: exchanges of two depths, as long as pairs gain by them."""
        a, split_a = self.a[at], self.splits_a[at]
        pairs = torch.cartesian_prod(torch.arange(len(a)), torch.arange(len(self.b)))
        i, j = pairs.T
        split = torch.einsum("idf,jef->ijde", split_a, self.splits_b).flatten(0, 1)
        best, values, turns = self._climbed(a, i, j, split, _greedy(split.abs()))
        for start in starts:
            first = torch.from_numpy(start).expand(len(i), -1)
            orders, found, turn = self._climbed(a, i, j, split, first)
            better = found > values
            values, turns = (torch.where(better, x, y) for x, y in ((found, values), (turn, turns)))
            best = torch.where(better[:, None], orders, best)
        shape = (len(a), len(self.b))
        return values.view(shape).numpy(), best.view(*shape, -1).numpy(), turns.view(shape).numpy()

    def _climbed(
        self, a: Tensor, i: Tensor, j: Tensor, split: Tensor, orders: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return where exchanges of two depths lead from an order of each pair."""
        orders = orders.clone()
        values, turns = self._valued(a, i, j, split, orders)
        waiting = torch.arange(len(i))
        while len(waiting):
            gained = torch.zeros(len(waiting), dtype=torch.bool)
            for d, e in combinations(range(self.depth), 2):
                trial = orders[waiting].clone()
                trial[:, [d, e]] = trial[:, [e, d]]
                found, turn = self._valued(a, i[waiting], j[waiting], split[waiting], trial)
                better = found > values[waiting] + 1e-12 * values[waiting].abs()
                at = waiting[better]
                orders[at], values[at], turns[at] = trial[better], found[better], turn[better]
                gained |= better
            waiting = waiting[gained]
        return orders, values, turns

    def _valued(
        self, a: Tensor, i: Tensor, j: Tensor, split: Tensor, orders: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The best flips of an order for each pair, and their value."""
        theirs = self.b[j[:, None], self.moved(orders)]
        h = (a[i] * theirs).sum(-1)
        h[:, self.bits] += split.gather(2, orders[..., None])[..., 0]
        found = (h @ self.signs.T).max(1)
        return found.values, found.indices


def _greedy(gain: Tensor) -> Tensor:
    """Orders that put together first what fits best; shape (pairs, depth).

    Args:
        gain: Shape (pairs, depth, depth), not negative; overwritten.
    """
    depth = gain.shape[1]
    orders = torch.zeros(gain.shape[:2], dtype=torch.int64)
    row = torch.arange(len(gain))
    for _ in range(depth):
        at = gain.flatten(1).argmax(1)
        d, e = at // depth, at % depth
        orders[row, d] = e
        gain[row, d] = -1.0
        gain[row, :, e] = -1.0
    return orders


def _hadamard(depth: int) -> Tensor:
    """Signs ``(-1)^|k & m|``, shape (2^depth, 2^depth)."""
    one, found = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64), None
    for _ in range(depth):
        found = one if found is None else torch.kron(found, one)
    assert found is not None
    return found
