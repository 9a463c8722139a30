"""The network of homogeneous weights: its outputs, its loss, its start and its data."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ridgeline.errors import UsageError
from ridgeline.rng import seed_of

__all__ = ["Array", "Labels", "Problem", "cross_entropy", "jacobian", "outputs", "velocity"]

Array = NDArray[np.float64]
Labels = NDArray[np.int64]


def outputs(weights: Array, biases: Array, inputs: Array, degree: int) -> Array:
    """``<W_i, x>^r + b_i``.

    Args:
        weights: Shape (..., k, d).
        biases: Shape (..., k).
        inputs: Shape (n, d).
        degree: r.

    Returns:
        Shape (..., n, k).
    """
    return (inputs @ weights.swapaxes(-1, -2)) ** degree + biases[..., None, :]


def velocity(
    weights: Array, biases: Array, inputs: Array, labels: Labels, degree: int
) -> tuple[Array, Array]:
    """Minus the gradient of the mean cross entropy: what gradient flow moves by [derived].

    ``dW_i/dt = r E[(1{y=i} - u_i) <W_i, x>^(r-1) x]`` and ``db_i/dt = E[1{y=i} - u_i]`` with u the
    softmax of the outputs.

    Args:
        weights: Shape (k, d).
        biases: Shape (k,).
        inputs: Shape (n, d).
        labels: Classes, shape (n,).
        degree: r.

    Returns:
        The velocities of weights and biases.
    """
    rows = np.arange(len(labels))
    inner = inputs @ weights.T
    power = inner ** (degree - 1)
    scores = power * inner + biases
    scores -= scores.max(1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= -scores.sum(1, keepdims=True)
    scores[rows, labels] += 1  # the indicator less the softmax
    scores /= len(labels)
    return degree * (scores * power).T @ inputs, scores.sum(0)


def jacobian(weights: Array, biases: Array, inputs: Array, labels: Labels, degree: int) -> Array:
    """The derivative of `velocity` by weights (row by row) and biases.

    Without it an implicit integrator takes differences, whose rounding stops it on long flows.

    Args:
        weights: Shape (k, d).
        biases: Shape (k,).
        inputs: Shape (n, d).
        labels: Classes, shape (n,).
        degree: r.

    Returns:
        Symmetric, shape (k d + k, k d + k).
    """
    k, n, r = len(biases), len(labels), degree
    inner = inputs @ weights.T
    power = inner ** (r - 1)
    scores = power * inner + biases
    u = np.exp(scores - scores.max(1, keepdims=True))
    u /= u.sum(1, keepdims=True)
    bend = u[:, :, None] * u[:, None, :]  # minus the derivative of the softmax
    own = np.arange(k)
    bend[:, own, own] -= u
    slope = r * power
    mixed = slope[:, :, None] * bend
    both = mixed * slope[:, None, :]
    rest = -u
    rest[np.arange(n), labels] += 1
    both[:, own, own] += rest * r * (r - 1) * inner ** (r - 2)
    size = weights.size
    found = np.empty((size + k, size + k))
    found[:size, :size] = np.einsum("sij,sa,sb->iajb", both, inputs, inputs, optimize=True).reshape(
        size, size
    )
    found[:size, size:] = np.einsum("sij,sa->iaj", mixed, inputs).reshape(size, k)
    found[size:, :size] = found[:size, size:].T
    found[size:, size:] = bend.sum(0)
    return found / n


def cross_entropy(scores: Array, labels: Labels) -> Array:
    """Cross entropy of each sample, shape (..., n)."""
    shifted = scores - scores.max(-1, keepdims=True)
    own = shifted[..., np.arange(len(labels)), labels]
    return np.log(np.exp(shifted).sum(-1)) - own


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A problem of this model: data, start and degree.

    Args:
        classes: k, at least 2.
        degree: r of the weights, at least 2.
        scale: Standard deviation of the first weights; biases start at zero.
        noise: Inputs are ``e_y + N(0, noise^2 / dimension)``; 0 gives the unit vectors.
        dimension: Of inputs, at least k; k by default.
        per_class: Samples in each class; 1 without noise and 10 with it by default.
        positive_diagonal: Take the absolute value of each W_ii at the start. By default for odd
            degrees, where a negative one can only crawl to zero.
        seed: Names the draws.

    Raises:
        UsageError: If a number is outside its range.
    """

    classes: int = 4
    degree: int = 4
    scale: float = 0.1
    noise: float = 0.0
    dimension: int | None = None
    per_class: int | None = None
    positive_diagonal: bool | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        width = self.classes if self.dimension is None else self.dimension
        if (
            self.classes < 2
            or self.degree < 2
            or width < self.classes
            or (self.per_class is not None and self.per_class < 1)
        ):
            raise UsageError(
                "There are at least two classes, a degree of at least 2, as many dimensions as "
                "classes and a sample in each.",
                got=f"{self}",
            )
        if not (0 < self.scale < math.inf and 0 <= self.noise < math.inf):
            raise UsageError(
                "The scale is positive and the noise not negative, both finite.",
                got=f"scale {self.scale}, noise {self.noise}",
            )

    @cached_property
    def data(self) -> tuple[Array, Labels]:
        """Inputs (n, d) and classes (n,), as many of each."""
        each = self.per_class or (10 if self.noise else 1)
        labels = np.repeat(np.arange(self.classes), each)
        inputs = np.eye(self.classes, self.dimension)[labels]
        draws = np.random.default_rng(seed_of(self.seed, "homogeneous", "noise"))
        spread = self.noise / math.sqrt(inputs.shape[1])
        return inputs + spread * draws.standard_normal(inputs.shape), labels

    @cached_property
    def initial(self) -> Array:
        """Weights at time 0, shape (k, d)."""
        width = self.dimension or self.classes
        draws = np.random.default_rng(seed_of(self.seed, "homogeneous", "init"))
        weights = self.scale * draws.standard_normal((self.classes, width))
        positive = (
            self.degree % 2 == 1 if self.positive_diagonal is None else self.positive_diagonal
        )
        if positive:
            own = np.arange(self.classes)
            weights[own, own] = np.abs(weights[own, own])
        return weights

    def unpack(self, z: Array) -> tuple[Array, Array]:
        """Weights (..., k, d) and biases (..., k) of what is integrated, (..., k d + k - 1).

        Biases sum to zero at all times. The last is integrated as minus the sum of the others:
        over times of 1e7 the rounding of k separate ones would add up to 1e-10.
        """
        shape, size = self.initial.shape, self.initial.size
        free = z[..., size:]
        biases = np.concatenate((free, -free.sum(-1, keepdims=True)), -1)
        return z[..., :size].reshape(*z.shape[:-1], *shape), biases
