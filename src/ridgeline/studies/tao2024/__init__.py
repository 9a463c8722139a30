"""Tao, Li & Zhan 2024: is the curve a matter of the minimum alone?

*MLI Formula: A Nearly Scale-Invariant Solution with Noise Perturbation* (ICML 2024, PMLR 235).
The error still falls monotonically when the initialisation is replaced by noise or by zero, so
that the line is growing noise on a solution whose scale hardly matters. Readings here are derived.
"""

from typing import Any

import numpy as np

from ridgeline.frame import Asked, Frame, difference, every, share
from ridgeline.frame.show import Curves, Summary
from ridgeline.profiles import Profile
from ridgeline.studies.common import BIASES, area
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.lines import from_another, from_noise, from_zero, line, scaled_homogeneously
from ridgeline.study.papers import Item, Paper

__all__ = ["PAPER"]

RISE = 0.01
"""A rise of the error by more than this share of the samples counts."""
ROUNDING = 0.002
"""Share of the samples that float32 may move across a tie."""
STARTS = {
    "its own start": line,
    "noise": from_noise,
    "zero weights": from_zero,
    "another start": from_another,
}
SCALED = {"a θ": from_zero, "bias aˡ": scaled_homogeneously}


def rise(profile: Profile) -> float:
    """The largest rise of the error."""
    return profile.monotonicity(RISE, metric="error").largest_rise


def drift(profile: Profile) -> float:
    """The largest change of the error over factors above zero."""
    return float(np.ptp(profile.curve("error").mean[1:]))


def other_starts(bench: Bench) -> Frame:
    """T1: the initialisation replaced."""
    lines = bench.lines(bench.frame("biases", biases=("net.bias", BIASES)), STARTS)
    return lines.derive(area=area, rise=rise, falls=lambda rise: rise <= RISE)


def scale_paths(bench: Bench) -> Frame:
    """T2: the final weights times a growing factor."""
    lines = bench.lines(bench.frame("biases", biases=("net.bias", BIASES)), SCALED)
    lines = lines.where(lambda biases, along: biases != "no bias" or along == "a θ")
    return lines.derive(drift=drift, same=lambda drift: drift <= ROUNDING).noted(
        "From zero weights a network without biases gives a to the power of its layers times "
        "its final outputs, and so does one whose biases keep pace: the labels cannot change. "
        f"Up to {ROUNDING:g} of the samples are allowed to, for float32 may break a tie."
    )


def falls(id: str, text: str, **where: Any) -> Claim:
    """More than half of the lines fall."""
    said = f"lines on which the error rises by at most {RISE:g}"
    return Claim(id, text, "abstract", share("falls", said, **where) > 0.5)


def derived(id: str, text: str, test: Asked, of: str = "") -> Claim:
    """A claim that is our reading of the paper."""
    return Claim(id, text, f"our reading{of}", test, "derived")


NONE, LAST, ALL = ({"biases": BIASES[kind]} for kind in (False, "last", True))
SAME: Any = ("same", "the error is the same at every scale")
DRIFT = ("drift", "drift of the error, with biases less without")
ITEMS = (
    Item(
        name="other-starts",
        id="T1",
        title="The initialisation replaced by noise, zero, or another",
        asks="Does the error still fall all the way if the line starts elsewhere?",
        measure=other_starts,
        populations=("biases",),
        settings=("points",),
        reported="The error still falls monotonically from noise or from zero.",
        show=(
            Curves(
                "starts-{}", "To one minimum from other starts, {}", line="along", each="biases"
            ),
            Summary(
                "Other starts",
                by={"trained with": "biases", "line from": "along"},
                of={"error area": "area", "largest rise of the error": "rise"},
                note=f"Mean ± standard deviation (runs). A rise counts above {RISE:g}.",
            ),
        ),
        claims=(  # from zero weights without biases the error cannot change: that is T2a
            falls("T1a", "Without biases the error still falls from noise", **NONE, along="noise"),
            falls("T1b", "With a last bias it does too", **LAST, along="noise"),
            falls("T1c", "With a last bias it falls from zero", **LAST, along="zero weights"),
        ),
    ),
    Item(
        name="scale-paths",
        id="T2",
        title="Scale invariance of the solution",
        asks="Does the error depend on the scale of the final weights?",
        measure=scale_paths,
        populations=("biases",),
        settings=("points",),
        reported="Solutions are nearly invariant to scale.",
        show=(
            Curves(
                "scale-paths",
                "The minimum times a growing factor",
                "Biases at a, or at a to the power of their layer; training data.",
                line=("biases", "along"),
                metrics=("error",),
            ),
        ),
        claims=(
            derived(
                "T2a",
                "Without biases the error is the same at every scale",
                every(*SAME, **NONE),
                " of its generalised scale invariance",
            ),
            derived(
                "T2b",
                "With biases scaled by the power of their layer it is too",
                every(*SAME, along="bias aˡ", per="seed"),
                " of its rectified scale invariance",
            ),
            derived(
                "T2c",
                "With biases scaled like weights it drifts",
                difference(*DRIFT, ALL, NONE, along="a θ", cluster="seed") > 0.01,
            ),
        ),
    ),
)
PAPER = Paper(
    name="tao2024",
    title="MLI Formula: A Nearly Scale-Invariant Solution with Noise Perturbation",
    authors="B. Tao, B. Li, J. Zhan",
    where="ICML 2024, PMLR 235:47912-47928",
    about="Its grids and the exact definitions of scale invariance could not be obtained.",
    items=ITEMS,
)
