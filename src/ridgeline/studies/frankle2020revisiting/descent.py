"""F1: the line from initialisation to solution, for easy and for harder networks."""

from collections.abc import Mapping, Sequence

from ridgeline.measures import convexity
from ridgeline.profiles import Profile
from ridgeline.studies.common import curves_chart, half, mean_sd, rise, shapes_table, sound
from ridgeline.study.bench import Bench
from ridgeline.study.charts import Tabular
from ridgeline.study.claims import Claim, Difference, Mean, Share
from ridgeline.study.papers import Finding, Item

__all__ = ["ITEMS", "NETWORKS"]

NETWORKS = {"LeNet-300-100": "lenet", "VGG": "vgg", "ResNet-20": "resnet"}
"""Label to population; the first is the easy one."""
ROUGH = 0.1
"""Nats: a loss that rises by no more is roughly monotone. The loss of guessing is 2.3."""


def descent(bench: Bench) -> Finding:
    """Training loss and test error on the line, for each network."""
    found = {}
    for label, population in NETWORKS.items():
        points = bench.setting("points" if population == "lenet" else "convolutional_points")
        runs = sound(bench.runs(population))
        found[label] = bench.profiles(runs, told=label, points=points, splits=("train", "test"))
    easy, *hard = found.values()
    harder = [p for profiles in hard for p in profiles]
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
            "F1a": [rise(p) <= ROUGH for p in (*easy, *harder)],
            "F1b": [half(p, "loss") for p in harder],
            "F1c": [half(p, split="test") for p in harder],
            "F1d": [_convex(p) for p in easy],
            "F1e": {"more": [_convex(p) for p in easy], "less": [_convex(p) for p in harder]},
        },
    )


def _convex(profile: Profile) -> float:
    return convexity(profile.curve()).overall


def _rises(found: Mapping[str, Sequence[Profile]]) -> Tabular:
    rows = []
    for label, profiles in found.items():
        tested = [p.monotonicity(metric="error", split="test").largest_rise for p in profiles]
        rows.append(
            [
                label,
                mean_sd(rise(p) for p in profiles),
                mean_sd(tested),
                mean_sd(half(p, split="test") for p in profiles),
                mean_sd(_convex(p) for p in profiles),
                mean_sd(convexity(p.curve()).local for p in profiles),
            ]
        )
    columns = [
        *("network", "largest rise, training loss", "largest rise, test error"),
        *("half test error at", "share on or below the chord", "share locally convex"),
    ]
    return Tabular(
        title="Monotone and convex",
        columns=columns,
        rows=rows,
        note="Mean ± standard deviation over runs (number of runs). Losses in nats; shares of the "
        "line are of the training loss.",
    )


ITEMS = (
    Item(
        name="descent",
        id="F1",
        title="From initialisation to solution",
        asks="Does the loss fall early on the line, or only close to the solution?",
        measure=descent,
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
            Claim(
                id="F1b",
                text="For harder networks the loss remains high until close to the optimum",
                place="abstract",
                test=Mean("first position at half the first loss, VGG and ResNet", "above", 0.5),
            ),
            Claim(
                id="F1c",
                text="So does the test error",
                place="abstract",
                test=Mean("first position at half the error of guessing, test", "above", 0.5),
            ),
            Claim(
                id="F1d",
                text="For the small network the curve is convex",
                place="abstract",
                test=Mean("share of the line on or below its chord, LeNet", "above", 0.9),
            ),
            Claim(
                id="F1e",
                text="It is so for the small network only",
                place="abstract",
                test=Difference("share on or below the chord, LeNet less VGG and ResNet"),
            ),
        ),
    ),
)
