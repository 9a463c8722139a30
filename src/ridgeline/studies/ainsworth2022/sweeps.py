"""A2 to A4: what is left after matching, against width, depth and time of training."""

from dataclasses import replace

from ridgeline.frame import Frame, correlation, difference
from ridgeline.frame.show import Show, Summary, Trend
from ridgeline.measures import BarrierKind
from ridgeline.studies.matched import NAIVE, WEIGHTS, lines
from ridgeline.studies.pairs import cells, height, hidden, of_learned, points_of, rows, width
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item

__all__ = ["ITEMS"]

WAYS = (NAIVE, WEIGHTS)


def widths(bench: Bench) -> Frame:
    """Wider networks."""
    runs = [*bench.runs("widths"), *bench.runs("interpolation")]
    return _measured(bench, rows(cells(runs, width)))


def depths(bench: Bench) -> Frame:
    """Deeper networks."""
    return _measured(bench, rows(cells(bench.runs("depths"), hidden)))


def epochs(bench: Bench) -> Frame:
    """States of training: from when on are two runs connected?"""
    (pairs,) = cells(
        [run for run in bench.runs("widths") if width(run) == bench.setting("width")], width
    ).values()
    a = pairs[0].a
    steps = -(-len(a.train) // a.config.training.batch_size)
    by_epoch = {step / steps: [replace(pair, step=step) for pair in pairs] for step in a.steps}
    found = _measured(bench, rows(by_epoch), "chord")
    first, last = min(by_epoch), max(by_epoch)
    return found.derive(
        first=lambda at: at == first, last=lambda at: at == last, trained=lambda at: at > 0
    ).noted(
        "Both runs are taken at the same epoch and matched anew there. Barriers are over the "
        "chord: over the mean of the ends, as elsewhere in this paper, two networks that have "
        "not learned and are unlike in their loss would have one, whatever is between them. "
        "Nor need a line between them have any: see the ends' loss in the table. A barrier is "
        f"the highest of {bench.setting('points')} positions, the ends among them, so never "
        "below zero; of three positions only t = 1/2 can have one."
    )


def _measured(bench: Bench, pairs: Frame, kind: BarrierKind = "mean") -> Frame:
    return lines(bench, pairs, WAYS).derive(
        height=lambda profile: height(profile, kind=kind),
        test=lambda profile: height(profile, "test", kind),
        points=lambda profile: points_of(profile, kind=kind),
        ends=lambda profile: float(profile.curve().mean[[0, -1]].mean()),
        judged=of_learned("height"),
    )


def _shown(
    name: str, said: str, title: str, first: str, *, log_x: bool = False
) -> tuple[Show, ...]:
    return (
        Trend(
            f"barriers-{name}",
            f"Barriers against {said}",
            "Mean over pairs of seeds that are sound everywhere, band of one standard deviation.",
            x=("at", said),
            y={"train-loss barrier (nats)": "height", "test accuracy barrier (points)": "points"},
            unit="group",
            line="way",
            log_x=log_x,
        ),
        Summary(
            title,
            by={first: "at", "line": "way"},
            of={
                "loss barrier, train": "height",
                "loss barrier, test": "test",
                "accuracy barrier, test (points)": "points",
                "training loss of the ends": "ends",
            },
            note="Mean ± standard deviation over pairs (number of pairs); losses in nats.",
        ),
    )


UNITS = "units in each hidden layer"
ITEMS = (
    Item(
        name="width",
        id="A2",
        title="Width",
        asks="Is less left after matching in wider networks?",
        measure=widths,
        settings=("points",),
        populations=("widths", "interpolation"),
        reported="For ResNet-20 and VGG-16 on CIFAR-10 the barrier after weight matching falls as "
        "networks widen.",
        show=_shown("widths", UNITS, f"Barriers by {UNITS}", UNITS, log_x=True),
        claims=(
            Claim(
                *("A2a", "The wider, the lower the barrier after weight matching"),
                "figure 4, of convolutional networks; that it is so of this one is ours",
                correlation(
                    *("at", "judged", "width and train-loss barrier after weight matching"),
                    cluster="group",
                    way=WEIGHTS.name,
                )
                < 0,
                "derived",
            ),
        ),
    ),
    Item(
        name="depth",
        id="A3",
        title="Depth",
        asks="How much is left after matching in deeper networks?",
        measure=depths,
        settings=("points",),
        populations=("depths",),
        reported="The paper varies no depth: this is reported and not judged.",
        show=_shown("depths", "hidden layers", "Barriers by hidden layers", "hidden layers"),
    ),
    Item(
        name="epoch",
        id="A4",
        title="Time of training",
        asks="From when on are two runs connected after matching?",
        measure=epochs,
        settings=("points", "width"),
        populations=("widths",),
        reported="There is no linear connectivity at initialisation; it emerges during training.",
        show=_shown("epochs", "epoch", "Barriers against time of training", "epoch"),
        claims=(
            Claim(
                *("A4a", "After matching the barrier is higher at initialisation than at the end"),
                "figure 3",
                difference(
                    "judged",
                    "train-loss barrier over the chord, after weight matching, at initialisation "
                    "less at the end (nats)",
                    {"first": True},
                    {"last": True},
                    cluster="group",
                    way=WEIGHTS.name,
                )
                > 0,
            ),
            Claim(
                "A4b",
                "From the first epoch on, the longer training, the lower what matching leaves",
                "our specification, 6.3, of figure 3: connectivity emerges during training",
                correlation(
                    *("at", "judged"),
                    "epoch and train-loss barrier over the chord, after weight matching",
                    cluster="group",
                    way=WEIGHTS.name,
                    trained=True,
                )
                < 0,
                "derived",
            ),
        ),
    ),
)
