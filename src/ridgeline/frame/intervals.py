"""Intervals over runs: how sure a number about several runs is, at 95 %.

Runs are few. A plain percentile bootstrap of five numbers covers 80 % where it says 95 %; the
expanded percentiles of Hesterberg (2015, "What Teachers Should Know About the Bootstrap",
section 5.3) widen it to what Student's t would give, and keep its asymmetry.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import betaincinv, ndtr, ndtri, stdtrit

from ridgeline.measures import Array, Interval
from ridgeline.rng import seed_of

__all__ = [
    "CONFIDENCE",
    "clustered_mean",
    "decides",
    "difference",
    "effective",
    "mean",
    "pair_mean",
    "share",
    "spearman",
]

CONFIDENCE = 0.95
RESAMPLES = 20_000
FEWER = 4_000
"""Resamples of groups of unequal size."""


def share(hits: float, n: float) -> Interval:
    """The exact binomial interval of a share (Clopper & Pearson 1934).

    Args:
        hits: Cases in which it is so.
        n: Cases; an effective number of them need not be whole.
    """
    tail = (1 - CONFIDENCE) / 2
    low = betaincinv(hits, n - hits + 1, tail) if hits > 0 else 0.0
    high = betaincinv(hits + 1, n - hits, 1 - tail) if hits < n else 1.0
    return float(low), float(high)


def decides(side: str, at: float) -> int:
    """The fewest independent cases of which a share can be on one side of a threshold.

    That is, if all (above) or none (below) of them are hits. For a share above 1/2: six.
    """
    tail = (1 - CONFIDENCE) / 2
    worst = at if side == "above" else 1 - at
    return 1 + int(np.floor(np.log(tail) / np.log(worst))) if 0 < worst < 1 else 1


def effective(values: Array, groups: np.ndarray) -> float:
    """The number of independent outcomes that tell as much as these, which come in groups.

    Korn & Graubard (1998, "Confidence intervals for proportions with small expected number of
    positive counts estimated from survey data"): the binomial variance over the variance that
    the groups' differences give, less what estimating the latter from few groups costs; never
    more than there are. Where all outcomes agree the variance cannot be seen: then that of one
    exception is taken.

    Args:
        values: Outcomes, 0 or 1.
        groups: Which group each is of.
    """
    n, names = len(values), np.unique(groups, return_inverse=True)[1]
    count = int(names.max()) + 1
    if count < 2:
        return 1.0
    if count == n:
        return float(n)
    if np.ptp(values) == 0:
        values = values.copy()
        values[0] = 1 - values[0]
    middle = values.mean()
    residues = np.bincount(names, values - middle)
    variance = count / (count - 1) * (residues**2).sum() / n**2
    cost = (stdtrit(n - 1, 0.5 + CONFIDENCE / 2) / stdtrit(count - 1, 0.5 + CONFIDENCE / 2)) ** 2
    return float(min(n, middle * (1 - middle) / variance * cost)) if variance > 0 else float(n)


def mean(values: Array) -> Interval:
    """Interval of the mean of a number a run, by bootstrap over runs with expanded percentiles."""
    values = np.asarray(values, dtype=np.float64)
    return _span(values[_draws(len(values))].mean(1), len(values))


def clustered_mean(values: Array, groups: np.ndarray) -> Interval:
    """Interval of the mean of numbers that come in groups: whole groups are drawn.

    Args:
        values: One a case.
        groups: Which group each is of, numbered from 0.
    """
    values, count = np.asarray(values, dtype=np.float64), int(groups.max()) + 1
    sizes = np.bincount(groups, minlength=count)
    if (sizes == 1).all():
        return mean(values)
    sums, at = np.bincount(groups, values, minlength=count), _draws(count)
    return _span(sums[at].sum(1) / sizes[at].sum(1), count)


def pair_mean(values: Array, one: np.ndarray, other: np.ndarray) -> Interval:
    """Interval of the mean over pairs in which networks recur: networks are drawn.

    The vertex bootstrap (Snijders & Borgatti 1999): a pair counts as often as both of its networks
    were drawn. A network that was drawn twice makes no pair with itself. Of pairs that have nothing
    in common but their networks' names it is up to twice as wide as `mean`'s.

    Args:
        values: One a pair.
        one: A network of each pair, numbered from 0 over both.
        other: The other.
    """
    values = np.asarray(values, dtype=np.float64)
    count = int(max(one.max(), other.max())) + 1
    if count < 3:
        return float("nan"), float("nan")
    times = np.array([np.bincount(at, minlength=count) for at in _draws(count)[:FEWER]])
    weights = times[:, one] * times[:, other]
    total = weights.sum(1)
    drawn = (weights @ values)[total > 0] / total[total > 0]
    return _span(drawn, count)


def difference(
    more: Array,
    less: Array,
    *,
    shares: bool = False,
    groups: Sequence[np.ndarray] | None = None,
) -> tuple[float, Interval]:
    """Interval of the difference of two sides' means, with the difference.

    By bootstrap over the runs of each side. With groups whole groups are drawn, and each counts
    once on a side: one that is on both sides is drawn for both, so that a difference of pairs is
    the mean difference of a pair.

    Args:
        more: One number a run.
        less: Likewise, of the other side.
        shares: Whether they are outcomes, 0 or 1: then by Newcombe's hybrid score interval (1998,
            method 10), which does not collapse where all runs of a side agree; it takes the
            sides as independent, which makes it too wide for pairs.
        groups: Which group each run is of, on either side: runs of one group, as those of one
            seed, are not independent.
    """
    more, less = np.asarray(more, dtype=np.float64), np.asarray(less, dtype=np.float64)
    if shares:
        counts = [len(more), len(less)]
        if groups is not None:
            counts = [
                effective(v, np.asarray(g)) for v, g in zip((more, less), groups, strict=True)
            ]
        middle = float(more.mean() - less.mean())
        return middle, _newcombe((float(more.mean()), counts[0]), (float(less.mean()), counts[1]))
    if groups is None:
        groups = (np.arange(len(more)), np.arange(len(less)) + len(more))
    sides = [_by_group(v, g) for v, g in zip((more, less), groups, strict=True)]
    middle = float(np.mean(list(sides[0].values())) - np.mean(list(sides[1].values())))
    # Groups on both sides, on one, on the other: each kind is drawn from its own.
    kinds = ([g for g in sides[0] if g in sides[1]], *_only(*sides))
    total, count = [np.zeros(RESAMPLES)] * 2, [0, 0]
    for stream, kind in enumerate(kinds):
        if not kind:
            continue
        at = _draws(len(kind), stream)
        for i, side in enumerate(sides):
            if kind[0] in side:
                total[i] = total[i] + np.array([side[g] for g in kind])[at].sum(1)
                count[i] += len(kind)
    fewest = min(len(side) for side in sides)
    return middle, _span(total[0] / count[0] - total[1] / count[1], fewest)


def _by_group(values: Array, groups: np.ndarray) -> dict[Any, float]:
    names = np.asarray(groups).tolist()
    return {g: float(values[[n == g for n in names]].mean()) for g in dict.fromkeys(names)}


def _only(one: Mapping[Any, float], other: Mapping[Any, float]) -> tuple[list[Any], list[Any]]:
    return [g for g in one if g not in other], [g for g in other if g not in one]


def spearman(x: Array, y: Array, groups: np.ndarray | None = None) -> tuple[float, Interval]:
    """Interval of Spearman's rank correlation, by bootstrap over runs, with the correlation.

    NaN where one of the two does not vary.

    Args:
        x: One number a run; infinite ones are the largest, or the smallest.
        y: Another.
        groups: Which group each run is of. Runs of one group, as those of one seed at several
            depths, are drawn together: they are not independent.
    """
    # Ranks at once: infinities have them, and ranks of ranks are the same.
    x, y = (_ranks(np.asarray(values, dtype=np.float64)) for values in (x, y))
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan"), (float("nan"), float("nan"))
    middle = float(np.corrcoef(x, y)[0, 1])
    names = np.arange(len(x)) if groups is None else np.asarray(groups)
    members = [np.flatnonzero(names == name) for name in dict.fromkeys(names.tolist())]
    drawn = np.concatenate([_correlations(x, y, at) for at in _resampled(members)])
    low, high = _span(drawn[np.isfinite(drawn)], len(members))
    return middle, (max(low, -1.0), min(high, 1.0))


def _ranks(values: Array) -> Array:
    """Ranks along the last axis; those that tie share the mean of theirs."""
    from scipy.stats import rankdata  # half a second, and a list of studies asks for none

    return rankdata(values, axis=-1)


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
    a, b = (_ranks(values[at]) for values in (x, y))
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    size = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return np.divide((a * b).sum(1), size, out=np.full(len(at), np.nan), where=size > 0)


def _newcombe(more: tuple[float, float], less: tuple[float, float]) -> Interval:
    """Interval of the difference of two shares, each with its number of cases."""
    (p, (l1, u1)), (q, (l2, u2)) = (more[0], _wilson(*more)), (less[0], _wilson(*less))
    low = p - q - float(np.hypot(p - l1, u2 - q))
    return low, p - q + float(np.hypot(u1 - p, q - l2))


def _wilson(share: float, n: float) -> Interval:
    z = float(ndtri(0.5 + CONFIDENCE / 2))
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * float(np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _draws(n: int, stream: int = 0) -> np.ndarray:
    """Indices of the resamples, the same for the same n: a verdict is no matter of chance."""
    return np.random.default_rng(seed_of(n, "bootstrap", stream)).integers(n, size=(RESAMPLES, n))


def _span(drawn: Array, n: int) -> Interval:
    if n < 2:
        return float("nan"), float("nan")
    t = stdtrit(n - 1, 0.5 + CONFIDENCE / 2) * np.sqrt(n / (n - 1))
    tail = float(ndtr(-t))
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return float(low), float(high)
