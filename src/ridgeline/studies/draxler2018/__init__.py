"""Draxler et al. 2018: elastic bands between minima, and the saddle on them.

*Essentially No Barriers in Neural Network Energy Landscape* (ICML 2018, arXiv 1803.00885). The
paper and its released code (AutoNEB) were read; thresholds are ours.
"""

from typing import Any

from ridgeline.connecting import ElasticBand, connect, draxler
from ridgeline.frame import Frame, mean
from ridgeline.frame.show import Summary
from ridgeline.studies.connected import (
    circle,
    losses_drawn,
    measured,
    networks,
    removed,
    straight,
)
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Item, Paper
from ridgeline.study.subjects import Subject

__all__ = ["PAPER"]

GONE = 0.95
"""Share of the line's training barrier; ours."""
WORSE = 0.03
"""Test error at the worst position above the worse end: the paper's are 0.5 points above on
CIFAR-10 and 2.2 on CIFAR-100; ours."""
LONG = 2.5
"""Length over the straight one; the paper's are 1.5 to 2.5."""


@versioned("elastic band of a pair", "1")
def _band(a: Subject, b: Subject, *, share: float, batch: int) -> dict[str, Any]:
    """The fourteen cycles of the released code, with a share of their steps."""
    by = ElasticBand(cycles=draxler(share), batch_size=batch, evaluation="loop")
    found = connect(a.final, b.final, a.objective("train"), by=by)
    return {**measured(found.path, a), "stretch": found.stretch}


def gone_of(height: float, left: float) -> float:
    """The share of the line's barrier that a band leaves out."""
    return removed(height, left)


def bands(bench: Bench) -> Frame:
    """A line and a band between neighbours in a circle of seeds; a row each pair."""
    share, batch = float(bench.setting("share")), int(bench.setting("batch"))
    rows = []
    for network, runs in networks(bench):
        for i, two in enumerate(circle(runs)):
            bench.tell(f"bands, {network}", i, len(runs))
            found = bench.kept(_band, two, share=share, batch=batch)
            row = {"network": network, "pair": i, "line": bench.kept(straight, two)}
            rows.append(row | {"band": found})
    return (
        Frame.of(rows, cluster="pair")
        .derive(
            height=lambda line: float(line["barrier"]),
            left=lambda band: float(band["barrier"]),
            removed=gone_of,
            worse=lambda band: float(band["worse"]),
            stretch=lambda band: float(band["stretch"]),
            top=lambda band: float(band["top"]),
        )
        .noted(
            f"AutoNEB: fourteen cycles, at {share:g} of the released code's steps. Pairs of one "
            "network share networks: a pair of seeds is one case."
        )
    )


def claim(id: str, text: str, place: str, column: str, said: str, test: Any) -> Claim:
    """A claim on bands, by pairs of seeds."""
    return Claim(id, text, place, test(mean(column, said, per="pair")))


PAPER = Paper(
    name="draxler2018",
    title="Essentially No Barriers in Neural Network Energy Landscape",
    authors="F. Draxler, K. Veschgini, M. Salmhofer, F. Hamprecht",
    where="ICML 2018, arXiv 1803.00885",
    about="Bands and cycles are the released code's, with fewer steps; networks are fully "
    "connected, in place of ResNets and DenseNets. The spanning tree over many minima is not "
    "asked about.",
    items=(
        Item(
            name="bands",
            id="D1",
            title="Elastic bands between independent minima",
            asks="How high is the saddle between two minima, and how long is the path over it?",
            measure=bands,
            populations=("minima",),
            settings=("share", "batch"),
            reported="Saddles at about the training loss of the minima; test error 0.5 points "
            "above on CIFAR-10 and 2.2 on CIFAR-100; paths of 1.5 to 2.5 times the segment.",
            show=(
                losses_drawn(
                    *("bands", "Loss along the line and along the band", "Training loss."),
                    line="line",
                    band="elastic band",
                ),
                Summary(
                    "Bands",
                    by={"network": "network"},
                    of={
                        "pairs": len,
                        "line's barrier": "height",
                        "removed": "removed",
                        "saddle": "top",
                        "test error above ends": "worse",
                        "length": "stretch",
                    },
                    count=False,
                    note="Training barriers above the chord and saddles, the largest training "
                    "loss on the band, in nats; lengths over the straight one.",
                ),
            ),
            claims=(
                claim(
                    *("D1a", "There is essentially no barrier", "title; the threshold is ours"),
                    *("removed", "share of the line's training barrier that is gone"),
                    lambda number: number > GONE,
                ),
                claim(
                    *("D1b", "Nor in the test error", "section 4; the threshold is ours"),
                    *("worse", "largest test error on the band less the worse end's (share)"),
                    lambda number: number < WORSE,
                ),
                claim(
                    *("D1c", "The path is not much longer than the line", "section 4"),
                    *("stretch", "length over the straight distance"),
                    lambda number: number < LONG,
                ),
            ),
        ),
    ),
)
