"""E3: "real world" beside "our model": independent networks and permutations of one (figure 5)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ridgeline.charts import Mark, Panel, Panels, Series
from ridgeline.frame import Frame, mean
from ridgeline.frame.show import Summary, mean_sd
from ridgeline.measures import Array
from ridgeline.studies.pairs import cells, hidden, of_learned, rows, width
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Item
from ridgeline.study.subjects import Subject
from ridgeline.theory.sameness import PermutationTest, random_permutation_test

__all__ = ["ITEMS", "excess"]

LIKE = 0.2
"""Share by which barriers may differ and count as alike: ours; the paper says similar."""


def real_and_permuted(bench: Bench) -> Frame:
    """Are barriers between independent networks those between permutations of one?"""
    draws, points = int(bench.setting("draws")), bench.setting("points")
    wide = bench.runs("widths")
    known = {run.hash for run in wide}
    deep = [run for run in bench.runs("depths") if run.hash not in known]
    pairs = rows(cells(wide, width)).derive(networks=lambda at: f"{at:g} units")
    pairs += rows(cells(deep, hidden)).derive(networks=lambda at: f"{at:g} layers")
    bench.tell("real and permuted", 0, len(pairs))
    return pairs.derive(
        found=lambda pair: bench.kept(_barriers, [pair.a, pair.b], draws=draws, points=points),
        real=lambda found: float(found["real"]),
        permuted=lambda found: float(np.mean(found["permuted"])),
        excess=excess,
        apart=lambda excess: float(np.abs(excess)),
        judged=of_learned("apart"),
    ).noted(
        f"Each network is permuted {draws} times. The verdict is on pairs of "
        "seeds: how far both barriers of a network are apart, whichever is higher, and then "
        "the mean over a pair's widths and depths; a network in both counts once. The chance "
        "of draws is in it. Alike barriers do not "
        "prove that networks are permutations of each other; unlike ones speak against it."
    )


def excess(found: Mapping[str, Array]) -> float:
    """Share by which a pair's barrier is above the mean of those to permutations of its two."""
    return float(found["real"] / np.mean(found["permuted"]) - 1)


@versioned("real and permuted", "1")
def _barriers(a: Subject, b: Subject, *, draws: int, points: Any) -> dict[str, Any]:
    found: PermutationTest = random_permutation_test(
        [a.final, b.final],
        a.symmetry,
        a.objective(),
        seed=a.seed,
        draws=draws,
        points=points,
    )
    return {"real": found.pairs[0], "permuted": found.permuted.ravel()}


def _chart(frame: Frame) -> Panels:
    series = [
        Series(label=label, x=group["permuted"], y=group["real"], points=True, dash=i % 4)
        for i, (label, group) in enumerate(frame.by("networks").items())
    ]
    top = max(0.0, frame["permuted"].max(), frame["real"].max())
    line = Series(label="alike", x=[0, top], y=[0, top], faint=True)
    return Panels(
        name="real-and-permuted",
        title="Independent networks beside permutations of one",
        caption="Training-loss barriers over the chord, in nats; one point a pair.",
        panels=[
            Panel(
                x="mean barrier to permutations of its two networks (nats)",
                y="barrier of the pair (nats)",
                series=[*series, line],
                marks=[Mark(0.0, axis="y")],
            )
        ],
    )


ITEMS = (
    Item(
        name="real-and-permuted",
        id="E3",
        title="Independent networks beside permutations of one",
        asks="Are barriers between independent networks those between permutations of one?",
        measure=real_and_permuted,
        settings=("points", "draws"),
        populations=("widths", "depths"),
        reported="Barriers of both kinds are similar over widths, depths and data sets, which "
        "supports the conjecture that solutions are one, but for permutations.",
        show=(
            _chart,
            Summary(
                "Training-loss barriers (nats)",
                by={"networks": "networks"},
                of={
                    "independent": "real",
                    "permutations of one": lambda group: mean_sd(
                        float(b) for found in group.values("found") for b in found["permuted"]
                    ),
                    "excess (share)": "excess",
                    "apart (share)": "apart",
                },
                note="Mean ± standard deviation (number of lines); the excess is each pair's, "
                "and they are apart by it whatever its sign.",
            ),
        ),
        claims=(
            Claim(
                "E3a",
                "Barriers between independent networks are like those between permutations of "
                "one, at every width and depth",
                "figure 5; the threshold is ours",
                mean(
                    *(
                        "judged",
                        "excess over permutations of one, without its sign, by pair (share)",
                    ),
                    per="group",
                )
                < LIKE,
            ),
        ),
    ),
)
