"""Means and deviations of channels over a whole sample, streamed and exact.

Chunks are joined by the update of Chan, Golub & LeVeque (1983) for pairwise means and sums of
squares, in float64. A mean of the batches' deviations, or a moving average, is another number.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Moments", "PairMoments", "columns"]


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
        n, mean = len(x), x.mean(0, dtype=torch.float64)
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
        n = len(x)
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
        """Of each channel of a with the same of b, shape (C,)."""
        assert self.products is not None
        return self.products / self.a.n
