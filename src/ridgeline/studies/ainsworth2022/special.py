"""A5: the counter-example: two networks of one function that no permutation connects (A.6).

Weights and data are those of the paper's code (sgd_is_special.py), read in full: a net 2-2-2-1
with leaky units, by hand, in two ways. Neither was trained: it takes training to be connected.
"""

from collections.abc import Iterator
from itertools import permutations, product

import numpy as np
import torch
from torch import Tensor, nn

from ridgeline.charts import Panel, Panels, Series, Table
from ridgeline.objective import Objective, binary_cross_entropy
from ridgeline.paths import Line
from ridgeline.profiles import Profile, profile
from ridgeline.rng import stream
from ridgeline.state import State
from ridgeline.studies.common import POSITION, mean_sd
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Every
from ridgeline.study.papers import Finding, Item
from ridgeline.symmetry import Symmetry, Transform, symmetries

__all__ = ["ITEMS", "data", "elements", "network", "wrong"]

SLOPE = 0.01
SAMPLES = 1024
WEIGHTS = {
    "a": (
        ([[-1, 0], [0, -1]], [1, 0]),
        ([[-1, 0], [0, 1]], [1, 0]),
        ([[-1, -1]], [0]),
    ),
    "b": (
        ([[1, 0], [0, 1]], [0, 1]),
        ([[1, 0], [0, -1]], [0, 1]),
        ([[-1, -1]], [0]),
    ),
}
"""Weight, as torch has it (out, in), and bias of each layer. The code's are transposed."""


def network() -> nn.Sequential:
    """The architecture, in float64: the logits are as small as 1e-4."""
    layers = [nn.Linear(2, 2), nn.LeakyReLU(SLOPE), nn.Linear(2, 2), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers, nn.Linear(2, 1)).double()


def state(which: str) -> State:
    """The weights of ``a`` or ``b``."""
    found: State = {}
    for layer, (weight, bias) in zip((0, 2, 4), WEIGHTS[which], strict=True):
        found[f"{layer}.weight"] = torch.tensor(weight, dtype=torch.float64)
        found[f"{layer}.bias"] = torch.tensor(bias, dtype=torch.float64)
    return found


def data(seed: int) -> tuple[Tensor, Tensor]:
    """Points of the square, and whether they are in its upper left quarter.

    Args:
        seed: Of the draw.

    Returns:
        Inputs of shape (1024, 2), targets of shape (1024,) that are 0 or 1.
    """
    draws = stream(seed, "counter-example")
    x = torch.rand(SAMPLES, 2, generator=draws, dtype=torch.float64) * 2 - 1
    return x, ((x[:, 0] <= 0) & (x[:, 1] >= 0)).double()


def wrong(outputs: Tensor, targets: Tensor) -> Tensor:
    """1 where the logit is on the wrong side of zero; zero itself says yes."""
    return ((outputs[:, 0] >= 0) != (targets > 0)).to(outputs.dtype)


def elements(symmetry: Symmetry) -> Iterator[Transform]:
    """Every element of a small symmetry: the identity first."""
    orders = [[np.array([p]) for p in permutations(range(g.size))] for g in symmetry.groups]
    names = [g.name for g in symmetry.groups]
    for chosen in product(*orders):
        yield symmetry.transform(dict(zip(names, chosen, strict=True)))


def counter_example(bench: Bench) -> Finding:
    """The line from a to each permutation of b, on several draws of the data."""
    draws = range(bench.setting("draws"))
    found = [_lines(bench, seed) for seed in draws]
    first = found[0]
    series = [
        Series(label=f"permutation {i + 1} of {len(first)}", x=p.t, y=p.curve("error").mean, dash=i)
        for i, p in enumerate(first)
    ]
    rows = [
        [
            i + 1,
            *(mean_sd(100 * (1 - _error(every[i], at)) for every in found) for at in (0, 0.5, 1)),
            mean_sd(every[i].barrier("mean", metric="error").height * 100 for every in found),
        ]
        for i in range(len(first))
    ]
    columns = ["permutation of b", "accuracy of a (%)", "halfway (%)", "of b (%)"]
    return Finding(
        charts=[
            Panels(
                name="counter-example",
                title="Two networks by hand, and every permutation of one",
                caption=f"Error on the line from a to b permuted, {SAMPLES} points, one draw.",
                panels=[Panel(x=POSITION, y="error (share of samples)", series=series)],
            )
        ],
        tables=[
            Table(
                title="The counter-example",
                columns=[*columns, "accuracy barrier (points)"],
                rows=rows,
                note=f"Mean ± standard deviation over {len(found)} draws of the data.",
            )
        ],
        cases={
            "A5a": [
                max(_error(line, end) for line in every for end in (0, 1)) < NEARLY
                for every in found
            ],
            "A5b": [
                all(line.barrier("mean", metric="error").height > NEARLY for line in every)
                for every in found
            ],
        },
        words=[
            "The permutations are all that discovery finds: two units swapped in each layer. "
            "Verdicts are on draws of the data."
        ],
    )


def _lines(bench: Bench, seed: int) -> list[Profile]:
    model, (x, y) = network(), data(seed)
    objective = Objective(model, (x, y), loss=binary_cross_entropy, metrics={"error": wrong})
    a, b = state("a"), state("b")
    every = elements(symmetries(model, x[:2]))
    return [profile(Line(a, move(b)), objective, points=bench.setting("points")) for move in every]


def _error(line: Profile, at: float) -> float:
    return float(line.curve("error").mean[np.flatnonzero(line.t == at)[0]])


NEARLY = 0.02
"""Share of samples: two points of error, above which Frankle et al. (2020) speak of a barrier."""
THRESHOLD = "the 2 % are those of Frankle et al. 2020"

ITEMS = (
    Item(
        name="counter-example",
        id="A5",
        title="A counter-example",
        asks="Are there networks of one function that no permutation connects?",
        measure=counter_example,
        settings=("points", "draws"),
        reported="Both networks classify nearly every point; all four permutations have a barrier.",
        claims=(
            Claim(
                id="A5a",
                text="Both networks solve the task",
                place=f"section 4, A.6, code; {THRESHOLD}",
                test=Every("both ends of the lines err on less than 2 % of a draw's points"),
            ),
            Claim(
                id="A5b",
                text="Every permutation leaves a barrier",
                place=f"section 4, A.6, code; {THRESHOLD}",
                test=Every("all four accuracy barriers are above two points"),
            ),
        ),
    ),
)
