"""A1: the line between two networks, naive and after each kind of matching (figure 2)."""

from collections.abc import Sequence

from ridgeline.frame import Frame, mean
from ridgeline.frame.show import Curves, Show, Summary
from ridgeline.profiles import Profile
from ridgeline.studies.matched import (
    ACTIVATIONS,
    NAIVE,
    STRAIGHT_THROUGH,
    WEIGHTS,
    Way,
    lines,
)
from ridgeline.studies.pairs import cells, height, of_learned, points_of, rows, width
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item

__all__ = ["ITEMS", "dip", "measured", "shown"]

WAYS = (NAIVE, WEIGHTS, ACTIVATIONS, STRAIGHT_THROUGH)
SPLITS = {"train": "training", "test": "test"}


def interpolation(bench: Bench) -> Frame:
    """Loss and accuracy between independent networks."""
    return measured(bench, "interpolation", WAYS).noted(
        "A barrier is the highest point of the line over the mean of its ends, as in the "
        "paper's code. Each run is in one pair alone.",
        "Straight-through matching begins at the identity, as the paper's algorithm 2, not at "
        f"weight matching; it takes {bench.setting('straight_through_steps')} steps of 1000 "
        "images, where the paper takes 250 epochs, on MNIST 15,000 steps. Activations are "
        f"those of {bench.setting('activation_samples')} training images.",
    )


def measured(bench: Bench, population: str, ways: Sequence[Way]) -> Frame:
    """Barriers between the pairs of a population, for each way of carrying the second network."""
    return lines(bench, rows(cells(bench.runs(population), width)), ways).derive(
        train=lambda profile: height(profile, "train", "mean"),
        test=lambda profile: height(profile, "test", "mean"),
        train_points=lambda profile: points_of(profile, "train", "mean"),
        test_points=lambda profile: points_of(profile, "test", "mean"),
        halfway=lambda profile: 100 * (1 - _middle(profile)),
        ends=lambda profile: 100 * (1 - _ends(profile)),
        dip=dip,
        left=of_learned("train"),
        lost=of_learned("test_points"),
        dipped=of_learned("dip"),
    )


def dip(profile: Profile) -> float:
    """The test loss halfway less the mean of the ends, in nats; below zero if it is lower."""
    return profile.barrier("half", split="test").height


def _middle(profile: Profile) -> float:
    curve = profile.curve("error", "test")
    assert curve.middle is not None  # the points of every scale are odd
    return float(curve.mean[curve.middle])


def _ends(profile: Profile) -> float:
    mean = profile.curve("error", "test").mean
    return float(mean[0] + mean[-1]) / 2


def shown(
    suffix: str = "", title: str = "Barriers between independent networks"
) -> tuple[Show, ...]:
    """Loss and error on the lines, a chart for each split, and a table of barriers.

    Args:
        suffix: Of the charts' names.
        title: Of the table.
    """
    curves = (
        Curves(
            f"interpolation{suffix}-{split}",
            f"Between independent networks: {words} set",
            "Loss and error on the line, the second network carried to the first.",
            line="way",
            split=split,
        )
        for split, words in SPLITS.items()
    )
    table = Summary(
        title,
        by={"line": "way"},
        of={
            "loss barrier, train": "train",
            "loss barrier, test": "test",
            "accuracy barrier, train (points)": "train_points",
            "accuracy barrier, test (points)": "test_points",
            "test accuracy halfway (%)": "halfway",
            "test accuracy of the ends (%)": "ends",
        },
        note="Mean ± standard deviation over pairs (number of pairs); losses in nats.",
    )
    return (*curves, table)


NONE_LEFT = 0.1
"""Nats of training loss below which a barrier counts as none: ours, after a pilot that had 0.064
after weight matching and 0.085 after activation matching."""


def _removed(id: str, said: str, way: Way) -> Claim:
    asked = mean("left", f"train-loss barrier after {said} (nats)", way=way.name)
    text = f"After {said} two independent networks are linearly connected"
    return Claim(id, text, "figure 2; the threshold is ours, after a pilot", asked < NONE_LEFT)


def _convex(id: str, said: str, way: Way) -> Claim:
    words = f"test loss halfway less that of the ends, after {said} (nats)"
    text = f"After {said} the test loss is lower halfway than at the ends"
    return Claim(id, text, "figure 2", mean("dipped", words, way=way.name) < 0)


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
        show=shown(),
        claims=(
            Claim(
                *("A1a", "Without matching there is a barrier of more than one nat"),
                "figure 2; the threshold is ours, after a pilot that had 1.3",
                mean("left", "naive train-loss barrier (nats)", way=NAIVE.name) > 1,
            ),
            _removed("A1b", "weight matching", WEIGHTS),
            Claim(
                *("A1c", "After weight matching the accuracy does not fall on the line"),
                "figure 2; the threshold is ours, after a pilot that had 0.62",
                mean(
                    *("lost", "test accuracy barrier after weight matching (points)"),
                    way=WEIGHTS.name,
                )
                < 1,
            ),
            _removed("A1d", "activation matching", ACTIVATIONS),
            _removed("A1e", "straight-through matching", STRAIGHT_THROUGH),
            _convex("A1f", "weight matching", WEIGHTS),
            _convex("A1g", "straight-through matching", STRAIGHT_THROUGH),
        ),
    ),
)
