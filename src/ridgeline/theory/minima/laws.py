"""Minima as types and sizes, and the laws that they are drawn from."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from ridgeline.errors import UnknownName, UsageError
from ridgeline.measures import Array

__all__ = ["LAWS", "Law", "Minima", "Types", "draw", "draw_types", "nearest"]

Types = NDArray[np.int8]
"""Of each neuron: 0 if it is zero, j if it is a multiple of e_j; shape (..., m)."""
Law = Literal["types", "volume", "with_zeros"]
"""Three readings of *uniform over the minima*: each neuron's type uniform on 1..M; uniform by
volume (Hausdorff measure of the simplexes); each neuron's type uniform on 0..M."""
LAWS: tuple[Law, ...] = get_args(Law)
RARE = 1e-5
"""Draws in which each type occurs are waited for if they are at least so frequent."""
AT_ONCE = 1 << 22
"""Neurons drawn at a time."""


@dataclass(frozen=True, eq=False)
class Minima:
    """Minima of the student: zero loss, by theorem 6.

    Args:
        types: Of each neuron, 0 to M, shape (..., m).
        sizes: The factor of e_j of each neuron, zero where the type is 0, shape (..., m).
        teachers: M.
    """

    types: Types
    sizes: Array
    teachers: int

    def weights(self, dimension: int | None = None) -> Array:
        """Return the student's weights.

        Args:
            dimension: Of inputs, at least M; M by default.

        Returns:
            Shape (..., m, dimension).
        """
        width = self.teachers if dimension is None else dimension
        return np.eye(width + 1)[self.types][..., 1:] * self.sizes[..., None]

    def at(self, index: int | slice) -> "Minima":
        """Return some of them, along the first axis."""
        return Minima(self.types[index], self.sizes[index], self.teachers)


def draw(
    law: Law | float,
    *,
    teachers: int,
    neurons: int,
    size: int,
    rng: np.random.Generator,
) -> Minima:
    """Draw minima: types by a law, sizes uniform on the simplex of each type.

    Args:
        law: As `draw_types` takes it.
        teachers: M, at least 1.
        neurons: m, at least M.
        size: Number of minima.
        rng: Draws them.

    Returns:
        Minima of shape (size, m).
    """
    types = draw_types(law, teachers=teachers, neurons=neurons, size=size, rng=rng)
    raw = rng.exponential(size=types.shape)
    sizes = np.zeros_like(raw)
    for j in range(1, teachers + 1):
        own = raw * (types == j)
        sizes += own / own.sum(-1, keepdims=True)
    return Minima(types, sizes, teachers)


def draw_types(
    law: Law | float,
    *,
    teachers: int,
    neurons: int,
    size: int,
    rng: np.random.Generator,
) -> Types:
    """Draw type vectors of minima: each type 1..M occurs at least once.

    Args:
        law: One of `LAWS`, or the probability r of a zero neuron: the sparse law SP(M, r).
        teachers: M, at least 1.
        neurons: m, at least M.
        size: Number of vectors.
        rng: Draws them.

    Returns:
        Shape (size, m).

    Raises:
        UnknownName: If there is no such law.
        UsageError: If there are too few neurons, nothing to draw, no such probability, or hardly
            any draw in which each type occurs.
    """
    if isinstance(law, str) and law not in LAWS:
        raise UnknownName("law of minima", law, LAWS)
    if not 1 <= teachers <= neurons or size < 1:
        raise UsageError(
            "A minimum has a neuron for each of the teacher's, of which there is one at least, and "
            "one minimum at least is drawn.",
            got=f"{neurons} neurons, {teachers} of the teacher, {size} minima",
        )
    if law == "volume":
        return _by_volume(teachers, neurons, size, rng)
    zeros = {"types": 0.0, "with_zeros": 1 / (teachers + 1)}.get(str(law), law)
    if isinstance(zeros, str) or not 0 <= zeros < 1:
        raise UsageError("The share of zero neurons lies in [0, 1).", got=f"{zeros}")
    return _independent(float(zeros), teachers, neurons, size, rng)


def _independent(zeros: float, M: int, m: int, size: int, rng: np.random.Generator) -> Types:
    """Types of independent neurons, drawn again until each type occurs."""
    single = (1 - zeros) / M
    chance = sum((-1) ** j * math.comb(M, j) * (1 - j * single) ** m for j in range(M + 1))
    if chance < RARE:
        raise UsageError(
            "Draws in which each type occurs must not be too rare.",
            got=f"M = {M}, m = {m}, share of zeros {zeros:g}: probability {max(chance, 0):.1g}",
            remedy="Take more neurons, or a smaller share of zeros.",
        )
    edges = np.concatenate(([zeros], zeros + single * np.arange(1, M)))
    found, there = [], 0
    while there < size:
        count = max(1, min(AT_ONCE // m, int(1.2 * (size - there) / chance) + 8))
        drawn = np.searchsorted(edges, rng.random((count, m)), side="right").astype(np.int8)
        whole = np.logical_and.reduce([(drawn == j).any(-1) for j in range(1, M + 1)])
        found.append(drawn[whole])
        there += len(found[-1])
    return np.concatenate(found)[:size]


def _by_volume(M: int, m: int, size: int, rng: np.random.Generator) -> Types:
    """Types of the uniform law on the simplexes of largest dimension.

    A vector with n_j neurons of type j is a product of simplices of volume
    ``prod sqrt(n_j) / (n_j - 1)!``, and there are ``m! / prod n_j!`` such vectors. So the counts
    are independent with weights ``sqrt(n) / (n! (n - 1)!)``, given their sum; a factor c^n leaves
    that law as it is and keeps the weights in range.
    """
    n = np.arange(1, m - M + 2)
    log = 0.5 * np.log(n) - gammaln(n + 1) - gammaln(n) + 2 * n * math.log(m / M)
    weights = np.exp(log - log.max())
    weights /= weights.sum()
    found, there = [], 0
    while there < size:
        counts = rng.choice(n, size=(4 * size, M - 1), p=weights)
        last = m - counts.sum(-1)
        possible = (last >= 1) & (last <= m - M + 1)
        accepted = np.where(possible, weights[np.clip(last, 1, m - M + 1) - 1], 0.0)
        kept = rng.random(len(last)) < accepted / weights.max()
        found.append(np.column_stack((counts, last))[kept])
        there += len(found[-1])
    counts = np.concatenate(found)[:size]
    ends = counts.cumsum(-1)
    types = 1 + (np.arange(m) >= ends[:, :-1, None]).sum(1)
    return rng.permuted(types.astype(np.int8), axis=-1)


def nearest(weights: Array, teachers: int, *, zero: float) -> Minima:
    """Return minima near the weights of trained students.

    A neuron takes the type of its largest coordinate, and is zero if its norm is below a threshold
    or that coordinate is none of the teacher's or not positive; sizes are scaled so that each type
    sums to 1.

    Args:
        weights: Shape (..., m, d).
        teachers: M.
        zero: Norm below which a neuron is taken to be zero, in units of the mean size M / m.

    Raises:
        UsageError: If a type is left without a neuron: such weights are near no minimum.
    """
    largest = weights.argmax(-1)
    top = np.take_along_axis(weights, largest[..., None], -1)[..., 0]
    gone = np.linalg.norm(weights, axis=-1) < zero * teachers / weights.shape[-2]
    dead = gone | (top <= 0) | (largest >= teachers)
    types = np.where(dead, 0, largest + 1).astype(np.int8)
    sizes = np.where(dead, 0.0, top)
    for j in range(1, teachers + 1):
        total = (sizes * (types == j)).sum(-1, keepdims=True)
        if (total == 0).any():
            raise UsageError(
                "Weights near a minimum have a neuron of each type.",
                got=f"no neuron near e_{j}",
                remedy="Train longer, or lower the threshold of a zero neuron.",
            )
        sizes = np.where(types == j, sizes / total, sizes)
    return Minima(types, sizes, teachers)
