"""Lim et al. 2024: are networks without permutation symmetries more convex on the line?

*The Empirical Impact of Neural Parameter Symmetries, or Lack Thereof* (NeurIPS 2024, arXiv
2405.20231), table 4: largest step, share of monotone runs and two kinds of convexity on the line
from initialisation to minimum, over hyper-parameters drawn at random.

Measures, draws, optimiser and schedule are those of the released code (metanet_data), read in
full. It trains small residual networks; these are fully connected ones, held as in its code for
them (lmc). Sigma-asymmetric networks are not asked about. Cells of the table could not be
obtained.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ridgeline.charts import Panel, Panels, Series, Table
from ridgeline.measures import Convexity, convexity
from ridgeline.objective import Metric
from ridgeline.profiles import Profile
from ridgeline.rng import stream
from ridgeline.studies.common import curves_chart, groups, mean_sd, sound
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Cases, Claim, Difference
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Finding, Item, Paper
from ridgeline.study.subjects import Subject

__all__ = ["PAPER", "drawn", "smoothed"]

KINDS = {"fcn": "standard", "masked_fcn": "W-asymmetric"}
RATE = "training.optimiser.learning_rate"
DRAWN = (
    *("training.optimiser.weight_decay", "training.label_smoothing", "training.length"),
    *("net.seed", "seed"),
)
"""What is drawn besides the rate, and the run's own seed."""
Draw = tuple[object, ...]
Row = tuple[float, float, float, str]


def drawn(count: int) -> list[Row]:
    """Hyper-parameters at random, as the scales have them written out.

    Their laws are those of the released code (metanet_data/grid_runs/make_hparams.py): rate
    0.5 * 10^-U(0, 2), decay 10^-U(1, 5), smoothing U(0, 0.2), 10 to 40 epochs.

    Args:
        count: How many; the first of a longer list are those of a shorter one.

    Returns:
        Learning rate, weight decay, label smoothing, each to four digits, and length.
    """
    draws = stream(0, "lim2024", "hyper-parameters")
    rows: list[Row] = []
    for _ in range(count):
        a, b, c, d = torch.rand(4, generator=draws, dtype=torch.float64).tolist()
        numbers = (0.5 * 10 ** (-2 * a), 10 ** -(1 + 4 * b), 0.2 * c)
        rate, decay, smoothing = (float(f"{x:.4g}") for x in numbers)
        rows.append((rate, decay, smoothing, f"{10 + int(31 * d)}ep"))
    return rows


@versioned("smoothed cross entropy", "1")
def smoothed(subject: Subject) -> Metric:
    """What a run minimised: the cross entropy with its own label smoothing, per sample."""
    share = float(subject.at("training.label_smoothing"))

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(outputs, targets, reduction="none", label_smoothing=share)

    return loss


def symmetric_or_not(bench: Bench) -> Finding:
    """Table 4: the same hyper-parameters with and without held weights."""
    arms, good = _arms(every := bench.runs("draws")), _arms(sound(every))
    found = {
        label: bench.profiles(runs, told=label, metrics={"smoothed": smoothed})
        for label, runs in good.items()
    }
    true = {label: _convexities(profiles) for label, profiles in found.items()}
    released = {label: _convexities(profiles, compat=True) for label, profiles in found.items()}
    rows = [
        [
            *(label, len(runs), len(runs) - len(good[label])),
            *_cells(true[label], released[label]),
            mean_sd(run.test_error for run in good[label]),
        ]
        for label, runs in arms.items()
    ]
    columns = [
        *("networks", "trained", "diverged", "largest step Δ", "monotone", "local convexity"),
        *("global convexity", "global, released chord", "test error"),
    ]
    note = (
        "Mean ± standard deviation over runs that did not diverge (number of runs). The training "
        "loss includes the label smoothing. The chord of the released code ends at the second "
        "point's value in place of the last."
    )
    return Finding(
        charts=[
            curves_chart(
                "lines",
                "From initialisation to minimum, with and without held weights",
                "Training loss as minimised and training error, over random hyper-parameters.",
                found,
                metrics=("smoothed", "error"),
            ),
            _scatter(good, true),
        ],
        tables=[Table(title="Convexity of the line", columns=columns, rows=rows, note=note)],
        cases=_cases(true, {label: [_draw(run) for run in runs] for label, runs in good.items()}),
        words=[
            "Both kinds are trained with the same list of hyper-parameters; runs whose loss "
            "stopped being finite are left out and counted. The verdicts are on pairs, the two "
            "kinds at one draw: a draw at which either diverged is in the table and in no "
            "verdict, for the kinds would be compared at different hyper-parameters; n counts "
            "draws. A run is monotone if no step rises at all."
        ],
    )


def _arms(runs: Sequence[Subject]) -> dict[str, list[Subject]]:
    found = groups(runs, "net.kind", needed=KINDS)
    return {label: found[kind] for kind, label in KINDS.items()}


def _draw(run: Subject) -> Draw:
    """What both kinds of one draw share."""
    return tuple(run.at(path) for path in (RATE, *DRAWN))


def _convexities(profiles: Sequence[Profile], *, compat: bool = False) -> list[Convexity]:
    return [convexity(p.curve("smoothed"), compat="lim2024" if compat else None) for p in profiles]


def _monotone(found: Sequence[Convexity]) -> list[bool]:
    return [one.largest_step <= 0 for one in found]


def _cells(true: Sequence[Convexity], released: Sequence[Convexity]) -> list[str]:
    return [
        mean_sd(one.largest_step for one in true),
        mean_sd(_monotone(true)),
        mean_sd(one.local for one in true),
        mean_sd(one.overall for one in true),
        mean_sd(one.overall for one in released),
    ]


def _cases(
    true: Mapping[str, Sequence[Convexity]], draws: Mapping[str, Sequence[Draw]]
) -> dict[str, Cases]:
    """Pairs by draw; of a draw at which one of the kinds diverged there is none."""
    found = {label: dict(zip(draws[label], true[label], strict=True)) for label in true}
    plain, masked = (found[label] for label in KINDS.values())
    pairs = [draw for draw in plain if draw in masked]
    held, free = [masked[draw] for draw in pairs], [plain[draw] for draw in pairs]

    def of(more: Sequence[Any], less: Sequence[Any]) -> dict[str, Sequence[Any]]:
        return {"more": more, "less": less, "more_group": pairs, "less_group": pairs}

    return {
        "S1a": of([one.largest_step for one in free], [one.largest_step for one in held]),
        "S1b": of(_monotone(held), _monotone(free)),
        "S1c": of([one.local for one in held], [one.local for one in free]),
        "S1d": of([one.overall for one in held], [one.overall for one in free]),
    }


def _scatter(good: dict[str, list[Subject]], found: dict[str, list[Convexity]]) -> Panels:
    asked = {
        "largest step (nats)": lambda one: one.largest_step,
        "local convexity (share)": lambda one: one.local,
        "global convexity (share)": lambda one: one.overall,
    }
    rates = {label: [run.at(RATE) for run in runs] for label, runs in good.items()}
    panels = [
        Panel(
            x="learning rate",
            y=y,
            log_x=True,
            series=[
                Series(label=label, x=rates[label], y=[of(one) for one in ones], points=True)
                for label, ones in found.items()
            ],
        )
        for y, of in asked.items()
    ]
    counts = ", ".join(f"{len(runs)} ({label})" for label, runs in good.items())
    return Panels(
        name="by-rate",
        title="Convexity by learning rate",
        caption=f"One point a run; runs: {counts}.",
        panels=panels,
    )


def _claim(letter: str, text: str, of: str, place: str = "table 4") -> Claim:
    return Claim(id=f"S1{letter}", text=text, place=place, test=Difference(of))


PAPER = Paper(
    name="lim2024",
    title="The Empirical Impact of Neural Parameter Symmetries, or Lack Thereof",
    authors="D. Lim, T. Putterman, R. Walters, H. Maron, S. Jegelka",
    where="NeurIPS 2024, arXiv 2405.20231",
    about="Measures, draws of hyper-parameters, optimiser and schedule are the released code's; "
    "networks are its fully connected ones in place of its residual ones. Cells of its table "
    "could not be obtained: directions can be checked, numbers cannot.",
    items=(
        Item(
            name="symmetric-or-not",
            id="S1",
            title="Monotone and convex lines, with and without permutation symmetries",
            asks="Over random hyper-parameters, are lines of W-asymmetric networks more often "
            "monotone and more convex?",
            measure=symmetric_or_not,
            populations=("draws",),
            reported="Asymmetric networks score better on all four measures (300 runs of each "
            "kind; 24 sigma-asymmetric runs diverged and were left out). Values are not known.",
            claims=(
                _claim(
                    "a",
                    "The largest step up is smaller without symmetries",
                    "largest step, standard less W-asymmetric",
                ),
                _claim(
                    "b",
                    "More runs are monotone without symmetries",
                    "share of monotone runs, W-asymmetric less standard",
                ),
                _claim(
                    "c",
                    "Lines are locally more convex without symmetries",
                    "local convexity, W-asymmetric less standard",
                ),
                _claim(
                    "d",
                    "Lines are globally more convex without symmetries",
                    "global convexity, W-asymmetric less standard",
                    "table 4, with the chord that the code's comment describes",
                ),
            ),
        ),
    ),
)
