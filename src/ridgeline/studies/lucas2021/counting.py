"""What the items share: which runs count, how far a path rises, and what is kept of each run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ridgeline.measures import Array, bumps, normalised_distance, trajectory
from ridgeline.profiles import Profile, linearity
from ridgeline.studies.common import sound
from ridgeline.study.bench import Bench, line
from ridgeline.study.keys import versioned
from ridgeline.study.subjects import Subject
from ridgeline.theory import gauss_length
from ridgeline.theory.gauss import GaussMethod

__all__ = [
    "NAMES",
    "Cell",
    "cell",
    "depth",
    "distances",
    "falls",
    "gauss",
    "kind",
    "not_monotone",
    "optimiser",
    "plain",
    "rate",
    "reached",
    "released_rise",
    "rise",
    "seeds",
    "setting",
    "still",
    "strays",
]

NAMES = {"sgd": "SGD", "adam": "Adam"}


# --- runs ------------------------------------------------------------------------------------


def reached(
    bench: Bench, subjects: Sequence[Subject], threshold: str = "threshold"
) -> list[Subject]:
    """Runs whose final training loss is at most a setting: the released code counts no others."""
    at = bench.setting(threshold)
    return [subject for subject in sound(subjects, required=False) if subject.loss <= at]


def plain(bench: Bench) -> list[Subject]:
    """Runs without normalisation: of table A's grid and of the further depths, each once."""
    runs = {s.hash: s for name in ("grid", "depths") for s in bench.runs(name)}
    return [s for s in runs.values() if s.at("net.norm") is None]


def seeds(subjects: Sequence[Subject]) -> list[int]:
    """Return which first weights each run has: runs of one seed are not independent."""
    return [subject.seed for subject in subjects]


def rate(subject: Subject) -> float:
    """A run's learning rate."""
    return float(subject.at("training.optimiser.learning_rate"))


def depth(subject: Subject) -> int:
    """Return how many linear layers a fully connected network has."""
    return len(subject.at("net.widths")) - 1


def optimiser(subject: Subject) -> str:
    """``SGD`` or ``Adam``."""
    name = str(subject.at("training.optimiser.kind"))
    return NAMES.get(name, name)


def kind(subject: Subject) -> str:
    """Optimiser and normalisation: ``SGD``, ``Adam, BN``."""
    return f"{optimiser(subject)}{', BN' if subject.at('net.norm') == 'batch' else ''}"


def setting(subject: Subject) -> str:
    """Return what the seeds of one cell have in common: they are drawn together in intervals."""
    return f"{kind(subject)} {rate(subject):g} {subject.at('net.widths')}"


# --- rises -----------------------------------------------------------------------------------


def rise(profile: Profile, metric: str = "loss", split: str | None = None) -> float:
    """Min Delta, the largest rise from any earlier to any later point; infinite if not finite."""
    found = profile.monotonicity(metric=metric, split=split).largest_rise
    return found if np.isfinite(found) else float("inf")


def released_rise(profile: Profile) -> float:
    """The largest rise as the released code finds it, which does not see the last step.

    Its `eval_monotonic` records no bump that opens at the last point but one.
    """
    curve = profile.curve()
    if not np.isfinite(curve.mean).all():
        return float("inf")
    seen = [bump.height for bump in bumps(curve) if bump.start < curve.t[-2]]
    return max(seen, default=0.0)


def not_monotone(rises: Sequence[float], tolerance: float) -> str:
    """``0.40 (5)``: the share of lines that rise by more, of how many; ``-`` of none."""
    over = sum(not x <= tolerance for x in rises)
    return f"{over / len(rises):.2f} ({len(rises)})" if rises else "-"


def falls(profile: Profile, bench: Bench, split: str | None = None) -> bool:
    """True if a path is monotone: it rises by the scale's tolerance at most."""
    return rise(profile, split=split) <= bench.setting("tolerance")


@dataclass(frozen=True)
class Cell:
    """Runs of one setting."""

    of: int
    """How many were trained."""
    diverged: int
    rises: tuple[float, ...]
    """Min Delta of each run that reached the threshold."""
    released: tuple[float, ...]
    """The same by the released metric."""
    tolerance: float

    @property
    def n(self) -> int:
        """Runs that reached the threshold."""
        return len(self.rises)

    @property
    def risen(self) -> list[float]:
        """Min Delta of those that are not monotone."""
        return [x for x in self.rises if not x <= self.tolerance]

    @property
    def unseen(self) -> int:
        """Runs that are not monotone by their last step alone, which the released code misses."""
        pairs = zip(self.rises, self.released, strict=True)
        return sum(not x <= self.tolerance and y <= self.tolerance for x, y in pairs)

    @property
    def words(self) -> str:
        """The share of runs that are not monotone; see `not_monotone`."""
        return not_monotone(self.rises, self.tolerance)

    @property
    def mean(self) -> str:
        """Mean min Delta of the runs that are not monotone, as the released code prints it."""
        return f"{np.mean(self.risen):.3g}" if self.risen else "-"


def cell(bench: Bench, subjects: Sequence[Subject]) -> Cell:
    """Count the runs of one setting."""
    profiles = [bench.profile(subject) for subject in reached(bench, subjects)]
    return Cell(
        of=len(subjects),
        diverged=sum(subject.diverged for subject in subjects),
        rises=tuple(rise(p) for p in profiles),
        released=tuple(released_rise(p) for p in profiles),
        tolerance=bench.setting("tolerance"),
    )


# --- numbers of a run, kept ------------------------------------------------------------------


def distances(bench: Bench, subject: Subject) -> tuple[float, float]:
    """Return how far training went: in weight units, and over the norm of the initialisation."""
    found = bench.kept(_distances, [subject])
    return float(found["distance"]), float(found["ratio"])


@versioned("distances", "1")
def _distances(run: Subject) -> dict[str, float]:
    seen = trajectory((), run.initial, run.final)
    return {"distance": seen.distance, "ratio": normalised_distance(run.initial, run.final)}


def gauss(bench: Bench, subject: Subject, method: GaussMethod) -> float:
    """Mean Gauss length of the outputs on test samples, in radians."""
    return float(_gauss(bench, subject, method)["mean"])


def still(bench: Bench, subject: Subject, method: GaussMethod) -> float:
    """The share of steps at which a sample's outputs stand still, and count as not turning."""
    return float(_gauss(bench, subject, method)["still"])


def _gauss(bench: Bench, subject: Subject, method: GaussMethod) -> dict[str, Array]:
    asked = {"points": bench.setting("points"), "samples": bench.setting("samples")}
    return bench.kept(_gauss_length, [subject], method=method, **asked)


@versioned("Gauss length", "1")
def _gauss_length(
    run: Subject, *, points: Any, samples: int, method: GaussMethod
) -> dict[str, float]:
    goal = run.objective("test")
    found = gauss_length(line(run), goal, points=points, samples=samples, method=method)
    return {"mean": found.mean, "still": found.still}


def strays(bench: Bench, subject: Subject) -> float:
    """The linearity integral of the outputs on test samples."""
    asked = {"points": bench.setting("points"), "samples": bench.setting("samples")}
    return float(bench.kept(_linearity, [subject], **asked)["mean"])


@versioned("linearity", "1")
def _linearity(run: Subject, *, points: Any, samples: int) -> dict[str, float]:
    goal = run.objective("test")
    return {"mean": linearity(line(run), goal, points=points, samples=samples).mean}
