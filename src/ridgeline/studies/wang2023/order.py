"""W9: the order in which classes are learned, and their last biases."""

from typing import Any

import numpy as np

from ridgeline.charts import Panel, Panels, Series
from ridgeline.frame import Frame, mean
from ridgeline.frame.show import Summary
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Item
from ridgeline.study.subjects import Subject
from ridgeline.theory import last_bias, learned_at

__all__ = ["ITEMS"]


def learning_order(bench: Bench) -> Frame:
    """Is the class learned last the one of the largest bias, on small data?"""
    runs = bench.frame("small", data="data.set")
    rows = []
    for i, row in enumerate(runs):
        bench.tell(str(row["data"]), i, len(runs))
        found = bench.kept(_order, [row["run"]])
        rows.append({**row, **{name: of if of.ndim else of.item() for name, of in found.items()}})
    every = Frame.of(rows, cluster="seed")
    good = every.where(correlation=np.isfinite)
    return good.derive(hits=lambda hit, chance: hit - chance).noted(
        "A class that is not learned by the end is drawn at the last step; several such are "
        "tied as last, and chance is their share of the classes. "
        f"{len(every) - len(good)} runs in which all classes are tied are left out. Runs of one "
        "seed on several data sets start alike: the verdicts are on each seed's mean over them."
    )


def _points(frame: Frame) -> Panels:
    series = [
        Series(
            label=str(data),
            x=np.concatenate(group.values("learned")),
            y=np.concatenate(group.values("bias")),
            points=True,
        )
        for data, group in frame.by("data").items()
    ]
    return Panels(
        name="learning-order",
        title="When a class is learned, and its bias",
        caption="One point a class and run. A class is learned at the first kept state "
        "from which on nine tenths of its samples are right (a derived choice).",
        panels=[Panel(x="step at which a class is learned", y="its last bias", series=series)],
    )


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
        show=(
            _points,
            Summary(
                "Learning order and biases",
                by={"data": "data"},
                of={
                    "rank correlation, mean ± sd (runs)": "correlation",
                    "last class has the largest bias": lambda rows: (
                        f"{int(rows['hit'].sum())} of {len(rows)}"
                    ),
                },
            ),
        ),
        claims=(
            Claim(
                *("W9a", "Classes learned later have larger biases", "section 5"),
                mean(
                    *("correlation", "rank correlation of learning time and bias, by seed"),
                    per="seed",
                )
                > 0,
            ),
            Claim(
                *("W9b", "The class learned last has the largest bias more often than by chance"),
                "section 5",
                mean("hits", "hits of the last class less those of chance, by seed", per="seed")
                > 0,
            ),
        ),
    ),
)
