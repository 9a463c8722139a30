"""W9: the order in which classes are learned, and their last biases."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ridgeline.charts import Panel, Panels, Series, Table
from ridgeline.measures import Array
from ridgeline.studies.common import groups, mean_sd, sound
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Mean
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject
from ridgeline.theory import last_bias, learned_at

__all__ = ["ITEMS"]


def learning_order(bench: Bench) -> Finding:
    """Is the class learned last the one of the largest bias, on small data?"""
    series, rows = [], []
    by_seed: dict[int, list[dict[str, Array]]] = {}
    left_out = 0
    for data, runs in groups(sound(bench.runs("small")), "data.set").items():
        good = []
        for i, run in enumerate(runs):
            bench.tell(str(data), i, len(runs))
            if np.isfinite((found := bench.kept(_order, [run]))["correlation"]):
                good.append(found)
                by_seed.setdefault(run.seed, []).append(found)
        left_out += len(runs) - len(good)
        x = [float(step) for f in good for step in f["learned"]]
        y = [float(bias) for f in good for bias in f["bias"]]
        series.append(Series(label=str(data), x=x, y=y, points=True))
        shown = [
            mean_sd(float(f["correlation"]) for f in good),
            f"{sum(int(f['hit']) for f in good)} of {len(good)}",
        ]
        rows.append([str(data), *shown])
    panel = Panel(x="step at which a class is learned", y="its last bias", series=series)
    columns = ["data", "rank correlation, mean ± sd (runs)", "last class has the largest bias"]
    return Finding(
        charts=[
            Panels(
                name="learning-order",
                title="When a class is learned, and its bias",
                caption="One point a class and run. A class is learned at the first kept state "
                "from which on nine tenths of its samples are right (a derived choice).",
                panels=[panel],
            )
        ],
        tables=[Table(title="Learning order and biases", columns=columns, rows=rows)],
        cases={
            "W9a": [_mean(f["correlation"] for f in of) for of in by_seed.values()],
            "W9b": [_mean(f["hit"] - f["chance"] for f in of) for of in by_seed.values()],
        },
        words=[
            "A class that is not learned by the end is drawn at the last step; several such are "
            "tied as last, and chance is their share of the classes. "
            f"{left_out} runs in which all classes are tied are left out. Runs of one seed on "
            "several data sets start alike: the verdicts are on each seed's mean over them."
        ],
    )


def _mean(values: Iterable[Array]) -> float:
    return float(np.mean([float(value) for value in values]))


@versioned("learning order", "1")
def _order(run: Subject) -> dict[str, Any]:
    states = {step: run.state(step) for step in run.steps}
    order = learned_at(states, run.objective())
    bias = run.final[last_bias(run.model(), run.train.inputs[:2])].double().numpy()
    finite = np.where(np.isfinite(order.learned), order.learned, run.steps[-1])
    return {
        "learned": finite,
        "bias": bias,
        "correlation": np.array(order.correlation(bias)),
        "hit": np.array(order.last_has_largest(bias)),
        "chance": np.array(len(order.last) / len(bias)),
    }


ITEMS = (
    Item(
        name="learning-order",
        id="W9",
        title="The class learned last has the largest bias",
        asks="Do biases follow the order in which classes are learned?",
        measure=learning_order,
        settings=(),
        populations=("small",),
        reported="On small data sets biases correlate with the order of learning.",
        claims=(
            Claim(
                id="W9a",
                text="Classes learned later have larger biases",
                place="section 5",
                test=Mean("rank correlation of learning time and bias, by seed", "above", 0.0),
            ),
            Claim(
                id="W9b",
                text="The class learned last has the largest bias more often than by chance",
                place="section 5",
                test=Mean("hits of the last class less those of chance, by seed", "above", 0.0),
            ),
        ),
    ),
)
