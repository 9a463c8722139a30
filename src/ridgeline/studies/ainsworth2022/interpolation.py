"""A1: the line between two networks, naive and after each kind of matching (figure 2)."""

from collections.abc import Mapping, Sequence

from ridgeline.charts import Chart, Table
from ridgeline.profiles import Profile
from ridgeline.studies.common import curves_chart, mean_sd
from ridgeline.studies.matched import (
    ACTIVATIONS,
    NAIVE,
    STRAIGHT_THROUGH,
    WEIGHTS,
    Way,
    between,
)
from ridgeline.studies.pairs import Pair, apart, height, judged, points_of
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Mean
from ridgeline.study.papers import Finding, Item

__all__ = ["ITEMS", "curves", "dip", "lines", "table"]

WAYS = (NAIVE, WEIGHTS, ACTIVATIONS, STRAIGHT_THROUGH)
SPLITS = {"train": "training", "test": "test"}


def interpolation(bench: Bench) -> Finding:
    """Loss and accuracy between independent networks."""
    pairs = apart(bench.runs("interpolation"))
    found = lines(bench, pairs, WAYS)
    naive, weights, activations, straight = found.values()
    return Finding(
        charts=curves(found),
        tables=[table(found)],
        cases={
            "A1a": judged(pairs, (height(p, kind="mean") for p in naive)),
            "A1b": judged(pairs, (height(p, kind="mean") for p in weights)),
            "A1c": judged(pairs, (points_of(p, kind="mean") for p in weights)),
            "A1d": judged(pairs, (height(p, kind="mean") for p in activations)),
            "A1e": judged(pairs, (height(p, kind="mean") for p in straight)),
            "A1f": judged(pairs, (dip(p) for p in weights)),
            "A1g": judged(pairs, (dip(p) for p in straight)),
        },
        words=[
            "A barrier is the highest point of the line over the mean of its ends, as in the "
            "paper's code. Each run is in one pair alone.",
            "Straight-through matching begins at the identity, as the paper's algorithm 2, not at "
            f"weight matching; it takes {bench.setting('straight_through_steps')} steps of 1000 "
            "images, where the paper takes 250 epochs, on MNIST 15,000 steps. Activations are "
            f"those of {bench.setting('activation_samples')} training images.",
        ],
    )


def lines(bench: Bench, pairs: Sequence[Pair], ways: Sequence[Way]) -> dict[str, list[Profile]]:
    """The profile of every pair, by each way of carrying the second network to the first."""
    found: dict[str, list[Profile]] = {}
    for i, way in enumerate(ways):
        bench.tell(way.name, i, len(ways))
        found[way.name] = [between(bench, pair, way) for pair in pairs]
    return found


def dip(profile: Profile) -> float:
    """The test loss halfway less the mean of the ends, in nats; below zero if it is lower."""
    return profile.barrier("half", split="test").height


def curves(found: Mapping[str, Sequence[Profile]], suffix: str = "") -> list[Chart]:
    """Loss and error on the lines, a chart for each split."""
    return [
        curves_chart(
            f"interpolation{suffix}-{split}",
            f"Between independent networks: {words} set",
            "Loss and error on the line, the second network carried to the first.",
            found,
            split=split,
        )
        for split, words in SPLITS.items()
    ]


def table(
    found: Mapping[str, Sequence[Profile]], title: str = "Barriers between independent networks"
) -> Table:
    """Barriers of the lines, and accuracy halfway."""
    rows = [
        [
            way,
            *(mean_sd(height(p, split, "mean") for p in profiles) for split in SPLITS),
            *(mean_sd(points_of(p, split, "mean") for p in profiles) for split in SPLITS),
            mean_sd(100 * (1 - _middle(p)) for p in profiles),
            mean_sd(100 * (1 - _ends(p)) for p in profiles),
        ]
        for way, profiles in found.items()
    ]
    columns = [
        *("line", "loss barrier, train", "loss barrier, test"),
        *("accuracy barrier, train (points)", "accuracy barrier, test (points)"),
        *("test accuracy halfway (%)", "test accuracy of the ends (%)"),
    ]
    return Table(
        title=title,
        columns=columns,
        rows=rows,
        note="Mean ± standard deviation over pairs (number of pairs); losses in nats.",
    )


def _middle(profile: Profile) -> float:
    curve = profile.curve("error", "test")
    assert curve.middle is not None  # the points of every scale are odd
    return float(curve.mean[curve.middle])


def _ends(profile: Profile) -> float:
    mean = profile.curve("error", "test").mean
    return float(mean[0] + mean[-1]) / 2


NONE_LEFT = 0.1
"""Nats of training loss below which a barrier counts as none: ours, after a pilot that had 0.064
after weight matching and 0.085 after activation matching."""


def _removed(id: str, way: str) -> Claim:
    return Claim(
        id=id,
        text=f"After {way} two independent networks are linearly connected",
        place="figure 2; the threshold is ours, after a pilot",
        test=Mean(f"train-loss barrier after {way} (nats)", "below", NONE_LEFT),
    )


def _convex(id: str, way: str) -> Claim:
    return Claim(
        id=id,
        text=f"After {way} the test loss is lower halfway than at the ends",
        place="figure 2",
        test=Mean(f"test loss halfway less that of the ends, after {way} (nats)", "below", 0.0),
    )


ITEMS = (
    Item(
        name="interpolation",
        id="A1",
        title="Between independent networks",
        asks="Are two independent networks linearly connected after matching?",
        measure=interpolation,
        settings=(
            "points",
            "activation_samples",
            "straight_through_steps",
            "straight_through_rate",
        ),
        populations=("interpolation",),
        reported="On MNIST all three kinds of matching leave no barrier, and after two of them, "
        "of weights and straight-through, the test loss is convex on the line.",
        claims=(
            Claim(
                id="A1a",
                text="Without matching there is a barrier of more than one nat",
                place="figure 2; the threshold is ours, after a pilot that had 1.3",
                test=Mean("naive train-loss barrier (nats)", "above", 1.0),
            ),
            _removed("A1b", "weight matching"),
            Claim(
                id="A1c",
                text="After weight matching the accuracy does not fall on the line",
                place="figure 2; the threshold is ours, after a pilot that had 0.62",
                test=Mean("test accuracy barrier after weight matching (points)", "below", 1.0),
            ),
            _removed("A1d", "activation matching"),
            _removed("A1e", "straight-through matching"),
            _convex("A1f", "weight matching"),
            _convex("A1g", "straight-through matching"),
        ),
    ),
)
