"""A6: two networks of unlike halves of the data, merged (figure 5)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ridgeline.charts import Table
from ridgeline.errors import UsageError
from ridgeline.frame import Frame, Question, mean
from ridgeline.frame.show import Curves, mean_sd
from ridgeline.measures import Array
from ridgeline.merging import merge
from ridgeline.objective import Objective
from ridgeline.state import State
from ridgeline.studies.matched import NAIVE, WEIGHTS, carried, fingerprint, lines, matched_orders
from ridgeline.studies.pairs import Pair, of_learned, rows
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS", "calibration_error", "paired", "split"]

BINS = 15
WAYS = (NAIVE, WEIGHTS)


def split(bench: Bench) -> Frame:
    """Neither network has seen much of the other's classes; what does the merged one know?"""
    halves = (bench.frame(name).values("run") for name in ("split-a", "split-b"))
    pairs = rows({0.0: paired(*halves)})
    found = lines(bench, pairs, WAYS, splits=("test",)).derive(
        scores=lambda pair: _judged(bench, pair)
    )
    differences = {
        "loss": lambda scores: _merged(scores, 0) - min(scores["a"][0], scores["b"][0]),
        "over_ensemble": lambda scores: _merged(scores, 0) - float(scores["ensemble"][0]),
        "ece": lambda scores: _merged(scores, 2) - min(scores["a"][2], scores["b"][2]),
        "over_plain": lambda scores: _merged(scores, 0) - float(scores[NAIVE.name][0]),
    }
    judged = {f"judged_{name}": of_learned(name) for name in differences}
    return found.derive(**differences, **judged).noted(
        f"The calibration error has {BINS} bins of equal width. The ensemble averages the "
        "probabilities of both networks. The paper's data are CIFAR-100."
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


def _merged(scores: Mapping[str, Array], place: int) -> float:
    return float(scores[WEIGHTS.name][place])


NETWORKS = {
    "a": "first half's",
    "b": "second half's",
    NAIVE.name: "mean of both",
    WEIGHTS.name: "mean after weight matching",
    "ensemble": "ensemble of both",
}


def _table(frame: Frame) -> Table:
    found = frame.where(way=WEIGHTS.name).values("scores")
    rows = []
    for name, label in NETWORKS.items():
        loss, error, ece = np.array([scores[name] for scores in found]).T
        rows.append([label, mean_sd(loss), mean_sd(100 * (1 - error)), mean_sd(100 * ece)])
    columns = ["network", "test loss (nats)", "test accuracy (%)", "calibration error (points)"]
    note = "Mean ± standard deviation over pairs (number of pairs)."
    return Table(title="Networks of unlike halves, merged", columns=columns, rows=rows, note=note)


def _merges(column: str, said: str) -> Question:
    return mean(f"judged_{column}", said, way=WEIGHTS.name)


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
        show=(
            Curves(
                "split",
                "Between networks of unlike halves of the data",
                "Loss and error of the test set on the line; each network has four "
                "fifths of one half of the classes and a fifth of the other.",
                line="way",
            ),
            _table,
        ),
        claims=(
            Claim(
                *("A6a", "The merged network's test loss is below both networks'", PLACE),
                _merges("loss", "test loss of the merged less the lower of the two (nats)") < 0,
            ),
            Claim(
                *("A6b", "It is above the ensemble's", PLACE),
                _merges("over_ensemble", "test loss of the merged less the ensemble's (nats)") > 0,
            ),
            Claim(
                *("A6c", "The merged network is better calibrated than either"),
                f"{PLACE}; that it is so than either is ours",
                _merges("ece", "calibration error of the merged less the lower of the two") < 0,
            ),
            Claim(
                *("A6d", "Matching is what makes it so: the plain mean is worse"),
                "our specification, 6.3",
                _merges("over_plain", "test loss of the merged less the plain mean's (nats)") < 0,
                "derived",
            ),
        ),
    ),
)
