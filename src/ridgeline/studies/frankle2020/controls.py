"""S2 and S3: children that train for the whole length, and how far apart stable ones are."""

from typing import Any, Literal

import numpy as np

from ridgeline.charts import Table
from ridgeline.studies.common import mean_sd
from ridgeline.studies.frankle2020.instability import NETWORKS, Found
from ridgeline.studies.frankle2020.siblings import STABLE, siblings
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Difference, Mean
from ridgeline.study.papers import Finding, Item

__all__ = ["ITEMS", "settled"]

ASKED: tuple[tuple[str, Literal["paper", "derived"]], ...] = (("S3a", "derived"), ("S3b", "paper"))
"""Claims on distance: the paper's are of ResNet and VGG."""


def control(bench: Bench) -> Finding:
    """Children that train for the whole length, however late they parted."""
    rest, full = siblings(bench, "lenet"), siblings(bench, "lenet-full")
    pairs = [
        (step, a, b)
        for step in full
        for a in rest.get(step, [])
        for b in full[step]
        if a.seed == b.seed
    ]
    more = {
        "more": [b.instability() for *_, b in pairs],
        "less": [a.instability() for _, a, _ in pairs],
    }
    groups = [a.seed for _, a, _ in pairs]
    cases: Any = {**more, "more_group": groups, "less_group": groups}
    words = []
    if not any(
        np.mean([a.instability() for s, a, _ in pairs if s == step]) >= STABLE
        for step in {step for step, *_ in pairs}
    ):
        cases = {name: [] for name in cases}
        words = ["No step that is compared was unstable, so that nothing can be decided."]
    rows = [
        [
            step,
            mean_sd(100 * a.instability() for s, a, _ in pairs if s == step),
            mean_sd(100 * b.instability() for s, _, b in pairs if s == step),
        ]
        for step in full
    ]
    return Finding(
        tables=[
            Table(
                title="Children that train for what is left, and for the whole length",
                columns=["parted at step", "what is left", "whole length"],
                rows=rows,
                note="LeNet-300-100; instability in percentage points of test error, mean ± "
                "standard deviation (number of pairs).",
            )
        ],
        cases={"S2a": cases, "S2b": cases},
        words=words,
    )


def distances(bench: Bench) -> Finding:
    """Return how far apart children are that are linearly connected."""
    found = {label: siblings(bench, population) for label, population in NETWORKS.items()}
    rows, cases = [], {}
    for (label, every), claim in zip(found.items(), ("S3a", "S3b"), strict=True):
        for step, pairs in every.items():
            rows.append(
                [
                    *(label, step, mean_sd((p.apart for p in pairs), count=False)),
                    mean_sd((p.share for p in pairs), count=False),
                    mean_sd((100 * p.instability() for p in pairs), count=False),
                    len(pairs),
                ]
            )
        step = settled(every)
        cases[claim] = [] if step is None else [pair.share for pair in every[step]]
    return Finding(
        tables=[
            Table(
                title="Distance between children",
                columns=[
                    *("network", "parted at step", "distance", "of the distance travelled"),
                    *("instability (points)", "pairs"),
                ],
                rows=rows,
                note="Over trained numbers; distance travelled is the children's mean distance "
                "from the initialisation. Mean ± standard deviation over pairs.",
            )
        ],
        cases=cases,
        words=[
            "Claims are of the first step from which the instability of every pair is below 2 %. "
            "A network without such a step decides nothing."
        ],
    )


def settled(found: Found) -> int | None:
    """The first step from which on every pair is below the threshold; None if none."""
    last = None
    for step in sorted(found, reverse=True):
        heights = [pair.instability() for pair in found[step]]
        if not heights or max(heights) >= STABLE:
            break
        last = step
    return last


ITEMS = (
    Item(
        name="whole-length",
        id="S2",
        title="Children that train for the whole length",
        asks="Is it because late children have less left to train?",
        measure=control,
        settings=("points",),
        populations=("lenet", "lenet-full"),
        reported="Children for the whole length, with the schedule from its beginning: "
        "indistinguishable instability.",
        claims=(
            Claim(
                id="S2a",
                text="Children for the whole length are not less stable",
                place="section 3, control; the margin is ours",
                test=Difference(
                    "instability, whole length less what is left (share)", "below", STABLE
                ),
            ),
            Claim(
                id="S2b",
                text="Nor are they more stable",
                place="section 3, control; the margin is ours",
                test=Difference(
                    "instability, whole length less what is left (share)", "above", -STABLE
                ),
            ),
        ),
    ),
    Item(
        name="distance",
        id="S3",
        title="Distance between stable children",
        asks="Are connected children near each other?",
        measure=distances,
        settings=("points",),
        populations=tuple(NETWORKS.values()),
        reported="Stable children are still 25 % (ResNet-20) and 45 % (VGG-16) of the distance "
        "travelled apart, at the first stable step.",
        claims=tuple(
            Claim(
                id=id,
                text=f"Stable children of {label} are far apart",
                place="section 3; the threshold is ours",
                source=source,
                test=Mean("distance over distance travelled, first stable step", "above", 0.1),
            )
            for (id, source), label in zip(ASKED, NETWORKS, strict=True)
        ),
    ),
)
