"""A5: the counter-example: two networks of one function that no permutation connects (A.6).

Weights and data are those of the paper's code (sgd_is_special.py), read in full: a net 2-2-2-1
with leaky units, by hand, in two ways. Neither was trained: it takes training to be connected.
"""

from collections.abc import Iterator
from itertools import permutations, product

import numpy as np
import torch
from torch import Tensor, nn

from ridgeline.frame import Frame, every
from ridgeline.frame.show import Lines, Summary
from ridgeline.objective import Objective, binary_cross_entropy
from ridgeline.paths import Line
from ridgeline.profiles import Profile, profile
from ridgeline.rng import stream
from ridgeline.state import State
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item
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


def counter_example(bench: Bench) -> Frame:
    """The line from a to each permutation of b, on several draws of the data."""
    rows = [
        {"draw": seed, "permutation": i + 1, "profile": line}
        for seed in range(bench.setting("draws"))
        for i, line in enumerate(_lines(bench, seed))
    ]
    last = max(row["permutation"] for row in rows)
    return (
        Frame.of(rows)
        .derive(
            t=lambda profile: profile.t,
            error=lambda profile: profile.curve("error").mean,
            label=lambda permutation: f"permutation {permutation} of {last}",
            **{
                name: lambda profile, at=at: 100 * (1 - _error(profile, at))
                for name, at in {"a": 0, "halfway": 0.5, "b": 1}.items()
            },
            solved=lambda profile: max(_error(profile, end) for end in (0, 1)) < NEARLY,
            barrier=lambda profile: profile.barrier("mean", metric="error").height * 100,
            left=lambda profile: profile.barrier("mean", metric="error").height > NEARLY,
        )
        .noted(
            "The permutations are all that discovery finds: two units swapped in each layer. "
            "Verdicts are on draws of the data."
        )
    )


def _lines(bench: Bench, seed: int) -> list[Profile]:
    model, (x, y) = network(), data(seed)
    objective = Objective(model, (x, y), loss=binary_cross_entropy, metrics={"error": wrong})
    a, b = state("a"), state("b")
    moves, points = elements(symmetries(model, x[:2])), bench.setting("points")
    return [profile(Line(a, move(b)), objective, points=points) for move in moves]


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
        show=(
            Lines(
                "counter-example",
                "Two networks by hand, and every permutation of one",
                f"Error on the line from a to b permuted, {SAMPLES} points, one draw.",
                y=("error", "error (share of samples)"),
                line="label",
                dashed=True,
                where={"draw": 0},
            ),
            Summary(
                "The counter-example",
                by={"permutation of b": "permutation"},
                of={
                    "accuracy of a (%)": "a",
                    "halfway (%)": "halfway",
                    "of b (%)": "b",
                    "accuracy barrier (points)": "barrier",
                },
                note="Mean ± standard deviation (number of draws of the data).",
            ),
        ),
        claims=(
            Claim(
                *("A5a", "Both networks solve the task"),
                f"section 4, A.6, code; {THRESHOLD}",
                every(
                    *("solved", "both ends of the lines err on less than 2 % of a draw's points"),
                    per="draw",
                ),
            ),
            Claim(
                *("A5b", "Every permutation leaves a barrier"),
                f"section 4, A.6, code; {THRESHOLD}",
                every(*("left", "all four accuracy barriers are above two points"), per="draw"),
            ),
        ),
    ),
)
