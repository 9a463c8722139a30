"""Estimates over rows that may come in clusters: means, shares, correlations, with intervals."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ridgeline.errors import UsageError
from ridgeline.frame import intervals
from ridgeline.measures import Array

__all__ = ["Estimate", "mean_of", "share_of", "spearman_of"]

Clusters = Sequence[Sequence[Hashable]] | None
"""For each column of clusters, the cluster of every row."""


@dataclass(frozen=True)
class Estimate:
    """A number about rows, with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int
    """Independent units: rows, or clusters of them."""
    left_out: int = 0
    """Rows whose number is not finite, which are in no estimate."""

    def __str__(self) -> str:
        lost = f", {self.left_out} not finite" if self.left_out else ""
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}] (n = {self.n}{lost})"

    def columns(self, name: str) -> dict[str, Any]:
        """Return it as columns of a row."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high, "n": self.n}


def mean_of(values: Array, clusters: Clusters) -> Estimate:
    """Estimate the mean of what is finite; see `Frame.mean`."""
    values = np.asarray(values, dtype=np.float64)
    good = np.isfinite(values)
    codes = None if clusters is None else [_codes(c, good) for c in clusters]
    lost, values = int((~good).sum()), values[good]
    if not len(values):
        return Estimate(np.nan, np.nan, np.nan, 0, lost)
    middle = float(values.mean())
    if codes is None:
        span, n = intervals.mean(values), len(values)
    elif len(codes) == 1:
        span, n = intervals.clustered_mean(values, codes[0]), int(codes[0].max()) + 1
    else:
        ends = np.unique(np.concatenate(_joint(clusters, good)), return_inverse=True)[1]
        one, other = ends[: len(values)], ends[len(values) :]
        span, n = intervals.pair_mean(values, one, other), int(ends.max()) + 1
    return Estimate(middle, *span, n, lost)


def share_of(values: Array, clusters: Clusters, name: str) -> Estimate:
    """Estimate the share of what is true; see `Frame.share`."""
    found = np.asarray(values, dtype=np.float64)
    if not np.isin(found[~np.isnan(found)], (0.0, 1.0)).all():
        raise UsageError("A share is of a column that is true or false.", got=f"column {name!r}")
    if clusters is not None and len(clusters) > 1:
        return mean_of(found, clusters)
    good = np.isfinite(found)
    lost, outcomes = int((~good).sum()), found[good]
    if not len(outcomes):
        return Estimate(np.nan, np.nan, np.nan, 0, lost)
    middle, n, count = float(outcomes.mean()), float(len(outcomes)), len(outcomes)
    if clusters is not None:
        codes = _codes(clusters[0], good)
        n, count = intervals.effective(outcomes, codes), int(codes.max()) + 1
    return Estimate(middle, *intervals.share(middle * n, n), count, lost)


def spearman_of(x: Array, y: Array, clusters: Clusters) -> Estimate:
    """Estimate the rank correlation of what is there on both sides; see `Frame.correlate`."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    good = ~(np.isnan(x) | np.isnan(y))
    lost = int((~good).sum())
    if good.sum() < 2:
        return Estimate(np.nan, np.nan, np.nan, int(good.sum()), lost)
    if clusters is not None and len(clusters) > 1:
        raise UsageError(
            "A correlation draws clusters of one column.",
            got="two columns of clusters",
            remedy='Say which: `correlate(x, y, cluster="a")`, or `cluster=None`.',
        )
    groups = None if clusters is None else _codes(clusters[0], good)
    middle, span = intervals.spearman(x[good], y[good], groups)
    n = int(good.sum()) if groups is None else int(groups.max()) + 1
    return Estimate(middle, *span, n, lost)


def _codes(clusters: Sequence[Hashable], good: np.ndarray) -> np.ndarray:
    """Number the clusters of the rows that count, in the order in which they occur."""
    chosen = [one for one, counts in zip(clusters, good, strict=True) if counts]
    codes = {one: i for i, one in enumerate(dict.fromkeys(chosen))}
    return np.array([codes[one] for one in chosen], dtype=np.int64)


def _joint(clusters: Clusters, good: np.ndarray) -> list[np.ndarray]:
    """Number the ends of pairs, one list of numbers for both columns."""
    assert clusters is not None
    chosen = [[one for one, counts in zip(c, good, strict=True) if counts] for c in clusters]
    codes = {one: i for i, one in enumerate(dict.fromkeys(x for ends in chosen for x in ends))}
    return [np.array([codes[one] for one in ends], dtype=np.int64) for ends in chosen]
