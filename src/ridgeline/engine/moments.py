"""First and second moments of per-sample values at K positions, gathered in one pass.

Values are paired: the same samples at every position. What is kept is the sum and the K x K
cross products (never the N x K values), both about a fixed shift so that nothing cancels.
A barrier is a linear function of the K means, and its standard error follows from their
covariance; because neighbouring positions move together it is much smaller than the means' own.

Where samples weigh differently a mean is the ratio ``R = sum w v / sum w``. To first order its
error is that of the mean of ``w (v - R) / mean(w)`` (Cochran 1977, section 6.3), of which second
moments are quadratic forms of those of ``w v`` and ``w``, so that the pass keeps these: 2K rows
in place of K. A weight of 0 leaves a sample out, and n counts the others: with weights of 0 and
1 mean and standard error are those of the samples that count, as if there were no others.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Moments"]

Array = NDArray[np.float64]


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
    """Samples that count: those with a weight."""
    left_out: int = 0
    """Samples that were evaluated and weigh nothing at any position."""
    nonfinite: NDArray[np.int64] = field(init=False)
    """Number of values that were NaN or infinite, at each position."""
    _weighted: bool = field(default=False, init=False)
    _shift: Array | None = field(default=None, init=False)
    _sum: Array = field(init=False)
    _products: Array = field(init=False)
    """Products of rows ``w v`` and, if samples weigh differently, ``w``: (R, R); if not joint, of
    each row with itself and each ``w v`` with its ``w``: (1, K) or (3, K)."""
    _evaluated: Array = field(init=False)
    _counted: Array = field(init=False)

    def __post_init__(self) -> None:
        k = self.positions
        self.nonfinite = np.zeros(k, dtype=np.int64)
        self._sum = np.zeros((self.strata, k))
        self._products = np.zeros((k, k) if self.joint else (1, k))
        self._evaluated, self._counted = np.zeros(self.strata), np.zeros(self.strata)

    def add(
        self, values: Tensor, strata: Tensor | None = None, weights: Tensor | None = None
    ) -> None:
        """Take in the values of B samples.

        Args:
            values: Shape (K, B).
            strata: Stratum of each sample, shape (B,); all in the first by default.
            weights: What each value weighs, shape (K, B); all alike by default.
        """
        x = values.detach().to("cpu", torch.float64).numpy()
        w = None if weights is None else weights.detach().to("cpu", torch.float64).numpy()
        if w is None and self._weighted:
            w = np.ones_like(x)
        elif w is not None and not self._weighted:
            self._weigh()
        if w is not None:
            x = np.where(w > 0, x, 0.0)  # of what does not count nothing is asked
        self.nonfinite += (~np.isfinite(x)).sum(1)
        if self._shift is None:
            first = x.mean(1) if w is None else (w * x).sum(1) / np.maximum(w.sum(1), 1e-300)
            self._shift = np.where(np.isfinite(first), first, 0.0)
        rows = x - self._shift[:, None]
        if w is not None:
            rows = np.concatenate([np.where(w > 0, w * rows, 0.0), w])
        at = np.zeros(x.shape[1], dtype=np.int64) if strata is None else strata.cpu().numpy()
        with np.errstate(invalid="ignore", over="ignore"):  # NaN and infinity are carried
            for stratum in range(self.strata):
                own = rows if self.strata == 1 else rows[:, at == stratum]
                self._sum[stratum] += own.sum(1)
            self._products += self._products_of(rows)
        live = np.ones(x.shape[1], dtype=bool) if w is None else (w > 0).any(0)
        self._evaluated += np.bincount(at, minlength=self.strata)
        self._counted += np.bincount(at[live], minlength=self.strata)
        self.n += int(live.sum())
        self.left_out += int((~live).sum())

    def _products_of(self, rows: Array) -> Array:
        # By torch, whose threads the network ran on: numpy's own would fight with them.
        y = torch.from_numpy(rows)
        if self.joint:
            return (y @ y.T).numpy()
        u, w = y[: self.positions], y[self.positions :]
        pairs = [u * u] if not len(w) else [u * u, u * w, w * w]
        return torch.stack([p.sum(1) for p in pairs]).numpy()

    def _weigh(self) -> None:
        """Go on with weights: those of the samples so far were 1."""
        k, self._weighted = self.positions, True
        sums, ones = self._sum.sum(0), np.ones(k)
        if self.joint:
            cross = np.outer(sums, ones)
            alike = np.full((k, k), float(self.n))
            self._products = np.block([[self._products, cross], [cross.T, alike]])
        else:
            self._products = np.stack([self._products[0], sums, self.n * ones])
        self._sum = np.hstack([self._sum, np.outer(self._evaluated, ones)])

    @property
    def mean(self) -> Array:
        """Shape (K,); NaN or infinite where a value was, NaN where nothing counts."""
        assert self._shift is not None
        return self._shift + self._ratio

    @property
    def _ratio(self) -> Array:
        """The mean less the shift."""
        total, k = self._sum.sum(0), self.positions
        with np.errstate(invalid="ignore", divide="ignore"):
            return total[:k] / (total[k:] if self._weighted else self.n)

    @property
    def covariance(self) -> Array:
        """Return that of a sample's values in its stratum: (K, K); the diagonal (K,) if not joint.

        Of weighted samples that of their linearised values, so that divided by n it is that of
        the means, to first order.
        """
        live = self._evaluated > 0
        count, k = self._evaluated[live, None], self.positions
        means = self._sum[live] / count
        rest = self.n - int((self._counted > 0).sum())
        freedom = rest if rest > 0 else np.nan  # one sample tells of no spread
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            if self.joint:
                within = self._products - (means * count).T @ means
            else:
                u, w = means[:, :k], means[:, k:]
                pairs = [u * u] if not self._weighted else [u * u, u * w, w * w]
                within = self._products - np.stack([(count * p).sum(0) for p in pairs])
            if not self._weighted:
                return (within if self.joint else within[0]) / freedom
            ratio, share = self._ratio, self._sum.sum(0)[k:] / self.n
            if self.joint:
                uw = within[:k, k:]
                about = within[:k, :k] - uw * ratio - (uw * ratio).T
                about = about + np.outer(ratio, ratio) * within[k:, k:]
                return about / np.outer(share, share) / freedom
            about = within[0] - 2 * ratio * within[1] + ratio**2 * within[2]
            return about / share**2 / freedom
