"""Are independent networks random permutations of one? Their barriers say whether they may be."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from ridgeline.errors import UsageError
from ridgeline.measures import Array, BarrierKind, Interval
from ridgeline.objective import Objective
from ridgeline.paths import Grid, Line
from ridgeline.profiles import profile
from ridgeline.progress import Progress
from ridgeline.rng import seed_of
from ridgeline.state import State
from ridgeline.symmetry import Symmetry
from ridgeline.theory.sameness.pairs import barrier_matrix

__all__ = ["PermutationTest", "random_permutation_test"]


@dataclass(frozen=True, eq=False)
class PermutationTest:
    """Barriers between independent networks beside those between permutations of one."""

    independent: Array
    """Between the networks, shape (k, k), symmetrical, zero on the diagonal."""
    permuted: Array
    """Between a network and random permutations of it, shape (k, draws)."""
    kind: BarrierKind
    metric: str

    @property
    def pairs(self) -> Array:
        """The barriers of all pairs of networks, shape (k (k - 1) / 2,)."""
        return self.independent[np.triu_indices(len(self.independent), 1)]

    @property
    def difference(self) -> float:
        """Mean barrier between networks less that between permutations of one."""
        return float(self.pairs.mean() - self.permuted.mean())

    @property
    def stderr(self) -> float:
        """Jackknife standard error of the difference, a network left out at a time.

        Pairs that share a network are not independent; networks are. It errs on the large side:
        with six permutations of one network, 40 of 40 intervals of 95 % held zero. NaN for
        fewer than three networks.
        """
        k = len(self.independent)
        if k < 3:
            return float("nan")
        whole = np.arange(k)
        rest = np.array([self._difference(np.delete(whole, i)) for i in range(k)])
        return float(np.sqrt((k - 1) / k * ((rest - rest.mean()) ** 2).sum()))

    def _difference(self, kept: np.ndarray) -> float:
        own = self.independent[np.ix_(kept, kept)]
        count = len(kept)
        return float(own.sum() / (count * (count - 1)) - self.permuted[kept].mean())

    def interval(self, confidence: float = 0.95) -> Interval:
        """Student's interval of the difference, with k - 1 degrees of freedom."""
        if not 0 < confidence < 1:
            raise UsageError("Confidence lies between 0 and 1.", got=f"{confidence}")
        half = float(stdtrit(len(self.independent) - 1, 0.5 + confidence / 2)) * self.stderr
        return self.difference - half, self.difference + half

    @property
    def superiority(self) -> float:
        """Probability that a pair of networks has the higher barrier; 1/2 if they are alike."""
        over = self.pairs[:, None] - self.permuted.ravel()[None, :]
        return float((over > 0).mean() + (over == 0).mean() / 2)

    @property
    def rank(self) -> float:
        """Two-sided p-value of the Mann-Whitney test on disjoint pairs and single draws.

        Only pairs (0, 1), (2, 3), ... and one draw for each network are taken, for values within
        a sample must be independent; it has little power below eight networks.
        """
        k = len(self.independent)
        disjoint = [self.independent[i, i + 1] for i in range(0, k - 1, 2)]
        from scipy.stats import mannwhitneyu  # slow to import

        return float(mannwhitneyu(disjoint, self.permuted[:, 0]).pvalue)

    def __str__(self) -> str:
        low, high = self.interval()
        return (
            f"{self.kind} barriers in {self.metric}: {self.pairs.mean():.4g} between "
            f"{len(self.independent)} networks, {self.permuted.mean():.4g} between permutations "
            f"of one ({self.permuted.shape[1]} draws each); difference {self.difference:.4g} "
            f"[{low:.4g}, {high:.4g}], P(networks higher) {self.superiority:.2f}"
        )


def random_permutation_test(
    states: Sequence[State],
    symmetry: Symmetry,
    objective: Objective,
    *,
    seed: int = 0,
    draws: int = 3,
    kind: BarrierKind = "chord",
    metric: str = "loss",
    points: Grid = 11,
    progress: Progress | None = None,
) -> PermutationTest:
    """The "real world" beside "our model" (Entezari et al. 2021, figure 5).

    Were all trained networks permutations of one function, barriers between independent
    networks would be distributed like barriers between random permutations of one network.
    Alike barriers do not prove the conjecture; unlike ones speak against it.

    Args:
        states: Independent networks, two at least; three for an interval.
        symmetry: Of their architecture.
        objective: What is measured.
        seed: Of the permutations.
        draws: Permutations of each network.
        kind: Of barrier. The paper's is ``"chord"``, taken at 1/2.
        metric: Which of the objective's metrics.
        points: Positions on each line.
        progress: Told of lines.

    Returns:
        All barriers, with the difference of their means and its interval.

    Raises:
        UsageError: If there are fewer than two states or no draw.
        StateMismatch: If a state is not one of the symmetry.
        UnknownName: If there is no such kind or metric.
    """
    if draws < 1:
        raise UsageError("Each network is permuted once at least.", got=f"{draws} draws")
    for state in states:
        symmetry.check(state)
    k = len(states)
    pairs, total = k * (k - 1) // 2, k * (k - 1) // 2 + k * draws
    told = (lambda _, done, __: progress("lines", done, total)) if progress else None
    matrix = barrier_matrix(
        states, objective, kind=kind, metric=metric, points=points, progress=told
    )
    permuted = np.zeros((k, draws))
    for i, state in enumerate(states):
        for d in range(draws):
            other = symmetry.random(seed_of(seed, "permutation test", i, d))(state)
            along = profile(Line(state, other), objective, points=points)
            permuted[i, d] = along.barrier(kind, metric=metric).height
            if progress:
                progress("lines", pairs + i * draws + d + 1, total)
    return PermutationTest(matrix.heights, permuted, kind, metric)
