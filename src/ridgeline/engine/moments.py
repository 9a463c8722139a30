"""First and second moments of per-sample values at K positions, gathered in one pass.

Values are paired: the same samples at every position. What is kept is the sum and the K x K
cross products (never the N x K values), both about a fixed shift so that nothing cancels.
A barrier is a linear function of the K means, and its standard error follows from their
covariance; because neighbouring positions move together it is much smaller than the means' own.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Moments"]


@dataclass
class Moments:
    """Running moments of one metric.

    Args:
        positions: K.
        joint: Keep the K x K cross products; otherwise only their diagonal.
        strata: Number of classes that samples are stratified by. Cross products are then taken
            about each stratum's own mean: the variance that proportional allocation removes.
    """

    positions: int
    joint: bool = True
    strata: int = 1
    n: int = 0
    nonfinite: NDArray[np.int64] = field(init=False)
    """How many values were NaN or infinite, at each position."""
    _shift: NDArray[np.float64] | None = field(default=None, init=False)
    _sum: NDArray[np.float64] = field(init=False)
    _products: NDArray[np.float64] = field(init=False)
    _count: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        k = self.positions
        self.nonfinite = np.zeros(k, dtype=np.int64)
        self._sum = np.zeros((self.strata, k))
        self._products = np.zeros((k, k) if self.joint else k)
        self._count = np.zeros(self.strata)

    def add(self, values: Tensor, strata: Tensor | None = None) -> None:
        """Take in the values of B samples.

        Args:
            values: Shape (K, B).
            strata: Stratum of each sample, shape (B,); all in the first by default.
        """
        x = values.detach().to("cpu", torch.float64).numpy()
        self.nonfinite += (~np.isfinite(x)).sum(1)
        if self._shift is None:
            first = x.mean(1)
            self._shift = np.where(np.isfinite(first), first, 0.0)
        x = x - self._shift[:, None]
        at = np.zeros(x.shape[1], dtype=np.int64) if strata is None else strata.cpu().numpy()
        with np.errstate(invalid="ignore", over="ignore"):  # NaN and infinity are carried
            for stratum in range(self.strata):
                self._sum[stratum] += (x if self.strata == 1 else x[:, at == stratum]).sum(1)
            # By torch, whose threads the network ran on: numpy's own would fight with them.
            y = torch.from_numpy(x)
            self._products += (y @ y.T if self.joint else y.square().sum(1)).numpy()
        self._count += np.bincount(at, minlength=self.strata)
        self.n += x.shape[1]

    @property
    def mean(self) -> NDArray[np.float64]:
        """Shape (K,); NaN or infinite where a value was."""
        assert self._shift is not None
        with np.errstate(invalid="ignore"):
            return self._shift + self._sum.sum(0) / self.n

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Of one sample's values within its stratum: (K, K), or the diagonal (K,) if not joint."""
        live = self._count > 0
        means = self._sum[live] / self._count[live, None]
        with np.errstate(invalid="ignore"):
            if self.joint:
                about = (means * self._count[live, None]).T @ means
            else:
                about = (self._count[live, None] * means**2).sum(0)
            freedom = max(1, self.n - int(live.sum()))
            return (self._products - about) / freedom
