"""S1: instability by the step at which two copies part."""

from typing import Any

from ridgeline.charts import Mark, Panels
from ridgeline.frame import Asked, Frame, correlation, difference, mean
from ridgeline.frame.show import Curves, Summary, Trend
from ridgeline.studies.frankle2020.siblings import NETWORKS, STABLE, siblings, steps_of
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item

__all__ = ["ITEMS"]

LENET, RESNET = NETWORKS


def spawned(bench: Bench) -> Frame:
    """The error between children, by the step at which they parted."""
    late = steps_of(bench.runs(NETWORKS[RESNET])[0], str(bench.setting("late")))
    return (
        siblings(bench, NETWORKS)
        .derive(
            parted=lambda step: f"step {step}",
            late=lambda step: step == late,
            first_rate=lambda step: step <= late,
            train_points=lambda train: 100 * train,
            test_points=lambda test: 100 * test,
            height=lambda profile: profile.barrier(split="train").height,
        )
        .noted(
            "Instability is the highest error on the line less the mean of the ends', on the "
            f"test data, over {bench.setting('points')} positions. Children differ in the order "
            "of their data alone.",
            f"Claims on later ResNet-20 are of step {late} and before it, while the learning rate "
            "is at its first value; later steps are shown alone.",
            "A highest value over many positions lies above the true one by what sampling adds: "
            "on 1,000 images the error of one position is known to about a point.",
        )
    )


def instabilities(frame: Frame) -> Panels:
    """Instability against the step of parting, a panel a network, a line a split."""
    train = frame.derive(split="train", points=lambda train_points: train_points)
    test = frame.derive(split="test", points=lambda test_points: test_points)
    pairs = ", ".join(
        f"{min(map(len, group.by('step').values()))} ({network})"
        for network, group in frame.by("network").items()
    )
    return Trend(
        "instability",
        "Instability, by the step at which two copies part",
        f"Mean over pairs of children, band of one standard deviation; pairs: {pairs}.",
        x=("step", "step at which children part"),
        y={"instability (percentage points)": "points"},
        unit="seed",
        line="split",
        each="network",
        marks=[Mark(100 * STABLE, "stable", axis="y")],
    )(train + test)


def instability(said: str, **where: Any) -> Any:
    """The mean over pairs, of the test error."""
    return mean("test", f"instability of test error, {said} (share)", **where)


def claim(letter: str, text: str, test: Asked) -> Claim:
    """A claim of figure 3."""
    return Claim(f"S1{letter}", text, "figure 3", test)


ITEMS = (
    Item(
        name="instability",
        id="S1",
        title="Instability, by the step of spawning",
        asks="From which step on do two copies with different orders of data stay connected?",
        measure=spawned,
        settings=("points", "late"),
        populations=tuple(NETWORKS.values()),
        reported="LeNet on MNIST is stable from the initialisation on, ResNet-20 on CIFAR-10 from "
        "step 2,000 (3 % of training), VGG-16 from step 1,000 (1.5 %); before, the error between "
        "children of the last two rises to chance.",
        show=(
            instabilities,
            Curves(
                "between-children-{}",
                "Between two children, {}",
                "Test loss and error on the line, by the step at which they parted.",
                line="parted",
                each="network",
                split="test",
                ordered=True,
            ),
            Summary(
                "Instability",
                by={"network": "network", "parted at step": "step"},
                of={
                    "pairs": len,
                    "train error": "train_points",
                    "test error": "test_points",
                    "training loss (nats)": "height",
                    "stable": lambda rows: f"{rows['stable'].sum()} of {len(rows)}",
                },
                note="Errors in percentage points over the mean of the ends, loss over the chord; "
                "mean ± standard deviation over pairs.",
                count=False,
            ),
        ),
        claims=(
            claim(
                "a",
                "LeNet is stable from the initialisation on",
                instability("parted at 0", network=LENET, step=0) < STABLE,
            ),
            claim(
                "b",
                "ResNet-20 is unstable at the initialisation",
                instability("parted at 0", network=RESNET, step=0) > STABLE,
            ),
            claim(
                "c",
                "Later ResNet-20 is stable",
                instability("parted late, at the first rate", network=RESNET, late=True) < STABLE,
            ),
            claim(
                "d",
                "The later ResNet-20's children part, the more stable it is",
                correlation(
                    *("step", "test", "step of parting and instability of test error"),
                    cluster="seed",
                    network=RESNET,
                    first_rate=True,
                )
                < 0,
            ),
            claim(
                "e",
                "Parted late, ResNet-20 is more stable than parted at the start",
                difference(
                    *("test", "instability of test error, parted at 0 less late (share)"),
                    {"step": 0},
                    {"late": True},
                    cluster="seed",
                    network=RESNET,
                )
                > 0,
            ),
        ),
    ),
)
