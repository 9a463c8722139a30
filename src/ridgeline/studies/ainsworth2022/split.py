"""A6: two networks of unlike halves of the data, merged (figure 5)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ridgeline.charts import Table
from ridgeline.errors import UsageError
from ridgeline.measures import Array
from ridgeline.merging import merge
from ridgeline.objective import Objective
from ridgeline.profiles import Profile
from ridgeline.state import State
from ridgeline.studies.common import curves_chart, mean_sd, sound
from ridgeline.studies.matched import NAIVE, WEIGHTS, between, carried, fingerprint, matched_orders
from ridgeline.studies.pairs import Pair, judged
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Mean
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS", "calibration_error", "paired"]

BINS = 15
WAYS = (NAIVE, WEIGHTS)
Measured = Mapping[str, Array]


def split(bench: Bench) -> Finding:
    """Neither network has seen much of the other's classes; what does the merged one know?"""
    pairs = paired(sound(bench.runs("split-a")), sound(bench.runs("split-b")))
    lines: dict[str, list[Profile]] = {}
    for i, way in enumerate(WAYS):
        bench.tell(way.name, i, len(WAYS))
        lines[way.name] = [between(bench, pair, way, splits=("test",)) for pair in pairs]
    found = [_judged(bench, pair) for pair in pairs]
    return Finding(
        charts=[
            curves_chart(
                "split",
                "Between networks of unlike halves of the data",
                "Loss and error of the test set on the line; each network has four "
                "fifths of one half of the classes and a fifth of the other.",
                lines,
            )
        ],
        tables=[_table(found)],
        cases={
            name: judged(pairs, values)
            for name, values in {
                "A6a": [_merged(m, "loss") - min(m["a"][0], m["b"][0]) for m in found],
                "A6b": [_merged(m, "loss") - float(m["ensemble"][0]) for m in found],
                "A6c": [_merged(m, "ece") - min(m["a"][2], m["b"][2]) for m in found],
                "A6d": [_merged(m, "loss") - float(m[NAIVE.name][0]) for m in found],
            }.items()
        },
        words=[
            f"The calibration error has {BINS} bins of equal width. The ensemble averages the "
            "probabilities of both networks. The paper's data are CIFAR-100."
        ],
    )


def paired(first: Sequence[Subject], second: Sequence[Subject]) -> list[Pair]:
    """A run of one half with one of the other, of other first weights; each in one pair.

    Raises:
        UsageError: If a pair would begin at the same weights.
    """
    if [r.seed for r in first] == [r.seed for r in second]:
        second = [*second[1:], *second[:1]]
    pairs = [Pair(a, b) for a, b in zip(first, second, strict=False)]
    if not pairs or any(pair.a.seed == pair.b.seed for pair in pairs):
        raise UsageError(
            "The two networks of a pair begin at weights of their own.",
            got=f"seeds {[r.seed for r in first]} and {[r.seed for r in second]}",
            remedy="Give both populations several seeds, all alike or none alike.",
        )
    return pairs


def calibration_error(probabilities: Tensor, targets: Tensor, bins: int = BINS) -> float:
    """The expected calibration error (Guo et al. 2017), in shares of samples.

    Samples are put in bins of equal width by the probability of the likeliest class; it is the
    mean over samples of how far their bin's accuracy is from its mean probability.

    Args:
        probabilities: Shape (N, C).
        targets: Class numbers, shape (N,).
        bins: How many.
    """
    sure, said = probabilities.double().max(1)
    right = (said == targets).double()
    place = (sure * bins).ceil().clamp(1, bins).long() - 1
    gap = torch.zeros(bins, dtype=torch.float64).index_add_(0, place, right - sure)
    return float(gap.abs().sum() / len(targets))


def _judged(bench: Bench, pair: Pair) -> dict[str, Array]:
    """Test loss, test error and calibration error of both, of what they merge to, of both asked."""
    orders = {way.name: matched_orders(bench, pair, way) for way in WAYS}
    merged = {
        name: merge([pair.a.final, carried(pair, found)]).state for name, found in orders.items()
    }

    @versioned("merged of halves", "1", moved={n: fingerprint(o) for n, o in orders.items()})
    def measure(*_: Subject) -> dict[str, Any]:
        objective = pair.a.objective("test")
        targets = objective.samples.targets
        found = {
            name: _probabilities(objective, state)
            for name, state in {"a": pair.a.final, "b": pair.b.final, **merged}.items()
        }
        found["ensemble"] = (found["a"] + found["b"]) / 2
        return {name: _scores(p, targets) for name, p in found.items()}

    return bench.kept(measure, [pair.a, pair.b])


def _probabilities(objective: Objective, state: State) -> Tensor:
    with torch.no_grad():
        outputs = objective.network(objective.tensors(state), objective.samples.inputs)
        return torch.softmax(outputs.double(), 1)


def _scores(probabilities: Tensor, targets: Tensor) -> list[float]:
    own = probabilities.gather(1, targets[:, None])[:, 0]
    return [
        float(-own.clamp_min(1e-300).log().mean()),
        float((probabilities.argmax(1) != targets).double().mean()),
        calibration_error(probabilities, targets),
    ]


def _merged(measured: Measured, what: str) -> float:
    return float(measured[WEIGHTS.name][{"loss": 0, "error": 1, "ece": 2}[what]])


def _table(found: Sequence[Measured]) -> Table:
    names = {
        "a": "first half's",
        "b": "second half's",
        NAIVE.name: "mean of both",
        WEIGHTS.name: "mean after weight matching",
        "ensemble": "ensemble of both",
    }
    rows = []
    for name, label in names.items():
        loss, error, ece = np.array([m[name] for m in found]).T
        rows.append([label, mean_sd(loss), mean_sd(100 * (1 - error)), mean_sd(100 * ece)])
    columns = ["network", "test loss (nats)", "test accuracy (%)", "calibration error (points)"]
    note = "Mean ± standard deviation over pairs (number of pairs)."
    return Table(title="Networks of unlike halves, merged", columns=columns, rows=rows, note=note)


PLACE = "section 5.4, figure 5"

ITEMS = (
    Item(
        name="split",
        id="A6",
        title="Networks of unlike halves of the data",
        asks="Does a merged network know what either has seen?",
        measure=split,
        settings=("points",),
        populations=("split-a", "split-b"),
        reported="The merged network's test loss is below both networks'; it is above that of "
        "their ensemble and of training on all data. It is better calibrated.",
        claims=(
            Claim(
                id="A6a",
                text="The merged network's test loss is below both networks'",
                place=PLACE,
                test=Mean("test loss of the merged less the lower of the two (nats)", "below", 0.0),
            ),
            Claim(
                id="A6b",
                text="It is above the ensemble's",
                place=PLACE,
                test=Mean("test loss of the merged less the ensemble's (nats)", "above", 0.0),
            ),
            Claim(
                id="A6c",
                text="The merged network is better calibrated than either",
                place=f"{PLACE}; that it is so than either is ours",
                test=Mean(
                    "calibration error of the merged less the lower of the two", "below", 0.0
                ),
            ),
            Claim(
                id="A6d",
                text="Matching is what makes it so: the plain mean is worse",
                place="our specification, 6.3",
                source="derived",
                test=Mean("test loss of the merged less the plain mean's (nats)", "below", 0.0),
            ),
        ),
    ),
)
