"""Barriers between all pairs of networks, and which networks belong together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from ridgeline.errors import UsageError
from ridgeline.measures import Array, BarrierKind
from ridgeline.objective import Objective
from ridgeline.paths import Grid, Line
from ridgeline.profiles import profile
from ridgeline.progress import Progress
from ridgeline.state import State

__all__ = ["BarrierMatrix", "Clusters", "barrier_matrix"]


@dataclass(frozen=True, eq=False)
class Clusters:
    """Networks grouped by the barriers between them."""

    labels: dict[str, int]
    """Name to cluster, counted from 1 in the order of the networks."""
    linkage: Array
    """The tree of average linkage, shape (k - 1, 4), as scipy writes it."""

    @property
    def groups(self) -> list[list[str]]:
        """The names of each cluster."""
        count = max(self.labels.values())
        return [[n for n, x in self.labels.items() if x == c] for c in range(1, count + 1)]

    def __str__(self) -> str:
        return "; ".join(", ".join(group) for group in self.groups)


@dataclass(frozen=True, eq=False)
class BarrierMatrix:
    """The barriers between k networks."""

    names: tuple[str, ...]
    heights: Array
    """Shape (k, k), symmetrical, zero on the diagonal; in the metric's units."""
    stderr: Array
    """Of each height over samples, shape (k, k)."""
    kind: BarrierKind
    metric: str
    n: int
    """Samples that each barrier is of."""

    def between(self, pairs: Sequence[tuple[int, int]] | None = None) -> Array:
        """The heights of some pairs of positions; of all pairs i < j by default."""
        wanted = pairs if pairs is not None else list(combinations(range(len(self.names)), 2))
        return np.array([self.heights[i, j] for i, j in wanted])

    def clusters(self, *, count: int | None = None, height: float | None = None) -> Clusters:
        """Average linkage with barriers as distances (after Juneja et al. 2022 [memory]).

        They took convexity gaps as distances (``kind="convexity_gap"``), and spectral
        clustering; average linkage needs no scale and no number of clusters. Heights below zero
        count as zero.

        Args:
            count: How many clusters there are to be.
            height: Or the mean barrier between clusters above which they stay apart.

        Raises:
            UsageError: If not exactly one of the two is given, there are fewer than two
                networks, or a barrier is not finite.
        """
        if (count is None) == (height is None):
            raise UsageError("Give how many clusters, or at what height to cut.", got="not one")
        size = len(self.names)
        if size < 2 or (count is not None and not 1 <= count <= size):
            raise UsageError(
                "There are 1 to k clusters of k >= 2 networks.", got=f"{count}, {size}"
            )
        if not np.isfinite(self.heights).all():
            i, j = np.argwhere(~np.isfinite(self.heights))[0]
            raise UsageError(
                "Barriers that networks are clustered by are finite.",
                got=f"{self.heights[i, j]} between {self.names[i]} and {self.names[j]}",
            )
        tree = linkage(squareform(np.maximum(self.heights, 0), checks=False), "average")
        cut = (count, "maxclust") if count is not None else (height, "distance")
        found = fcluster(tree, *cut)
        order = list(dict.fromkeys(found.tolist()))  # by the first network of each
        labels = {n: order.index(c) + 1 for n, c in zip(self.names, found.tolist(), strict=True)}
        return Clusters(labels, tree)

    def __str__(self) -> str:
        pairs = self.between()
        return (
            f"{self.kind} barriers in {self.metric} between {len(self.names)} networks: "
            f"{pairs.min():.4g} to {pairs.max():.4g}, mean {pairs.mean():.4g}; "
            f"{self.n} samples each"
        )


def barrier_matrix(
    states: Sequence[State],
    objective: Objective,
    *,
    names: Sequence[str] | None = None,
    align: Callable[[State, State], State] | None = None,
    kind: BarrierKind = "chord",
    metric: str = "loss",
    points: Grid = 11,
    progress: Progress | None = None,
) -> BarrierMatrix:
    """The barriers of the lines between all pairs of networks.

    Args:
        states: Two at least.
        objective: What is measured.
        names: Of the networks; ``0``, ``1``, ... by default.
        align: ``(a, b) -> b carried to a``, asked once for each pair i < j; none by default.
        kind: Of barrier; see `measures.barrier`. ``"convexity_gap"`` is that of Juneja et al.
        metric: Which of the objective's metrics.
        points: Positions on each line.
        progress: Told of pairs.

    Returns:
        A symmetrical matrix with standard errors.

    Raises:
        UsageError: If there are fewer than two states, or names are missing or double.
        UnknownName: If there is no such kind or metric.
        StateMismatch: If states differ in their tensors.
    """
    size = len(states)
    called = tuple(str(i) for i in range(size)) if names is None else tuple(names)
    if size < 2 or len(set(called)) != size or len(called) != size:
        raise UsageError(
            "Barriers are between two networks at least, each with a name of its own.",
            got=f"{size} states, names {', '.join(called)}",
        )
    heights, stderr = np.zeros((size, size)), np.zeros((size, size))
    pairs = list(combinations(range(size), 2))
    n = 0
    for done, (i, j) in enumerate(pairs, 1):
        a, b = states[i], states[j]
        curve = profile(Line(a, align(a, b) if align else b), objective, points=points)
        found = curve.barrier(kind, metric=metric)
        heights[i, j] = heights[j, i] = found.height
        stderr[i, j] = stderr[j, i] = found.stderr
        n = curve.curve(metric).n
        if progress:
            progress("pairs", done, len(pairs))
    return BarrierMatrix(called, heights, stderr, kind, metric, n)
