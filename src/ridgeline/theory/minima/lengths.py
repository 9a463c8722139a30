"""Lengths of the way between two minima, over the straight distance."""

from dataclasses import dataclass

import numpy as np

from ridgeline.errors import UsageError
from ridgeline.measures import Array
from ridgeline.theory.minima.connections import CONFLICT, common, has_centre
from ridgeline.theory.minima.laws import Minima

__all__ = ["TwoPiece", "least_ratio", "least_ratio_limit", "ratio_limit", "two_piece"]

ROUNDS = 200
STILL = 1e-13


@dataclass(frozen=True, eq=False)
class TwoPiece:
    """The shortest paths of two pieces between pairs of minima, through a minimum."""

    ratio: Array
    """Length over the straight distance, shape (n,): at least 1, infinite without such a path."""
    straight: Array
    """Distance of the ends, shape (n,)."""
    centre: Minima
    """Where the pieces meet; sizes are NaN without such a path."""


def two_piece(a: Minima, b: Minima) -> TwoPiece:
    """Return the shortest path of two straight pieces between minima, both at zero loss.

    For fixed weights of the two squared lengths the best centre has a closed form on the n neurons
    of each type: ``x = p a + (1 - p) b + (1 - sum(p a + (1 - p) b)) / n``, which is never negative.
    The sum of lengths, which is convex, is reached by weighting each square by one over its length
    (Weiszfeld). Neurons at which both ends are zero may take any type: they go one by one to the
    type that gains most, which is exact for fixed weights. Without such neurons the path is the
    shortest; with them it is a minimum over each, the weights and the share-out.

    Args:
        a: Minima at one end, shape (n, m).
        b: Minima at the other.

    Raises:
        UsageError: If they differ in shape or in their teacher.
    """
    _check(a, b)
    may = common(np.stack((a.types, b.types), -2))
    there = has_centre(np.stack((a.types, b.types), -2), a.teachers)
    own = np.stack([may == j for j in range(1, a.teachers + 1)], -1)  # (n, m, M)
    difference = ((a.sizes - b.sizes) ** 2)[..., None]
    of_a, of_b = ((end.sizes[..., None] * own).sum(1) for end in (a, b))
    apart = (difference * own).sum(1)
    conflict = may == CONFLICT
    lost_a, lost_b = ((end.sizes**2 * conflict).sum(1) for end in (a, b))
    count, free = own.sum(1), (may == 0).sum(1)

    def squares(p: Array, n: np.ndarray) -> tuple[Array, Array, Array]:
        """Squared lengths of both pieces, and what is added to each neuron of a type."""
        p = p[:, None]
        shift = (1 - p * of_a - (1 - p) * of_b) / np.maximum(n, 1)
        cross = 2 * shift * (of_b - of_a)
        first = (1 - p) ** 2 * apart + (1 - p) * cross + n * shift**2
        second = p**2 * apart - p * cross + n * shift**2
        return lost_a + first.sum(1), lost_b + second.sum(1), shift

    p, n = np.full(len(may), 0.5), count
    for _ in range(3):
        n = _shared_out(count, free, (1 - p[:, None] * of_a - (1 - p[:, None]) * of_b))
        for _ in range(ROUNDS):
            first, second, _ = (np.sqrt(np.maximum(x, 0)) for x in squares(p, n))
            total = first + second
            new = np.divide(second, total, out=np.full_like(p, 0.5), where=total > 0)
            done = np.abs(new - p).max(initial=0) < STILL
            p = new
            if done:
                break
        if not free.any():
            break
    first, second, shift = squares(p, n)
    straight = np.sqrt(_squared_distance(a, b))
    length = np.sqrt(np.maximum(first, 0)) + np.sqrt(np.maximum(second, 0))
    ratio = np.divide(length, straight, out=np.ones_like(length), where=straight > 0)
    centre = _centre(a, b, may, p, n - count, shift)
    sizes = np.where(there[:, None], centre.sizes, np.nan)
    return TwoPiece(
        np.where(there, np.maximum(ratio, 1.0), np.inf),
        straight,
        Minima(np.where(there[:, None], centre.types, 0).astype(np.int8), sizes, a.teachers),
    )


def _shared_out(count: np.ndarray, free: np.ndarray, short: Array) -> np.ndarray:
    """Neurons of each type with the free ones given out, where they lower short^2 / n the most."""
    n, rows = count.copy(), np.arange(len(count))
    for i in range(int(free.max(initial=0))):
        gain = np.where(n > 0, short**2 / np.maximum(n * (n + 1), 1), np.inf)
        n[rows, gain.argmax(1)] += i < free
    return n


def _centre(
    a: Minima, b: Minima, may: np.ndarray, p: Array, given: np.ndarray, shift: Array
) -> Minima:
    """Types and sizes of the centre; the free neurons go to the types in order."""
    rank = (may == 0).cumsum(1) - 1
    filled = 1 + (rank[..., None] >= given.cumsum(1)[:, None, :]).sum(-1)
    types = np.where(may == 0, filled, np.where(may == CONFLICT, 0, may))
    types = np.where(types > a.teachers, 0, types)
    mixed = p[:, None] * a.sizes + (1 - p[:, None]) * b.sizes
    more = np.take_along_axis(np.pad(shift, ((0, 0), (1, 0))), types, 1)
    return Minima(types.astype(np.int8), np.where(types > 0, mixed + more, 0.0), a.teachers)


def _squared_distance(a: Minima, b: Minima) -> Array:
    cross = 2 * a.sizes * b.sizes * (a.types == b.types)
    return np.maximum((a.sizes**2 + b.sizes**2 - cross).sum(-1), 0)


def least_ratio(a: Minima, b: Minima) -> Array:
    """Return a bound below the length of any path of minima, over the straight distance [derived].

    A neuron that changes its type passes through zero, so that its own way is at least the sum of
    its sizes; and the length of a path is at least the root of the sum of squares of its neurons'
    own ways. So no path, of however many pieces and curved or not, is shorter.

    Args:
        a: Minima at one end, shape (n, m).
        b: Minima at the other.

    Returns:
        Shape (n,), at least 1.
    """
    _check(a, b)
    clash = (a.types != b.types) & (a.types > 0) & (b.types > 0)
    straight = _squared_distance(a, b)
    more = 2 * (a.sizes * b.sizes * clash).sum(-1)
    return np.sqrt(1 + np.divide(more, straight, out=np.zeros_like(more), where=straight > 0))


def ratio_limit(teachers: int, zeros: float) -> float:
    """Return what the ratio of the shortest path of two pieces tends to as m grows [derived].

    For types of the sparse law SP(M, r) and sizes uniform on their simplexes, with
    ``q = (1 - r) / M``, ``v = 1 - r - q`` and ``n = 2 r + q + r^2 / (1 - r)``:

        sqrt(2 (2 r + q + 4 v + 2 v^2 / n) / (4 r + 2 q + 4 v)).

    At no fixed r is it 1: the share of neurons at which the ends have different types stays.

    Args:
        teachers: M.
        zeros: r, in [0, 1).
    """
    q, v = _shares(teachers, zeros)
    n = 2 * zeros + q + zeros**2 / (1 - zeros)
    return float(np.sqrt(2 * (2 * zeros + q + 4 * v + 2 * v**2 / n) / (4 * zeros + 2 * q + 4 * v)))


def least_ratio_limit(teachers: int, zeros: float) -> float:
    """Return what `least_ratio` tends to as m grows: ``sqrt(1 + 2 v / (4 r + 2 q + 4 v))``.

    Args:
        teachers: M.
        zeros: r, in [0, 1).
    """
    q, v = _shares(teachers, zeros)
    return float(np.sqrt(1 + 2 * v / (4 * zeros + 2 * q + 4 * v)))


def _shares(teachers: int, zeros: float) -> tuple[float, float]:
    """Shares of neurons that are not zero at one end: of the same type at the other, of another."""
    if teachers < 1 or not 0 <= zeros < 1:
        raise UsageError(
            "A teacher has a neuron at least, and the share of zeros lies in [0, 1).",
            got=f"M = {teachers}, r = {zeros}",
        )
    q = (1 - zeros) / teachers
    return q, 1 - zeros - q


def _check(a: Minima, b: Minima) -> None:
    if a.types.ndim != 2 or a.types.shape != b.types.shape or a.teachers != b.teachers:
        raise UsageError(
            "Paths are between minima of one teacher, as many at each end, of shape (n, m).",
            got=f"shapes {a.types.shape} and {b.types.shape}, M = {a.teachers} and {b.teachers}",
        )
