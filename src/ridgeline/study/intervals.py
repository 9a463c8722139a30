"""Intervals over runs: how sure a number about several runs is, at 95 %.

Runs are few. A plain percentile bootstrap of five numbers covers 80 % where it says 95 %; the
expanded percentiles of Hesterberg (2015, "What Teachers Should Know About the Bootstrap",
section 5.3) widen it to what Student's t would give, and keep its asymmetry.
"""

from collections.abc import Iterator

import numpy as np
from scipy import stats

from ridgeline.measures import Array, Interval
from ridgeline.rng import seed_of

__all__ = ["CONFIDENCE", "difference", "mean", "share", "spearman"]

CONFIDENCE = 0.95
RESAMPLES = 20_000
FEWER = 4_000
"""Resamples of groups of unequal size."""


def share(hits: int, n: int) -> Interval:
    """The exact binomial interval of a share (Clopper & Pearson 1934)."""
    found = stats.binomtest(hits, n).proportion_ci(CONFIDENCE, method="exact")
    return float(found.low), float(found.high)


def mean(values: Array) -> Interval:
    """Of the mean of a number a run, by bootstrap over runs with expanded percentiles."""
    values = np.asarray(values, dtype=np.float64)
    return _span(values[_draws(len(values))].mean(1), len(values))


def difference(more: Array, less: Array, *, shares: bool = False) -> tuple[float, Interval]:
    """Of the difference of two groups' means, with the difference.

    By bootstrap over the runs of each group.

    Args:
        more: One number a run.
        less: Likewise, of the other group.
        shares: Whether they are outcomes, 0 or 1: then by Newcombe's hybrid score interval (1998,
            method 10), which does not collapse where all runs of a group agree.
    """
    more, less = np.asarray(more, dtype=np.float64), np.asarray(less, dtype=np.float64)
    middle = float(more.mean() - less.mean())
    if shares:
        return middle, _newcombe(more, less)
    draws = more[_draws(len(more), 0)].mean(1) - less[_draws(len(less), 1)].mean(1)
    return middle, _span(draws, min(len(more), len(less)))


def spearman(x: Array, y: Array, groups: Array | None = None) -> tuple[float, Interval]:
    """Of Spearman's rank correlation, by bootstrap over runs, with the correlation.

    NaN where one of the two does not vary.

    Args:
        x: One number a run.
        y: Another.
        groups: Which group each run is of. Runs of one group, as those of one seed at several
            depths, are drawn together: they are not independent.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan"), (float("nan"), float("nan"))
    middle = float(np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1])
    names = np.arange(len(x)) if groups is None else np.asarray(groups)
    members = [np.flatnonzero(names == name) for name in dict.fromkeys(names.tolist())]
    drawn = np.concatenate([_correlations(x, y, at) for at in _resampled(members)])
    low, high = _span(drawn[np.isfinite(drawn)], len(members))
    return middle, (max(low, -1.0), min(high, 1.0))


def _resampled(members: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Rows of the resamples, each of shape (resamples, rows): whole groups are drawn."""
    draws = _draws(len(members))
    if len({len(of) for of in members}) == 1:
        yield np.array(members)[draws].reshape(RESAMPLES, -1)
        return
    for chosen in draws[:FEWER]:  # resamples of unequal length, one by one
        yield np.concatenate([members[i] for i in chosen])[None]


def _correlations(x: Array, y: Array, at: np.ndarray) -> Array:
    """Spearman's coefficient of each resample; NaN where one of the two does not vary."""
    a, b = (stats.rankdata(values[at], axis=1) for values in (x, y))
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    size = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return np.divide((a * b).sum(1), size, out=np.full(len(at), np.nan), where=size > 0)


def _newcombe(more: Array, less: Array) -> Interval:
    (p, (l1, u1)), (q, (l2, u2)) = _wilson(more), _wilson(less)
    low = p - q - float(np.hypot(p - l1, u2 - q))
    return low, p - q + float(np.hypot(u1 - p, q - l2))


def _wilson(values: Array) -> tuple[float, Interval]:
    found = stats.binomtest(int(values.sum()), len(values)).proportion_ci(CONFIDENCE, "wilson")
    return float(values.mean()), (float(found.low), float(found.high))


def _draws(n: int, stream: int = 0) -> np.ndarray:
    """Indices of the resamples, the same for the same n: a verdict is no matter of chance."""
    return np.random.default_rng(seed_of(n, "bootstrap", stream)).integers(n, size=(RESAMPLES, n))


def _span(drawn: Array, n: int) -> Interval:
    if n < 2:
        return float("nan"), float("nan")
    t = stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1) * np.sqrt(n / (n - 1))
    tail = float(stats.norm.cdf(-t))
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return float(low), float(high)
