"""Two networks, and what lies between them: as they are, aligned, repaired."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

from ridgeline.matching import ActivationMatching, align
from ridgeline.measures import Array
from ridgeline.paths import Polygon
from ridgeline.profiles import Profile, profile
from ridgeline.repairs import Repair, collapse, midpoint
from ridgeline.state import State
from ridgeline.studies.common import groups
from ridgeline.studies.jordan2022.networks import final, model, objective
from ridgeline.studies.pairs import apart, learned
from ridgeline.study.bench import Bench
from ridgeline.study.keys import versioned
from ridgeline.study.measured import arrays_of, profile_of
from ridgeline.study.subjects import Subject
from ridgeline.symmetry import symmetries

__all__ = ["RESET", "WAYS", "Pair", "between", "cells", "compared", "pairs"]

WAYS = {
    "naive": (False, None),
    "repaired alone": (False, "forward"),
    "aligned": (True, None),
    "aligned, repaired": (True, "forward"),
    "aligned, closed form": (True, "closed-form"),
}
"""Name to whether the second network is aligned to the first, and the kind of repair."""
RESET = {
    "naive": (False, None),
    "statistics recomputed": (False, "statistics"),
    "aligned": (True, None),
    "aligned, statistics recomputed": (True, "statistics"),
}
"""The same for networks with BatchNorm, whose running statistics are otherwise interpolated."""


@dataclass(frozen=True, eq=False)
class Pair:
    """Two networks of one cell and what was measured between them.

    Args:
        a: The first.
        b: The second, which is aligned to it.
        lines: Way to the profile between them.
        ratio: Way to the variance of each layer at the midpoint over the mean of the ends',
            shape (L,).
        share: Way to the squared mean over the second moment there, shape (L,).
    """

    a: Subject
    b: Subject
    lines: Mapping[str, Profile]
    ratio: Mapping[str, Array]
    share: Mapping[str, Array]

    @property
    def group(self) -> int:
        """Return by which pairs of unlike cells are told to be of one origin."""
        return self.a.seed

    def accuracy(self, way: str, split: str = "test") -> float:
        """At the midpoint, in percentage points."""
        return 100 * (1 - self._middle(way, "error", split))

    def judged(self, way: str) -> float:
        """`accuracy`, for claims: NaN, which decides nothing, if an end has learned nothing."""
        return self.accuracy(way) if learned(self.a, self.b) else nan

    def ends(self, split: str = "test") -> float:
        """The mean accuracy of the two networks, in percentage points."""
        mean = self.lines["naive"].curve("error", split).mean
        return 100 * (1 - float(mean[0] + mean[-1]) / 2)

    def barrier(self, way: str) -> float:
        """Accuracy that is lost at the midpoint, in percentage points; NaN as `judged`."""
        return self.ends() - self.judged(way)

    def _middle(self, way: str, metric: str, split: str) -> float:
        curve = self.lines[way].curve(metric, split)
        return float(curve.mean[len(curve.mean) // 2])


def pairs(runs: Iterable[Subject]) -> list[tuple[Subject, Subject]]:
    """Runs of neighbouring seeds, each in one pair alone, so that pairs are independent."""
    return [(pair.a, pair.b) for pair in apart(runs)]


def cells(
    bench: Bench, population: str, path: str, ways: Mapping[str, Any] = WAYS
) -> dict[Any, list[Pair]]:
    """The pairs of each cell of a sweep, by the value that was swept.

    Args:
        bench: Has the runs.
        population: Its name in the scale.
        path: Dotted path to the value.
        ways: What is measured between two networks.
    """
    found = {}
    for value, runs in groups(bench.runs(population), path).items():
        couples = pairs(runs)
        found[value] = []
        for i, (a, b) in enumerate(couples):
            bench.tell(f"{population}, {value}", i, len(couples))
            found[value].append(between(bench, a, b, ways))
    return found


def between(bench: Bench, a: Subject, b: Subject, ways: Mapping[str, Any] = WAYS) -> Pair:
    """Measure what lies between two networks, kept.

    Statistics are taken on the training data, on which units are matched as well.

    Args:
        bench: Keeps it.
        a: A run.
        b: Another of the same network and data.
        ways: As `WAYS`.
    """
    arrays = bench.kept(_measured, [a, b], ways=dict(ways))
    lines = {way: profile_of(_under(arrays, way)) for way in ways}
    ratio, share = ({way: arrays[f"{way}:{what}"] for way in ways} for what in ("ratio", "share"))
    return Pair(a, b, lines, ratio, share)


@versioned("repaired midpoints", "1")
def _measured(a: Subject, b: Subject, *, ways: Mapping[str, Any]) -> dict[str, Any]:
    objectives = {"train": objective(a, "train"), "test": objective(a, "test")}
    start, other = final(a), final(b)
    ends = {False: other, True: _aligned(a, start, other)}
    found = {}
    layers = {end: collapse(start, ends[end], objectives["train"], []).ends for end in ends}
    for way, (align_first, kind) in ways.items():
        repair = Repair(a.train.inputs, kind=kind) if kind is not None else None
        end = ends[align_first]
        # Repaired once, for all that is asked of it.
        middle = midpoint(start, end, objectives["train"], repair=repair)
        line = profile(Polygon(start, middle, end), objectives, points=[0.0, 0.5, 1.0])
        there = collapse(middle, middle, objectives["train"], [0.0])
        mean = layers[align_first].mean(0)
        found |= {f"{way}:{name}": x for name, x in arrays_of(line).items()}
        found |= {f"{way}:ratio": there.variance[0] / mean, f"{way}:share": there.bias_share[0]}
    return found


def _aligned(run: Subject, a: State, b: State) -> State:
    """b, with its units in the places of those of a that answer alike."""
    network, inputs = model(run), run.train.inputs
    by = ActivationMatching(model=network, data=inputs, by="correlation")
    return align(a, b, symmetries(network, inputs[:2]), by=by).state


def compared(some: Sequence[Pair], more: str, less: str) -> dict[str, list[Any]]:
    """The cases of a difference: accuracy at the midpoint one way and another, by pair."""
    groups = [pair.group for pair in some]
    return {
        "more": [pair.judged(more) for pair in some],
        "less": [pair.judged(less) for pair in some],
        "more_group": groups,
        "less_group": groups,
    }


def _under(arrays: Mapping[str, Array], way: str) -> dict[str, Array]:
    """The arrays of one way, as `arrays_of` named them."""
    return {k.removeprefix(f"{way}:"): x for k, x in arrays.items() if k.startswith(f"{way}:")}
