"""F1: the line from initialisation to solution, for easy and for harder networks."""

from ridgeline.frame import Frame, difference, mean, share
from ridgeline.frame.show import Curves, Summary
from ridgeline.measures import convexity
from ridgeline.studies.common import half, rise, shapes
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item

__all__ = ["ITEMS", "NETWORKS"]

NETWORKS = {"LeNet-300-100": "lenet", "VGG": "vgg", "ResNet-20": "resnet"}
"""Label to population; the first is the easy one."""
EASY = next(iter(NETWORKS))
ROUGH = 0.1
"""Nats: a loss that rises by no more is roughly monotone. The loss of guessing is 2.3."""
CLOSE = 0.8
"""Position from which a point of the line is close to its end. A convex curve that falls to
nothing is at half its height by 1/2."""
STEP = 0.025
"""Between positions on the lines of convolutional networks, at scale laptop."""


def descent(bench: Bench) -> Frame:
    """Training loss and test error on the line, for each network."""
    points = {
        label: bench.setting("points" if label == EASY else "convolutional_points")
        for label in NETWORKS
    }
    lines = bench.lines(
        bench.frame(NETWORKS),
        points=lambda population: points[population],
        splits=("train", "test"),
    )
    return lines.derive(
        rise=rise,
        falls=lambda rise: rise <= ROUGH,
        tested=lambda profile: profile.monotonicity(metric="error", split="test").largest_rise,
        half_loss=lambda profile: half(profile, "loss"),
        half_test=lambda profile: half(profile, split="test"),
        below=lambda profile: convexity(profile.curve()).overall,
        convex=lambda profile: convexity(profile.curve()).local,
    )


def _high(id: str, network: str) -> Claim:
    said = "first position at half the first loss"
    asked = mean("half_loss", said, population=network, resolution=STEP)
    text = f"For {network} the loss remains high until close to the optimum"
    return Claim(id, text, "abstract", asked > CLOSE)


def _wrong(id: str, network: str) -> Claim:
    said = "first position at half the error of guessing, test"
    asked = mean("half_test", said, population=network, resolution=STEP)
    text = f"So does the test error, for {network}"
    return Claim(id, text, "our specification, F1", asked > CLOSE, "derived")


def _not_convex(id: str, network: str) -> Claim:
    said = f"share of the line that is locally convex, LeNet less {network}"
    sides = ({"population": EASY}, {"population": network})
    text = f"For {network} the curve is less convex than for the small network"
    return Claim(id, text, "abstract", difference("convex", said, *sides, cluster="seed") > 0)


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
        show=(
            *(
                Curves(
                    f"descent-{split}",
                    f"From initialisation to solution ({split})",
                    f"{split.capitalize()} loss and error.",
                    line="population",
                    split=split,
                )
                for split in ("train", "test")
            ),
            shapes("Plateaus on the training set", {"network": "population"}),
            Summary(
                "Monotone and convex",
                by={"network": "population"},
                of={
                    "largest rise, training loss": "rise",
                    "largest rise, test error": "tested",
                    "half test error at": "half_test",
                    "share on or below the chord": "below",
                    "share locally convex": "convex",
                },
                note="Mean ± standard deviation over runs (number of runs). Losses in nats; "
                "shares of the line are of the training loss.",
            ),
        ),
        claims=(
            Claim(
                *("F1a", "The training loss is roughly monotonically non-increasing", "abstract"),
                share("falls", "runs whose training loss rises by at most 0.1 nats", cluster="seed")
                > 0.5,
            ),
            _high("F1b", "VGG"),
            _wrong("F1c", "VGG"),
            Claim(
                *("F1d", "For the small network the curve is convex", "abstract"),
                mean("convex", "share of the line that is locally convex, LeNet", population=EASY)
                > 0.9,
            ),
            _not_convex("F1e", "VGG"),
            _high("F1f", "ResNet-20"),
            _wrong("F1g", "ResNet-20"),
            _not_convex("F1h", "ResNet-20"),
        ),
    ),
)
