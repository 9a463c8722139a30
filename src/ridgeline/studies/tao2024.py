"""Tao, Li & Zhan 2024: is the curve a matter of the minimum alone?

*MLI Formula: A Nearly Scale-Invariant Solution with Noise Perturbation* (ICML 2024, PMLR 235).
The error still falls monotonically when the initialisation is replaced by noise or by zero, so
that the line is growing noise on a solution whose scale hardly matters. Its exact wording of the
kinds of scale invariance could not be obtained; the readings here are derived and say so.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ridgeline.charts import Table
from ridgeline.paths import Line, Path, homogeneous_biases
from ridgeline.paths.starts import noise, zeros
from ridgeline.profiles import Profile
from ridgeline.studies.common import BIASES, area, curves_chart, groups, mean_sd, sound
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Difference, Every, Share
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Finding, Item, Paper
from ridgeline.study.subjects import Subject

__all__ = ["PAPER"]

RISE = 0.01
"""A rise of the error by more than this share of the samples counts."""
ROUNDING = 0.002
"""Share of the samples that float32 may move across a tie."""


@versioned("from noise", "1")
def from_noise(subject: Subject) -> Path:
    """The line from Gaussian noise with each tensor's own spread at the initialisation."""
    return Line(noise(subject.initial, 1.0, subject.seed), subject.final)


@versioned("from zero", "1")
def from_zero(subject: Subject) -> Path:
    """The line from zero weights."""
    return Line(zeros(subject.initial), subject.final)


@versioned("from another initialisation", "1")
def from_another(subject: Subject) -> Path:
    """The line from the initialisation of a seed that nothing was trained from."""
    other = subject.model(seed=10_000 + subject.seed).state_dict()
    return Line(dict(other), subject.final)


@versioned("from zero, homogeneous", "1")
def scaled_with_biases(subject: Subject) -> Path:
    """The bias of layer l times the factor to the power l: derived reading of the paper's RSI."""
    rates = homogeneous_biases(subject.model(), subject.train.inputs[:2])
    return Line(zeros(subject.initial), subject.final, rates=rates)


STARTS = {
    "its own start": None,
    "noise": from_noise,
    "zero weights": from_zero,
    "another start": from_another,
}


def other_starts(bench: Bench) -> Finding:
    """T1: the initialisation replaced."""
    charts, rows, monotone = [], [], {}
    for kind, runs in groups(sound(bench.runs("biases")), "net.bias", needed=BIASES).items():
        found = {}
        for label, along in STARTS.items():
            told = f"{BIASES[kind]} from {label}"
            found[label] = (
                bench.profiles(runs, told=told)
                if along is None
                else bench.profiles(runs, along, told=told)
            )
        for label, profiles in found.items():
            rises = [p.monotonicity(RISE, metric="error").largest_rise for p in profiles]
            monotone[kind, label] = [rise <= RISE for rise in rises]
            rows.append([BIASES[kind], label, mean_sd(area(p) for p in profiles), mean_sd(rises)])
        charts.append(
            curves_chart(
                f"starts-{str(kind).lower()}",
                f"Lines to one minimum from other starts, {BIASES[kind]}",
                "Training loss and error.",
                found,
            )
        )
    columns = ["trained with", "line from", "error area", "largest rise of the error"]
    # From zero weights without biases the error cannot change: that is T2a, and no case here.
    note = f"Mean ± standard deviation (runs). A rise counts above {RISE:g} of the samples."
    return Finding(
        charts=charts,
        tables=[Table(title="Other starts", columns=columns, rows=rows, note=note)],
        cases={
            "T1a": monotone[False, "noise"],
            "T1b": monotone["last", "noise"],
            "T1c": monotone["last", "zero weights"],
        },
    )


def scale_paths(bench: Bench) -> Finding:
    """T2: the final weights times a growing factor."""
    runs = groups(sound(bench.runs("biases")), "net.bias", needed=BIASES)
    found, flat = {}, {}
    for kind, subjects in runs.items():
        label = BIASES[kind]
        found[f"{label}, a θ"] = bench.profiles(subjects, from_zero, told=label)
        if kind is not False:
            even = bench.profiles(subjects, scaled_with_biases, told=f"{label}, homogeneous")
            found[f"{label}, bias aˡ"] = even
            flat[kind] = [_spread(p) <= ROUNDING for p in even]
        else:
            flat[kind] = [_spread(p) <= ROUNDING for p in found[f"{label}, a θ"]]
    return Finding(
        charts=[
            curves_chart(
                "scale-paths",
                "The minimum times a growing factor",
                "Training error at a times the final weights, with biases at a or at a to the "
                "power of their layer.",
                found,
                metrics=("error",),
            )
        ],
        cases={
            "T2a": flat[False],
            "T2b": _all_of_seed({kind: flat[kind] for kind in (True, "last")}, runs),
            "T2c": {
                "more": [_spread(p) for p in found["all biases, a θ"]],
                "less": [_spread(p) for p in found["no bias, a θ"]],
                "more_group": [("seed", run.seed) for run in runs[True]],
                "less_group": [("seed", run.seed) for run in runs[False]],
            },
        },
        words=[
            "From zero weights a network without biases gives a to the power of its layers times "
            "its final outputs, and so does one whose biases keep pace: the labels cannot change. "
            f"Up to {ROUNDING:g} of the samples are allowed to, for float32 may break a tie."
        ],
    )


def _spread(profile: Profile) -> float:
    """The largest change of the error over factors above zero."""
    return float(np.ptp(profile.curve("error").mean[1:]))


def _all_of_seed(
    is_so: Mapping[Any, Sequence[bool]], runs: Mapping[Any, Sequence[Subject]]
) -> list[bool]:
    """Whether it is so in all of a seed's networks, for each seed."""
    by_seed: dict[int, list[bool]] = {}
    for kind, values in is_so.items():
        for run, value in zip(runs[kind], values, strict=True):
            by_seed.setdefault(run.seed, []).append(value)
    return [all(values) for values in by_seed.values()]


PAPER = Paper(
    name="tao2024",
    title="MLI Formula: A Nearly Scale-Invariant Solution with Noise Perturbation",
    authors="B. Tao, B. Li, J. Zhan",
    where="ICML 2024, PMLR 235:47912-47928",
    about="Its grids and the exact definitions of scale invariance could not be obtained.",
    items=(
        Item(
            name="other-starts",
            id="T1",
            title="The initialisation replaced by noise, zero, or another",
            asks="Does the error still fall all the way if the line starts elsewhere?",
            measure=other_starts,
            populations=("biases",),
            reported="The error still falls monotonically from noise or from zero.",
            claims=(
                Claim(
                    id="T1a",
                    text="Without biases the error still falls all the way from noise",
                    place="abstract",
                    test=Share("lines on which the error rises by at most 0.01", "above", 0.5),
                ),
                Claim(
                    id="T1b",
                    text="With a last bias it does too",
                    place="abstract",
                    test=Share("lines on which the error rises by at most 0.01", "above", 0.5),
                ),
                Claim(
                    id="T1c",
                    text="With a last bias it also falls all the way from zero weights",
                    place="abstract",
                    test=Share("lines on which the error rises by at most 0.01", "above", 0.5),
                ),
            ),
        ),
        Item(
            name="scale-paths",
            id="T2",
            title="Scale invariance of the solution",
            asks="Does the error depend on the scale of the final weights?",
            measure=scale_paths,
            populations=("biases",),
            reported="Solutions are nearly invariant to scale.",
            claims=(
                Claim(
                    id="T2a",
                    text="Without biases the error is the same at every scale",
                    place="our reading of its generalised scale invariance",
                    source="derived",
                    test=Every("the error is the same at every scale"),
                ),
                Claim(
                    id="T2b",
                    text="With biases scaled by the power of their layer it is too",
                    place="our reading of its rectified scale invariance",
                    source="derived",
                    test=Every("the error is the same at every scale"),
                ),
                Claim(
                    id="T2c",
                    text="With biases scaled like weights it drifts",
                    place="our reading",
                    source="derived",
                    test=Difference("drift of the error, with biases less without", at=0.01),
                ),
            ),
        ),
    ),
)
