"""Lim et al. 2024: are networks without permutation symmetries more convex on the line?

*The Empirical Impact of Neural Parameter Symmetries, or Lack Thereof* (NeurIPS 2024, arXiv
2405.20231), table 4: largest step, share of monotone runs and two kinds of convexity on the line
from initialisation to minimum, over hyper-parameters drawn at random. Its released code was read in
full (metanet_data); weights are held as in its code for fully connected networks (lmc).
"""

import torch.nn.functional as F
from torch import Tensor

from ridgeline.frame import Frame, difference
from ridgeline.frame.show import Curves, Scatter, Summary
from ridgeline.measures import convexity
from ridgeline.objective import Metric
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Item, Paper
from ridgeline.study.subjects import Subject

__all__ = ["PAPER", "smoothed"]

KINDS = {"fcn": "standard", "masked_fcn": "W-asymmetric"}
RATE = "training.optimiser.learning_rate"
DRAWN = (
    *(RATE, "training.optimiser.weight_decay", "training.label_smoothing", "training.length"),
    *("net.seed", "seed"),
)
"""Hyper-parameters that are drawn, and the run's own seed: both kinds of one draw share them."""


@versioned("smoothed cross entropy", "1")
def smoothed(subject: Subject) -> Metric:
    """Return what a run minimised: the cross entropy with its own label smoothing, per sample."""
    share = float(subject.at("training.label_smoothing"))

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(outputs, targets, reduction="none", label_smoothing=share)

    return loss


def symmetric_or_not(bench: Bench) -> Frame:
    """Table 4: the same hyper-parameters with and without held weights."""
    runs = bench.frame(
        "draws",
        diverged=True,
        networks=("net.kind", KINDS),
        rate=RATE,
        draw=lambda run: tuple(run.at(path) for path in DRAWN),
        test=lambda run: None if run.diverged else run.test_error,
    )
    return judged(bench.lines(runs, metrics={"smoothed": smoothed})).noted(
        "Both kinds are trained with the same list of hyper-parameters; runs whose loss stopped "
        "being finite are left out and counted. The verdicts are on pairs, the two kinds at one "
        "draw: a draw at which either diverged is in the table and in no verdict, for the kinds "
        "would be compared at different hyper-parameters; n counts draws. A run is monotone if "
        "no step rises at all."
    )


def judged(lines: Frame) -> Frame:
    """The four measures of table 4, and the last one with the released code's chord."""
    return lines.derive(
        shape=lambda profile: convexity(profile.curve("smoothed")),
        step=lambda shape: shape.largest_step,
        monotone=lambda shape: shape.largest_step <= 0,
        local=lambda shape: shape.local,
        overall=lambda shape: shape.overall,
        released=lambda profile: convexity(profile.curve("smoothed"), compat="lim2024").overall,
    )


def claim(id: str, text: str, column: str, said: str, place: str = "table 4") -> Claim:
    """Asymmetric networks score better, in pairs by draw."""
    plain, held = ({"networks": kind} for kind in KINDS.values())
    sides = (plain, held) if column == "step" else (held, plain)
    names = " less ".join(side["networks"] for side in sides)
    asked = difference(column, f"{said}, {names}", *sides, cluster="draw", paired=True)
    return Claim(id, text, place, asked > 0)


ITEM = Item(
    name="symmetric-or-not",
    id="S1",
    title="Monotone and convex lines, with and without permutation symmetries",
    asks="Over random hyper-parameters, are lines of W-asymmetric networks more often monotone and "
    "more convex?",
    measure=symmetric_or_not,
    populations=("draws",),
    settings=("points",),
    reported="Asymmetric networks score better on all four measures (300 runs of each kind; 24 "
    "sigma-asymmetric runs diverged and were left out). Values are not known.",
    show=(
        Curves(
            "lines",
            "From initialisation to minimum, with and without held weights",
            "Training loss as minimised and training error, over random hyper-parameters.",
            line="networks",
            metrics=("smoothed", "error"),
        ),
        Scatter(
            "by-rate",
            "Convexity by learning rate",
            x=("rate", "learning rate"),
            y={"largest step (nats)": "step", "local convexity": "local", "global": "overall"},
            line="networks",
            log_x=True,
        ),
        Summary(
            "Convexity of the line",
            by={"networks": "networks"},
            of={
                "trained": len,
                "diverged": lambda rows: len(rows.where(diverged=True)),
                "largest step Δ": "step",
                "monotone": "monotone",
                "local convexity": "local",
                "global convexity": "overall",
                "global, released chord": "released",
                "test error": "test",
            },
            note="Mean ± standard deviation over runs that did not diverge (number of runs). The "
            "training loss includes the label smoothing. The chord of the released code ends at "
            "the second point's value in place of the last.",
        ),
    ),
    claims=(
        claim("S1a", "The largest step up is smaller without symmetries", "step", "largest step"),
        claim("S1b", "More runs are monotone", "monotone", "share of monotone runs"),
        claim("S1c", "Lines are locally more convex", "local", "local convexity"),
        claim(
            *("S1d", "Lines are globally more convex", "overall", "global convexity"),
            "table 4, with the chord that the code's comment describes",
        ),
    ),
)
PAPER = Paper(
    name="lim2024",
    title="The Empirical Impact of Neural Parameter Symmetries, or Lack Thereof",
    authors="D. Lim, T. Putterman, R. Walters, H. Maron, S. Jegelka",
    where="NeurIPS 2024, arXiv 2405.20231",
    about="Measures, draws of hyper-parameters, optimiser and schedule are the released code's; "
    "networks are its fully connected ones in place of its residual ones; sigma-asymmetric ones "
    "are not asked about. Cells of its table could not be obtained: directions can be checked.",
    items=(ITEM,),
)
