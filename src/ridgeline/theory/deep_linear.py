"""Stars of deep linear networks: centres by linear equations, and a pair without one.

Lin et al. (2024), section on linear networks: L layers ``A_L ... A_1 = Q`` with one output and
hidden layers of width m. A network is a list of its layers, the first, A_1, of shape (m, d), first.
"""

import math
from collections.abc import Sequence

import numpy as np

from ridgeline.errors import UsageError
from ridgeline.measures import Array

__all__ = ["arm_errors", "draw_networks", "linear_centre", "product", "summed_loss"]

Network = Sequence[Array]


def product(network: Network) -> Array:
    """Return ``A_L ... A_1``, shape (1, d)."""
    found = network[0]
    for layer in network[1:]:
        found = layer @ found
    return found


def draw_networks(
    *, depth: int, width: int, target: Array, count: int, rng: np.random.Generator
) -> list[list[Array]]:
    """Draw minima: layers are normal, and the first is then moved onto the product.

    Args:
        depth: L, at least 2.
        width: m of every hidden layer.
        target: Q, shape (1, d).
        count: Number of networks.
        rng: Draws them.

    Raises:
        UsageError: If there are fewer than two layers or no hidden unit.
    """
    if depth < 2 or width < 1:
        raise UsageError(
            "A deep linear network has two layers and a hidden unit at least.",
            got=f"depth {depth}, width {width}",
        )
    found = []
    for _ in range(count):
        first = rng.standard_normal((width, target.shape[1])) / math.sqrt(width)
        hidden = rng.standard_normal((depth - 2, width, width)) / math.sqrt(width)
        last = rng.standard_normal((1, width)) / math.sqrt(width)
        upper = product([*hidden, last])
        first = first + upper.T @ (target - upper @ first) / (upper @ upper.T)
        found.append([first, *hidden, last])
    return found


def linear_centre(feet: Sequence[Network], target: Array, rng: np.random.Generator) -> list[Array]:
    """Return a network that is linearly connected to all feet (theorem 18).

    The upper layers are drawn, and the first solves, for every foot i and k = 0..L-1,
    ``s_ik A_1 + s_i(k-1) B_1 = binom(L, k) Q``: B the foot, s_ik the sum of the products of the
    upper layers with k factors of the foot. Then the product along the arm is Q at every position.

    Args:
        feet: Networks of one shape.
        target: Q, shape (1, d).
        rng: Draws the upper layers.

    Returns:
        The centre; if the width is below 1 + r (L - 1) its arms are not exact: see `arm_errors`.

    Raises:
        UsageError: If there is no foot.
    """
    if not feet:
        raise UsageError("A star has a foot at least.", got="none")
    depth, width = len(feet[0]), feet[0][0].shape[0]
    upper = [rng.standard_normal(layer.shape) / math.sqrt(width) for layer in feet[0][1:]]
    rows, right = [], []
    for foot in feet:
        sums = np.eye(1)[None]  # sums[k]: products of the layers so far with k factors of the foot
        for mine, own in zip(reversed(upper), reversed(foot[1:]), strict=True):
            longer = np.zeros((len(sums) + 1, 1, mine.shape[1]))
            longer[:-1] += sums @ mine
            longer[1:] += sums @ own
            sums = longer
        for k in range(depth):
            before = sums[k - 1] @ foot[0] if k else 0.0
            rows.append(sums[k])
            right.append(math.comb(depth, k) * target - before)
    first = np.linalg.lstsq(np.concatenate(rows), np.concatenate(right), rcond=None)[0]
    return [first, *upper]


def arm_errors(centre: Network, feet: Sequence[Network], target: Array, points: int = 11) -> Array:
    """Return how far the product strays from the target on the line to each foot.

    Args:
        centre: A network.
        feet: Networks.
        target: Q, shape (1, d).
        points: Equally spaced positions; more than L say that it is Q everywhere.

    Returns:
        The largest deviation of an entry, shape (feet,).
    """
    found = np.zeros(len(feet))
    for i, foot in enumerate(feet):
        for t in np.linspace(0, 1, points):
            at = [(1 - t) * one + t * other for one, other in zip(centre, foot, strict=True)]
            found[i] = max(found[i], float(np.abs(product(at) - target).max()))
    return found


def summed_loss(first: Array, last: Array) -> Array:
    """Return the loss summed over both arms of lemma 17, over E x^2.

    Feet (e1, e1) and (-e1, -e1) of two layers, four hidden units and target 1, each of whose
    products is 1. Through a centre (a, b), ``<a, b> = 1`` and ``s = a_1 + b_1``, it is
    ``((s - 2)^2 + (s + 2)^2) / 30``: at least 4/15, which ``a = b = e2`` attains.

    Args:
        first: a, shape (..., 4).
        last: b, shape (..., 4).

    Returns:
        Shape (...): mean over positions on each arm, summed over the two.
    """
    s = first[..., 0] + last[..., 0]
    return ((s - 2) ** 2 + (s + 2) ** 2) / 30
