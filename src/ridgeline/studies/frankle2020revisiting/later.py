"""F2: lines to the solution from states on the way, and the barriers they meet."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from ridgeline.charts import Chart, Panel, Panels, Table, band
from ridgeline.studies.common import curves_chart, mean_sd, sound
from ridgeline.studies.frankle2020revisiting.families import Family, barrier
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Difference, Mean
from ridgeline.study.lines import from_step
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS"]

NETWORKS = {
    "LeNet-300-100": "later-lenet",
    "with BatchNorm, large rate": "later-batchnorm",
    "VGG": "vgg",
    "ResNet-20": "resnet",
}
"""Label to population; each keeps states on the way."""
HIGH = 0.1
"""Nats: a rise from which on a line counts as separated, as F1's below which it is monotone."""


def family(bench: Bench) -> Finding:
    """From theta_t to the solution, for several t."""
    found = {}
    for label, population in NETWORKS.items():
        points = bench.setting("points" if "later" in population else "convolutional_points")
        found[label] = _family(bench, label, sound(bench.runs(population)), points)
    easy, norm, vgg, resnet = found.values()
    return Finding(
        charts=[*_curves(bench, found), _barriers(found)],
        tables=[_table(found)],
        cases={
            "F2a": vgg.barriers(vgg.early()),
            "F2b": norm.barriers(norm.early()),
            "F2c": vgg.gained(),
            "F2d": easy.peak(),
            "F2e": resnet.barriers(resnet.early()),
            "F2f": resnet.gained(),
            "F2g": norm.gained(),
        },
        words=[
            "A barrier is the height of the line over the worse of its ends, which is where it "
            "begins: a line that stays flat and then falls has none, unlike over the chord.",
            "Quickly is: at the last state that was kept within the first tenth of training, "
            "which is after steps "
            + ", ".join(f"{f.early()} of {f.length} ({label})" for label, f in found.items())
            + ".",
        ],
    )


def _family(bench: Bench, label: str, runs: Sequence[Subject], points: int) -> Family:
    """From each state that was kept before the last."""
    *steps, length = runs[0].steps
    lines = {
        step: bench.profiles(runs, from_step(step), told=f"{label}, step {step}", points=points)
        for step in steps
    }
    return Family(lines, length, [run.seed for run in runs])


def _epoch(bench: Bench, population: str, step: int) -> float:
    run = bench.runs(population)[0]
    return step / -(-len(run.train) // run.config.training.batch_size)


# --- what is shown ---------------------------------------------------------------------------


def _curves(bench: Bench, found: Mapping[str, Family]) -> list[Chart]:
    charts = []
    for label, family in found.items():
        population = NETWORKS[label]
        epochs = {f"epoch {_epoch(bench, population, s):g}": p for s, p in family.lines.items()}
        charts.append(
            curves_chart(
                f"family-{population.removeprefix('later-')}",
                f"From states of training to its end, {label}",
                "Training loss and error on lines to the solution, by where they begin.",
                epochs,
                ordered=True,
            )
        )
    return charts


def _barriers(found: Mapping[str, Family]) -> Panels:
    series = []
    for label, family in found.items():
        steps = [step for step in family.lines if step]  # the axis is logarithmic
        heights = np.array([family.barriers(step) for step in steps])
        series.append(band(label, steps, heights.T))
    runs = ", ".join(f"{len(family.seeds)} ({label})" for label, family in found.items())
    return Panels(
        name="family-barriers",
        title="Barriers between states of training and its end",
        caption="Height of the line over the worse of its ends. Mean over runs, band of one "
        f"standard deviation; runs: {runs}.",
        panels=[
            Panel(x="step at which the line begins", y="loss (nats)", series=series, log_x=True)
        ],
    )


def _table(found: Mapping[str, Family]) -> Table:
    rows = [
        [
            label,
            step,
            mean_sd(barrier(p) for p in profiles),
            mean_sd(p.barrier().height for p in profiles),
            mean_sd(p.barrier("max", metric="error").height for p in profiles),
            mean_sd(float(p.curve().mean[0]) for p in profiles),
        ]
        for label, family in found.items()
        for step, profiles in family.lines.items()
    ]
    columns = [
        *("network", "line begins at step", "over the worse end", "over the chord"),
        *("over the worse end, error", "loss at the beginning"),
    ]
    return Table(
        title="Barriers on lines to the solution",
        columns=columns,
        rows=rows,
        note="Training set; mean ± standard deviation over runs (number of runs).",
    )


BATCHNORM = "a network with BatchNorm at a large rate"
Source = Literal["paper", "derived"]


def _separated(id: str, network: str, source: Source = "paper") -> Claim:
    return Claim(
        id=id,
        text=f"Training quickly separates {network} from its solution by a barrier",
        place="abstract" if source == "paper" else "our specification, F2",
        source=source,
        test=Mean(
            "barrier from the last state kept in the first tenth of training (nats)", "above", HIGH
        ),
    )


def _by_training(id: str, network: str, source: Source = "paper") -> Claim:
    return Claim(
        id=id,
        text=f"It is training that separates {network}: there is less from the initialisation",
        place="abstract" if source == "paper" else "our specification, F2",
        source=source,
        test=Difference(
            "barrier from that state less barrier from the initialisation (nats)", "above", HIGH
        ),
    )


ITEMS = (
    Item(
        name="family",
        id="F2",
        title="From later states to the solution",
        asks="When is training separated from where it will end, and by how much?",
        measure=family,
        settings=("points", "convolutional_points"),
        populations=tuple(NETWORKS.values()),
        reported="Training quickly becomes linearly separated from the optimum by loss barriers.",
        claims=(
            _separated("F2a", "VGG"),
            _separated("F2b", BATCHNORM, "derived"),
            _by_training("F2c", "VGG"),
            Claim(
                id="F2d",
                text="A small network without normalisation is never separated",
                place="our specification, F2",
                source="derived",
                test=Mean("highest barrier from any later state (nats)", "below", HIGH),
            ),
            _separated("F2e", "ResNet-20"),
            _by_training("F2f", "ResNet-20"),
            _by_training("F2g", BATCHNORM, "derived"),
        ),
    ),
)
