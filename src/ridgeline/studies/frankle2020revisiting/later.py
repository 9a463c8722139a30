"""F2: lines to the solution from states on the way, and the barriers they meet."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ridgeline.paths import Line, Path
from ridgeline.profiles import Profile
from ridgeline.studies.common import curves_chart, mean_sd, sound
from ridgeline.study.bench import Bench
from ridgeline.study.charts import Chart, Panel, Panels, Tabular, band
from ridgeline.study.claims import Claim, Mean
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS", "barrier", "peak"]

NETWORKS = {
    "LeNet-300-100": "later-lenet",
    "with BatchNorm, large rate": "later-batchnorm",
    "VGG": "vgg",
    "ResNet-20": "resnet",
}
"""Label to population; each keeps states on the way."""
By = dict[int, list[Profile]]
"""Step to the profiles from there to the solution, one a run."""


def barrier(profile: Profile) -> float:
    """How far the training loss on a line rises over the worse of its ends, in nats."""
    return profile.barrier("max").height


def peak(by: By) -> list[float]:
    """The highest barrier from any state after the start, by run."""
    return np.max([[barrier(p) for p in by[step]] for step in by if step], axis=0).tolist()


def family(bench: Bench) -> Finding:
    """From theta_t to the solution, for several t."""
    found = {}
    for label, population in NETWORKS.items():
        points = bench.setting("points" if "later" in population else "convolutional_points")
        found[label] = _family(bench, label, sound(bench.runs(population)), points)
    easy, norm, *hard = found.values()
    return Finding(
        charts=[*_curves(bench, found), _barriers(found)],
        tables=[_table(found)],
        cases={
            "F2a": [x for by in hard for x in peak(by)],
            "F2b": peak(norm),
            "F2c": [x for by in (norm, *hard) for x in _gained(by)],
            "F2d": peak(easy),
        },
        words=[
            "A barrier is the height of the line over the worse of its ends, which is where it "
            "begins: a line that stays flat and then falls has none, unlike over the chord."
        ],
    )


def _family(bench: Bench, label: str, runs: Sequence[Subject], points: int) -> By:
    """From each state that was kept before the last."""
    steps = runs[0].steps[:-1]
    return {
        step: bench.profiles(
            runs, _from(step), told=f"{label}, step {step}", what=f"from {step}", points=points
        )
        for step in steps
    }


def _from(step: int) -> Callable[[Subject], Path]:
    def along(subject: Subject) -> Path:
        return Line(subject.state(step), subject.final)

    return along


def _gained(by: By) -> list[float]:
    """The highest barrier after the start less the one from the start itself, by run."""
    return [after - barrier(p) for after, p in zip(peak(by), by[0], strict=True)]


def _epoch(bench: Bench, population: str, step: int) -> float:
    run = bench.runs(population)[0]
    return step / -(-len(run.train) // run.config.training.batch_size)


# --- what is shown ---------------------------------------------------------------------------


def _curves(bench: Bench, found: Mapping[str, By]) -> list[Chart]:
    charts = []
    for label, by in found.items():
        population = NETWORKS[label]
        epochs = {f"epoch {_epoch(bench, population, s):g}": p for s, p in by.items()}
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


def _barriers(found: Mapping[str, By]) -> Panels:
    series = []
    for label, by in found.items():
        steps = [step for step in by if step]  # the axis is logarithmic
        heights = np.array([[barrier(p) for p in by[step]] for step in steps])
        series.append(band(label, steps, heights.T))
    runs = ", ".join(f"{len(by[0])} ({label})" for label, by in found.items())
    return Panels(
        name="family-barriers",
        title="Barriers between states of training and its end",
        caption="Height of the line over the worse of its ends. Mean over runs, band of one "
        f"standard deviation; runs: {runs}.",
        panels=[
            Panel(x="step at which the line begins", y="loss (nats)", series=series, log_x=True)
        ],
    )


def _table(found: Mapping[str, By]) -> Tabular:
    rows = [
        [
            label,
            step,
            mean_sd(barrier(p) for p in profiles),
            mean_sd(p.barrier().height for p in profiles),
            mean_sd(p.barrier("max", metric="error").height for p in profiles),
            mean_sd(float(p.curve().mean[0]) for p in profiles),
        ]
        for label, by in found.items()
        for step, profiles in by.items()
    ]
    columns = [
        *("network", "line begins at step", "over the worse end", "over the chord"),
        *("over the worse end, error", "loss at the beginning"),
    ]
    return Tabular(
        title="Barriers on lines to the solution",
        columns=columns,
        rows=rows,
        note="Training set; mean ± standard deviation over runs (number of runs).",
    )


ITEMS = (
    Item(
        name="family",
        id="F2",
        title="From later states to the solution",
        asks="When is training separated from where it will end, and by how much?",
        measure=family,
        populations=tuple(NETWORKS.values()),
        reported="Training quickly becomes linearly separated from the optimum by loss barriers.",
        claims=(
            Claim(
                id="F2a",
                text="Convolutional networks become separated from their solutions by barriers",
                place="abstract",
                test=Mean(
                    "highest barrier from a later state, VGG and ResNet (nats)", "above", 0.1
                ),
            ),
            Claim(
                id="F2b",
                text="So does a network with BatchNorm at a large rate",
                place="our specification, F2",
                source="derived",
                test=Mean("highest barrier from a later state (nats)", "above", 0.1),
            ),
            Claim(
                id="F2c",
                text="It is training that separates them: from the initialisation there is less",
                place="abstract",
                test=Mean("highest barrier less that from the initialisation (nats)", "above", 0.0),
            ),
            Claim(
                id="F2d",
                text="A small network without normalisation meets none",
                place="our specification, F2",
                source="derived",
                test=Mean("highest barrier from a later state (nats)", "below", 0.1),
            ),
        ),
    ),
)
