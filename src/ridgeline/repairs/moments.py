"""Means and deviations of channels over a whole sample, streamed and exact.

Chunks are joined by the update of Chan, Golub & LeVeque (1983) for pairwise means and sums of
squares, in float64. A mean of the batches' deviations, or a moving average, is another number.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ridgeline.state import wide

__all__ = ["JointMoments", "Moments", "PairMoments", "columns"]


def columns(value: Tensor, axis: int) -> Tensor:
    """A value as a matrix with a column for each channel.

    Args:
        value: Of any shape.
        axis: Of the channels.

    Returns:
        Shape (observations, C): every sample and every position counts as one.
    """
    return value.movedim(axis, -1).reshape(-1, value.shape[axis])


@dataclass
class Moments:
    """Running mean and sum of squared deviations of C channels; float64, shape (C,) each."""

    n: int = 0
    mean: Tensor | None = None
    squares: Tensor | None = None

    def add(self, x: Tensor) -> None:
        """Take in observations.

        Args:
            x: Shape (observations, C).
        """
        n, x = len(x), wide(x)
        mean = x.mean(0, dtype=torch.float64)
        away = x - mean.to(x.dtype)
        squares = away.square().sum(0, dtype=torch.float64)
        squares -= away.sum(0, dtype=torch.float64).square() / n  # what rounding the mean added
        if self.mean is None or self.squares is None:
            self.n, self.mean, self.squares = n, mean, squares
            return
        total, delta = self.n + n, mean - self.mean
        self.squares += squares + delta.square() * (self.n * n / total)
        self.mean += delta * (n / total)
        self.n = total

    @property
    def variance(self) -> Tensor:
        """Over the sample (divided by n), shape (C,)."""
        assert self.squares is not None
        return (self.squares / self.n).clamp(min=0)

    @property
    def deviation(self) -> Tensor:
        """The standard deviation, shape (C,)."""
        return self.variance.sqrt()

    @property
    def average(self) -> Tensor:
        """The mean, shape (C,)."""
        assert self.mean is not None
        return self.mean


@dataclass
class PairMoments:
    """Moments of two networks' channels, and of each pair of like channels."""

    a: Moments
    b: Moments
    products: Tensor | None = None

    def add(self, x: Tensor, y: Tensor) -> None:
        """Take in observations of both networks, of the same samples.

        Args:
            x: Of a, shape (observations, C).
            y: Of b, the same shape.
        """
        n, x, y = len(x), wide(x), wide(y)
        p, q = x.mean(0, dtype=torch.float64), y.mean(0, dtype=torch.float64)
        left, right = x - p.to(x.dtype), y - q.to(y.dtype)
        products = (left * right).sum(0, dtype=torch.float64)
        rounded = left.sum(0, dtype=torch.float64) * right.sum(0, dtype=torch.float64)
        products -= rounded / n
        if self.products is None:
            self.products = products
        else:
            before = self.a.n
            share = before * n / (before + n)
            self.products += products + (p - self.a.average) * (q - self.b.average) * share
        self.a.add(x)
        self.b.add(y)

    @property
    def covariance(self) -> Tensor:
        """Covariance of each channel of a with the same of b, shape (C,)."""
        assert self.products is not None
        return self.products / self.a.n


class JointMoments:
    """Moments of k networks' channels; and of each pair of networks, if that is asked for.

    Args:
        count: k.
        pairs: Gather what two networks' channels have in common too: k (k - 1) / 2 sums.
    """

    def __init__(self, count: int, *, pairs: bool = False) -> None:
        self.each = [Moments() for _ in range(count)]
        """Of every network."""
        self.products: dict[tuple[int, int], PairMoments] = {}
        if pairs:
            both = itertools.combinations(range(count), 2)
            self.products = {(i, j): PairMoments(Moments(), Moments()) for i, j in both}

    def add(self, seen: Sequence[Tensor]) -> None:
        """Take in observations of all networks, of the same samples.

        Args:
            seen: One for each network, shape (observations, C).
        """
        for moments, x in zip(self.each, seen, strict=True):
            moments.add(x)
        for (i, j), pair in self.products.items():
            pair.add(seen[i], seen[j])

    def mixed(self, shares: Sequence[float]) -> Tensor:
        """The variance of the channels' sum with these shares, shape (C,)."""
        held = zip(shares, self.each, strict=True)
        total = torch.stack([w**2 * m.variance for w, m in held]).sum(0)
        for (i, j), pair in self.products.items():
            total = total + 2 * shares[i] * shares[j] * pair.covariance
        return total.clamp(min=0)
