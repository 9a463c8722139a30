"""Sonthalia et al. 2024: is one network linearly connected to all others, modulo permutations?

*Do Deep Neural Network Solutions Form a Star Domain?* (ICLR 2025, arXiv 2403.07968). The released
code (starlight) and the results that it ships were read: training barriers of networks with one
hidden layer on MNIST, by width. Thresholds are ours.
"""

from itertools import combinations
from typing import Any

import numpy as np

from ridgeline.charts import Panel, Panels, band
from ridgeline.connecting import Descent, StarFinding, star, star_domain
from ridgeline.frame import Frame, correlation, difference
from ridgeline.frame.show import Summary
from ridgeline.matching import WeightMatching, align
from ridgeline.paths import Line
from ridgeline.profiles import profile
from ridgeline.studies.connected import networks
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Item, Paper
from ridgeline.study.subjects import Subject
from ridgeline.training import SGD

__all__ = ["PAPER"]

POINTS = 11
"""Positions on a line, as in the released code."""
KINDS = {
    "regular": "two networks, aligned",
    "anchor": "centre and anchor",
    "heldout": "centre and held-out network, aligned",
}


@versioned("aligned pair", "1")
def _pair(a: Subject, b: Subject) -> dict[str, Any]:
    """The training barrier of two networks after weight matching."""
    carried = align(a.final, b.final, a.symmetry, by=WeightMatching()).state
    found = profile(Line(a.final, carried), a.objective("train"), points=POINTS)
    return {"barrier": np.array(found.barrier().height)}


@versioned("star domain", "1")
def _star(
    *runs: Subject, anchors: int, seed: int, steps: int, batch: int, rate: float
) -> dict[str, Any]:
    """Barriers to the centre of the first runs, aligned, and of the others, aligned to it."""
    goal, symmetry = runs[0].objective("train"), runs[0].symmetry
    rule = SGD(learning_rate=rate, momentum=0.9, weight_decay=5e-4)
    descent = Descent(length=f"{steps}it", batch_size=batch, optimiser=rule, looks=2)
    states = [run.final for run in runs]
    found = star(
        states[:anchors], goal, by=StarFinding(descent=descent), symmetry=symmetry, seed=seed
    )
    domain = star_domain(found, states[anchors:], goal, points=POINTS, symmetry=symmetry)
    return {name: np.array(values) for name, values in domain.barriers().items()}


def domain(bench: Bench) -> Frame:
    """Stars of aligned anchors by width, turned around a circle of seeds; a row each."""
    asked = {"steps": int(bench.setting("steps")), "batch": int(bench.setting("batch"))}
    asked |= {"anchors": int(bench.setting("anchors"))}
    rows = []
    for network, runs in networks(bench):
        for i, first in enumerate(runs):
            bench.tell(f"stars, {network}", i, len(runs))
            turned = [*runs[i:], *runs[:i]]
            found = bench.kept(_star, turned, seed=i, rate=float(bench.setting("rate")), **asked)
            pairs = combinations(sorted(turned[:3], key=lambda run: run.seed), 2)
            regular = [float(bench.kept(_pair, two)["barrier"]) for two in pairs]
            rows.append(
                {"width": int(first.at("net.widths")[1]), "star": i, "n": len(runs)}
                | {"regular": float(np.mean(regular)), "anchor": float(found["feet"].mean())}
                | {"heldout": float(found["held_out"].mean())}
            )
    return Frame.of(rows, cluster="star").noted(
        f"Each star has {asked['anchors']} anchors, aligned to the first by weight matching; the "
        "others of its width are held out and aligned to the centre. One anchor and one position "
        "a step, SGD with momentum 0.9 and weight decay 5e-4; rate and length are ours. Stars of "
        "one width share networks: those of the same seeds at all widths are one case.",
        "The barrier of two aligned networks is the mean over the pairs of a star's first three.",
    )


def _by_kind(frame: Frame) -> Frame:
    """A row for each kind of line."""
    return Frame.of(
        {"star": row["star"], "width": row["width"], "kind": kind, "barrier": row[kind]}
        for row in frame
        for kind in KINDS
    )


def _drawn(frame: Frame) -> Panels:
    widths = sorted(frame.by("width"))
    whole = frame.balanced("star", "width").sorted("width")
    series = [
        band(label, widths, [one[kind] for one in whole.by("star").values()])
        for kind, label in KINDS.items()
    ]
    return Panels(
        name="star-domain",
        title="Barriers to the centre of a star, by width",
        caption=f"Training loss above the chord; mean over {len(whole) // len(widths)} stars, band "
        "of one standard deviation.",
        panels=[Panel(x="hidden units", y="barrier (nats)", series=series, log_x=True)],
    )


def lower(id: str, text: str, kind: str) -> Claim:
    """A claim that the barrier of one kind of line is below that of aligned pairs."""
    said = f"training barrier, aligned pairs less {KINDS[kind]}"
    sides = {"kind": "regular"}, {"kind": kind}
    asked = difference("barrier", said, *sides, cluster="star", paired=True, rows=_by_kind)
    return Claim(id, text, "table of MNIST networks; direction", asked > 0)


PAPER = Paper(
    name="sonthalia2024",
    title="Do Deep Neural Network Solutions Form a Star Domain?",
    authors="A. Sonthalia, A. Rubinstein, E. Abbasnejad, S. J. Oh",
    where="ICLR 2025, arXiv 2403.07968",
    about="Networks with one hidden layer by width, after the results that its code ships for "
    "MNIST; its convolutional and language networks are not asked about.",
    items=(
        Item(
            name="star-domain",
            id="S1",
            title="A centre and networks that it was not trained on",
            asks="Is the centre of some networks connected to others, modulo permutations?",
            measure=domain,
            populations=("minima",),
            settings=("anchors", "steps", "batch", "rate"),
            reported="MNIST, 4 to 256 hidden units: aligned pairs 0.368, 0.261, 0.312, 0.193, "
            "0.049, 0.015, 0.006; centre and anchor 0.153, 0.048, 0.045, 0.025, 0.011, 0.004, "
            "0.002; centre and held out 0.089, 0.117, 0.111, 0.063, 0.021, 0.008, 0.003.",
            show=(
                _drawn,
                Summary(
                    "Barriers by width",
                    by={"hidden units": "width"},
                    of={"stars": len, **{label: kind for kind, label in KINDS.items()}},
                    count=False,
                    note="Training loss above the chord, nats.",
                ),
            ),
            claims=(
                lower(
                    "S1a", "The centre is nearer connected to its anchors than they are", "anchor"
                ),
                lower("S1b", "It is to networks that it was not trained on", "heldout"),
                Claim(
                    *(
                        "S1c",
                        "Wider networks are better connected to it",
                        "table of MNIST networks",
                    ),
                    correlation(
                        *("width", "heldout", "width and barrier of held-out networks"),
                        cluster="star",
                    )
                    < 0,
                ),
            ),
        ),
    ),
)
