"""S1: instability by the step at which two copies part."""

from collections.abc import Mapping, Sequence
from typing import Any

from ridgeline.charts import Chart, Mark, Panel, Panels, Table, band
from ridgeline.studies.common import curves_chart, mean_sd
from ridgeline.studies.frankle2020.siblings import STABLE, Siblings, siblings, steps_of
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Correlation, Difference, Mean
from ridgeline.study.papers import Finding, Item

__all__ = ["ITEMS", "NETWORKS", "Found"]

NETWORKS = {"LeNet-300-100": "lenet", "ResNet-20": "resnet"}
"""Label to population; each has children at several steps."""
Found = Mapping[int, Sequence[Siblings]]


def spawned(bench: Bench) -> Finding:
    """The error between children, by the step at which they parted."""
    found = {label: siblings(bench, population) for label, population in NETWORKS.items()}
    lenet, resnet = found.values()
    late = steps_of(bench.runs("resnet")[0], str(bench.setting("late")))
    early = {step: pairs for step, pairs in resnet.items() if step <= late}
    return Finding(
        charts=[_instabilities(found), *_curves(found)],
        tables=[_table(found)],
        cases={
            "S1a": _at(lenet, 0),
            "S1b": _at(resnet, 0),
            "S1c": _at(resnet, late),
            "S1d": _falling(early),
            "S1e": _lower(resnet, late),
        },
        words=[
            "Instability is the highest error on the line less the mean of the ends', on the "
            f"test data, over {bench.setting('points')} positions. Children differ in the order "
            "of their data alone.",
            f"Claims on later ResNet-20 are of step {late} and before it, while the learning rate "
            "is at its first value; later steps are shown alone.",
            "A highest value over many positions lies above the true one by what sampling adds: "
            "on 1,000 images the error of one position is known to about a point.",
        ],
    )


# --- numbers ---------------------------------------------------------------------------------


def _at(found: Found, step: int) -> list[float]:
    return [pair.instability() for pair in found.get(step, ())]


def _falling(found: Found) -> dict[str, list[Any]]:
    every = [(step, pair) for step, pairs in found.items() for pair in pairs]
    return {
        "x": [step for step, _ in every],
        "y": [pair.instability() for _, pair in every],
        "group": [pair.seed for _, pair in every],
    }


def _lower(found: Found, late: int) -> dict[str, list[Any]]:
    first, last = found.get(0, ()), found.get(late, ())
    return {
        "more": [pair.instability() for pair in first],
        "less": [pair.instability() for pair in last],
        "more_group": [pair.seed for pair in first],
        "less_group": [pair.seed for pair in last],
    }


# --- what is shown ---------------------------------------------------------------------------


def _instabilities(found: Mapping[str, Found]) -> Panels:
    panels = []
    for label, every in found.items():
        count = min(len(pairs) for pairs in every.values())
        steps = list(every)
        series = [
            band(
                split,
                steps,
                [[100 * every[s][i].instability(split) for s in steps] for i in range(count)],
            )
            for split in ("train", "test")
        ]
        marks = [Mark(100 * STABLE, "stable", axis="y")]
        y = "instability (points of error)"
        panels.append(
            Panel(x="step at which children part", y=y, series=series, title=label, marks=marks)
        )
    pairs = ", ".join(f"{min(map(len, f.values()))} ({label})" for label, f in found.items())
    return Panels(
        name="instability",
        title="Instability, by the step at which two copies part",
        caption=f"Mean over pairs of children, band of one standard deviation; pairs: {pairs}.",
        panels=panels,
    )


def _curves(found: Mapping[str, Found]) -> list[Chart]:
    return [
        curves_chart(
            f"between-children-{NETWORKS[label]}",
            f"Between two children, {label}",
            "Test loss and error on the line, by the step at which they parted.",
            {f"step {step}": [pair.line for pair in pairs] for step, pairs in every.items()},
            split="test",
            ordered=True,
        )
        for label, every in found.items()
    ]


def _table(found: Mapping[str, Found]) -> Table:
    rows = [
        [
            *(label, step, len(pairs)),
            *(
                mean_sd((100 * p.instability(s) for p in pairs), count=False)
                for s in ("train", "test")
            ),
            mean_sd((p.line.barrier(split="train").height for p in pairs), count=False),
            f"{sum(p.instability() < STABLE for p in pairs)} of {len(pairs)}",
        ]
        for label, every in found.items()
        for step, pairs in every.items()
    ]
    columns = [
        *("network", "parted at step", "pairs", "train error", "test error"),
        *("training loss (nats)", "stable"),
    ]
    return Table(
        title="Instability",
        columns=columns,
        rows=rows,
        note="Errors in percentage points over the mean of the ends, loss over the chord; mean ± "
        "standard deviation over pairs.",
    )


def _mean(id: str, text: str, of: str, side: Any, place: str = "figure 3") -> Claim:
    test = Mean(f"instability of test error, {of} (share)", side, STABLE)
    return Claim(id=id, text=text, place=place, test=test)


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
        claims=(
            _mean("S1a", "LeNet is stable from the initialisation on", "parted at 0", "below"),
            _mean("S1b", "ResNet-20 is unstable at the initialisation", "parted at 0", "above"),
            _mean("S1c", "Later ResNet-20 is stable", "parted late, at the first rate", "below"),
            Claim(
                id="S1d",
                text="The later ResNet-20's children part, the more stable it is",
                place="figure 3",
                test=Correlation("step of parting and instability of test error", "below"),
            ),
            Claim(
                id="S1e",
                text="Parted late, ResNet-20 is more stable than parted at the start",
                place="figure 3",
                test=Difference("instability of test error, parted at 0 less late (share)"),
            ),
        ),
    ),
)
