"""Two children of one parent: the error between them, and how far apart they are."""

from dataclasses import dataclass

from ridgeline import state as states
from ridgeline.profiles import Profile
from ridgeline.studies.pairs import learned
from ridgeline.study.bench import Bench
from ridgeline.study.keys import versioned
from ridgeline.study.lines import to
from ridgeline.study.subjects import Subject
from ridgeline.training import Duration

__all__ = ["STABLE", "Siblings", "siblings", "steps_of"]

STABLE = 0.02
"""Instability in error below which two networks count as linearly connected (section 2)."""


@dataclass(frozen=True, eq=False)
class Siblings:
    """Two children of one parent.

    Args:
        one: A child.
        other: Another, with another order of the data.
        line: The profile between them.
        apart: The distance between them.
        travelled: The mean distance of the two from the parent's initialisation.
    """

    one: Subject
    other: Subject
    line: Profile
    apart: float
    travelled: float

    @property
    def seed(self) -> int:
        """The parent's."""
        return self.one.seed

    @property
    def step(self) -> int:
        """At which they parted."""
        return steps_of(self.one, str(self.one.at("spawn.at")))

    def instability(self, split: str = "test") -> float:
        """Error between them above that at their ends, as a share of samples."""
        return self.line.instability(split=split).height

    @property
    def share(self) -> float:
        """Their distance over the distance travelled."""
        return self.apart / self.travelled


def steps_of(run: Subject, time: str) -> int:
    """A time in steps."""
    return Duration.parse(time).count(-(-len(run.train) // run.config.training.batch_size))


def siblings(bench: Bench, population: str) -> dict[int, list[Siblings]]:
    """The first two children of every parent, by the step at which they parted.

    A pair of which one diverged is left out, as is one that learned nothing: two networks at
    chance are connected whatever lies between them.
    """
    runs = bench.runs(population, parents=True)
    parents = {run.hash: run for run in runs if run.config.parent is None}
    families: dict[tuple[str, str], list[Subject]] = {}
    for run in runs:
        if run.config.parent is not None:
            key = (str(run.at("spawn.at")), run.config.parent.hash)
            families.setdefault(key, []).append(run)
    found: dict[int, list[Siblings]] = {}
    for i, ((_, parent), children) in enumerate(families.items()):
        bench.tell(population, i, len(families))
        one, other, *_ = children
        if one.diverged or other.diverged or not learned(one, other):
            continue
        pair = _measured(bench, parents[parent], one, other)
        found.setdefault(pair.step, []).append(pair)
    return dict(sorted(found.items()))


def _measured(bench: Bench, parent: Subject, one: Subject, other: Subject) -> Siblings:
    line = bench.profile(one, to(other), others=[other], splits=("train", "test"))
    found = bench.kept(_distances, [parent, one, other])
    return Siblings(one, other, line, float(found["apart"]), float(found["travelled"]))


@versioned("distance of siblings", "1")
def _distances(parent: Subject, one: Subject, other: Subject) -> dict[str, float]:
    ends = one.final, other.final
    far = [states.distance(parent.initial, end) for end in ends]
    return {"apart": states.distance(*ends), "travelled": sum(far) / 2}
