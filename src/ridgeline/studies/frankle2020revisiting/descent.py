"""F1: the line from initialisation to solution, for easy and for harder networks."""

from collections.abc import Mapping, Sequence
from typing import Any

from ridgeline.charts import Table
from ridgeline.measures import convexity
from ridgeline.profiles import Profile
from ridgeline.studies.common import curves_chart, half, mean_sd, rise, shapes_table, sound
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Difference, Mean, Share
from ridgeline.study.papers import Finding, Item

__all__ = ["ITEMS", "NETWORKS", "less_convex"]

NETWORKS = {"LeNet-300-100": "lenet", "VGG": "vgg", "ResNet-20": "resnet"}
"""Label to population; the first is the easy one."""
ROUGH = 0.1
"""Nats: a loss that rises by no more is roughly monotone. The loss of guessing is 2.3."""
CLOSE = 0.8
"""Position from which a point of the line is close to its end. A convex curve that falls to
nothing is at half its height by 1/2."""
STEP = 0.025
"""Between positions on the lines of convolutional networks, at scale laptop."""


def descent(bench: Bench) -> Finding:
    """Training loss and test error on the line, for each network."""
    found, group = {}, {}
    for label, population in NETWORKS.items():
        points = bench.setting("points" if population == "lenet" else "convolutional_points")
        runs = sound(bench.runs(population))
        found[label] = bench.profiles(runs, told=label, points=points, splits=("train", "test"))
        group[label] = [run.seed for run in runs]
    easy, vgg, resnet = found
    every = [p for profiles in found.values() for p in profiles]
    return Finding(
        charts=[
            curves_chart(
                f"descent-{split}",
                f"From initialisation to solution ({split})",
                f"{split.capitalize()} loss and error.",
                found,
                split=split,
            )
            for split in ("train", "test")
        ],
        tables=[shapes_table("Plateaus on the training set", "network", found), _rises(found)],
        cases={
            "F1a": {
                "is": [rise(p) <= ROUGH for p in every],
                "group": [seed for seeds in group.values() for seed in seeds],
            },
            "F1b": [half(p, "loss") for p in found[vgg]],
            "F1c": [half(p, split="test") for p in found[vgg]],
            "F1d": [_convex(p) for p in found[easy]],
            "F1e": less_convex(found, group, vgg),
            "F1f": [half(p, "loss") for p in found[resnet]],
            "F1g": [half(p, split="test") for p in found[resnet]],
            "F1h": less_convex(found, group, resnet),
        },
    )


def _convex(profile: Profile) -> float:
    """The share of the line on which the training loss is locally convex."""
    return convexity(profile.curve()).local


def less_convex(
    found: Mapping[str, Sequence[Profile]], seeds: Mapping[str, Sequence[int]], network: str
) -> dict[str, Sequence[Any]]:
    """The small network's share against another's; runs of one seed are a pair."""
    easy = next(iter(found))
    return {
        "more": [_convex(p) for p in found[easy]],
        "less": [_convex(p) for p in found[network]],
        "more_group": seeds[easy],
        "less_group": seeds[network],
    }


def _rises(found: Mapping[str, Sequence[Profile]]) -> Table:
    rows = []
    for label, profiles in found.items():
        tested = [p.monotonicity(metric="error", split="test").largest_rise for p in profiles]
        rows.append(
            [
                label,
                mean_sd(rise(p) for p in profiles),
                mean_sd(tested),
                mean_sd(half(p, split="test") for p in profiles),
                mean_sd(convexity(p.curve()).overall for p in profiles),
                mean_sd(_convex(p) for p in profiles),
            ]
        )
    columns = [
        *("network", "largest rise, training loss", "largest rise, test error"),
        *("half test error at", "share on or below the chord", "share locally convex"),
    ]
    return Table(
        title="Monotone and convex",
        columns=columns,
        rows=rows,
        note="Mean ± standard deviation over runs (number of runs). Losses in nats; shares of the "
        "line are of the training loss.",
    )


def _high(id: str, network: str) -> Claim:
    return Claim(
        id=id,
        text=f"For {network} the loss remains high until close to the optimum",
        place="abstract",
        test=Mean("first position at half the first loss", "above", CLOSE, resolution=STEP),
    )


def _wrong(id: str, network: str) -> Claim:
    return Claim(
        id=id,
        text=f"So does the test error, for {network}",
        place="our specification, F1",
        source="derived",
        test=Mean(
            "first position at half the error of guessing, test", "above", CLOSE, resolution=STEP
        ),
    )


def _not_convex(id: str, network: str) -> Claim:
    return Claim(
        id=id,
        text=f"For {network} the curve is less convex than for the small network",
        place="abstract",
        test=Difference(f"share of the line that is locally convex, LeNet less {network}"),
    )


ITEMS = (
    Item(
        name="descent",
        id="F1",
        title="From initialisation to solution",
        asks="Does the loss fall early on the line, or only close to the solution?",
        measure=descent,
        settings=("points", "convolutional_points"),
        populations=tuple(NETWORKS.values()),
        reported="Roughly monotonically non-increasing in all settings; convex on MNIST alone, "
        "high until close to the optimum on CIFAR-10 and ImageNet (curves, 100 points).",
        claims=(
            Claim(
                id="F1a",
                text="The training loss is roughly monotonically non-increasing",
                place="abstract",
                test=Share("runs whose training loss rises by at most 0.1 nats", "above", 0.5),
            ),
            _high("F1b", "VGG"),
            _wrong("F1c", "VGG"),
            Claim(
                id="F1d",
                text="For the small network the curve is convex",
                place="abstract",
                test=Mean("share of the line that is locally convex, LeNet", "above", 0.9),
            ),
            _not_convex("F1e", "VGG"),
            _high("F1f", "ResNet-20"),
            _wrong("F1g", "ResNet-20"),
            _not_convex("F1h", "ResNet-20"),
        ),
    ),
)
