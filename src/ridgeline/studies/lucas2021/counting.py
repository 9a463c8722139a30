"""Columns that the items share: which runs count, how far their lines rise, and how far they go."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ridgeline.frame import Frame
from ridgeline.frame.show import tidy
from ridgeline.measures import bumps, normalised_distance, trajectory
from ridgeline.profiles import Profile, linearity
from ridgeline.study.bench import Bench, line
from ridgeline.study.keys import versioned
from ridgeline.study.subjects import Subject
from ridgeline.theory import gauss_length
from ridgeline.theory.gauss import GaussMethod

__all__ = [
    "CELL",
    "NAMES",
    "RATE",
    "bent",
    "depth",
    "gone",
    "judged",
    "lines",
    "lost",
    "mean_risen",
    "named",
    "optimiser",
    "over",
    "plain",
    "released_rise",
    "rise",
    "runs",
    "share_risen",
    "strayed",
]

NAMES = {"sgd": "SGD", "adam": "Adam"}
RATE = "training.optimiser.learning_rate"


# --- runs ------------------------------------------------------------------------------------


def depth(run: Subject) -> int:
    """Return how many linear layers a fully connected network has."""
    return len(run.at("net.widths")) - 1


def optimiser(run: Subject) -> str:
    """``SGD`` or ``Adam``."""
    name = str(run.at("training.optimiser.kind"))
    return NAMES.get(name, name)


def normalised(run: Subject) -> bool:
    """True of a network with batch normalisation."""
    return run.at("net.norm") == "batch"


def kind(run: Subject) -> str:
    """Optimiser and normalisation: ``SGD``, ``Adam, BN``."""
    return f"{optimiser(run)}{', BN' if normalised(run) else ''}"


def setting(run: Subject) -> str:
    """Return what the seeds of one cell have in common: they are drawn together in intervals."""
    return f"{kind(run)} {float(run.at(RATE)):g} {run.at('net.widths')}"


CELL: Mapping[str, Any] = {
    "optimiser": optimiser,
    "normalised": normalised,
    "kind": kind,
    "rate": RATE,
    "setting": setting,
}
"""Columns that tell cells of table A's grid apart."""


def runs(
    bench: Bench,
    population: str | Mapping[str, str],
    /,
    *,
    threshold: str = "threshold",
    **columns: Any,
) -> Frame:
    """All runs of a population, those that diverged too, with their final training ``loss``.

    Those whose loss is at most a setting are the ones that the released code counts: ``counts``.

    Args:
        bench: Has them.
        population: As `Bench.frame` takes it.
        threshold: Name of the setting.
        **columns: As `Bench.frame` takes them.
    """
    at = bench.setting(threshold)
    found = bench.frame(population, diverged=True, loss=lambda run: run.loss, **columns)
    return found.derive(counts=lambda diverged, loss: not diverged and loss <= at)


def plain(bench: Bench, *populations: str, **options: Any) -> Frame:
    """Runs without normalisation of some populations, each once; see `runs`."""
    found = runs(
        bench, {name: name for name in populations}, hash=lambda run: run.hash, **options
    ).derive(bare=lambda run: run.at("net.norm") is None)
    rows = [next(iter(group)) for group in found.where(bare=True).by("hash").values()]
    return Frame.of(rows, cluster=found.cluster)


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


def lines(bench: Bench, frame: Frame, *along: Any, **options: Any) -> Frame:
    """The rows with the line of each run that counts; see `Bench.lines` and `judged`."""
    return judged(bench, bench.lines(frame, *along, counts="counts", **options))


def judged(bench: Bench, frame: Frame) -> Frame:
    """Rows of profiles with their ``curve`` over ``t``, ``rise``, and whether it ``rises``.

    A line rises if min Delta is above the scale's tolerance; else it ``falls``. Rises below the
    tolerance are drawn at it on logarithmic axes: ``seen``.
    """
    drawn = frame.derive(
        rise=rise,
        t=lambda profile: profile.t,
        curve=lambda profile: profile.curve().mean,
    )
    return over(bench, drawn)


def over(bench: Bench, frame: Frame) -> Frame:
    """Rows of a ``rise`` with what the scale's tolerance makes of it; see `judged`."""
    tolerance = bench.setting("tolerance")
    return frame.derive(
        rises=lambda rise: not rise <= tolerance,
        falls=lambda rises: not rises,
        seen=lambda rise: max(rise, tolerance),
    )


# --- what a table says of some rows ----------------------------------------------------------


def share_risen(rows: Frame) -> str:
    """``0.40 (5)``: the share of lines that rise, of how many; ``-`` of none."""
    told = [rises for rises in rows.values("rises") if rises is not None]
    return f"{sum(told) / len(told):.2f} ({len(told)})" if told else "-"


def mean_risen(rows: Frame) -> str:
    """Mean min Delta of the lines that rise, as the released code prints it."""
    risen = rows.where(rises=True)["rise"]
    return f"{np.mean(risen):.3g}" if len(risen) else "-"


def lost(rows: Frame) -> str:
    """Return how many runs diverged, of how many that were trained."""
    return f"{len(rows.where(diverged=True))} of {len(rows)}"


def named(which: str, kind: str, rate: float) -> str:
    """A single run in words, by what it was chosen for."""
    return f"{which}: {kind}, rate {tidy(rate)}"


# --- numbers of a run, kept ------------------------------------------------------------------


def gone(bench: Bench, frame: Frame) -> Frame:
    """The rows with how far training went: ``distance``, and its ``ratio`` to the first norm."""
    return frame.derive(
        moved=lambda run, counts: bench.kept(_distances, [run]) if counts else None,
        distance=lambda moved: float(moved["distance"]),
        ratio=lambda moved: float(moved["ratio"]),
    )


@versioned("distances", "1")
def _distances(run: Subject) -> dict[str, float]:
    seen = trajectory((), run.initial, run.final)
    return {"distance": seen.distance, "ratio": normalised_distance(run.initial, run.final)}


def bent(bench: Bench, frame: Frame, *methods: GaussMethod) -> Frame:
    """The rows with the Gauss length of the outputs on test samples, in radians, by its method.

    ``ad_still`` is the share of steps at which a sample's outputs stand still, and count as not
    turning; ``ad_log`` is the length's logarithm.

    Args:
        bench: Measures.
        frame: With the column ``run``.
        *methods: Each names its column.
    """
    asked = {"points": bench.setting("points"), "samples": bench.setting("samples")}
    for name in methods:
        bench.tell(f"Gauss length, {name}", 0, len(frame))
        told: dict[str, Any] = {**asked, "method": name}
        frame = frame.derive(
            **{
                "found": lambda run, counts, told=told: (
                    bench.kept(_gauss_length, [run], **told) if counts else None
                ),
                name: lambda found: float(found["mean"]),
                f"{name}_log": lambda found: np.log(float(found["mean"])),
                f"{name}_still": lambda found: float(found["still"]),
            }
        )
    return frame


def strayed(bench: Bench, frame: Frame) -> Frame:
    """The rows with the linearity integral of the outputs on test samples: ``linear``."""
    asked = {"points": bench.setting("points"), "samples": bench.setting("samples")}
    return frame.derive(
        found=lambda run, counts: bench.kept(_linearity, [run], **asked) if counts else None,
        linear=lambda found: float(found["mean"]),
        linear_log=lambda found: np.log(float(found["mean"])),
    )


@versioned("Gauss length", "1")
def _gauss_length(
    run: Subject, *, points: Any, samples: int, method: GaussMethod
) -> dict[str, float]:
    goal = run.objective("test")
    found = gauss_length(line(run), goal, points=points, samples=samples, method=method)
    return {"mean": found.mean, "still": found.still}


@versioned("linearity", "1")
def _linearity(run: Subject, *, points: Any, samples: int) -> dict[str, float]:
    goal = run.objective("test")
    return {"mean": linearity(line(run), goal, points=points, samples=samples).mean}
