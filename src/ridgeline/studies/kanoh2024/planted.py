"""K17: an element that was planted is found again."""

from typing import Any

import torch

from ridgeline.frame import Frame, every
from ridgeline.frame.show import Summary
from ridgeline.matching import TreeWeightMatching, align
from ridgeline.nets.soft_trees import ARCHITECTURES, SoftTrees
from ridgeline.objective import Objective
from ridgeline.paths import Line
from ridgeline.profiles import profile
from ridgeline.rng import seed_of, stream
from ridgeline.state import distance, norm
from ridgeline.studies.kanoh2024.pairs import LABELS
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item
from ridgeline.symmetry import symmetries

__all__ = ["ITEMS"]

FEATURES, CLASSES, ROWS = 8, 2, 64
LEFT = 1e-5
"""Of the largest output, and of the norm: rounding of float32; ours."""


def planted(bench: Bench) -> Frame:
    """A row an ensemble, drawn at random: what is left once a planted element is matched."""
    rows = []
    for kind in ARCHITECTURES:
        deepest = bench.setting("deepest" if kind == "perfect" else "deepest_enumerated")
        for depth in range(1, deepest + 1):
            for seed in range(bench.setting("draws")):
                bench.tell(f"planted in {LABELS[kind]}", depth, deepest)
                rows.append(_row(kind, depth, seed, bench.setting("trees")))
    return Frame.of(rows)


def _row(kind: Any, depth: int, seed: int, trees: int) -> dict[str, Any]:
    net = SoftTrees(FEATURES, CLASSES, trees=trees, depth=depth, kind=kind, seed=seed)
    draws = stream(seed, "planted", kind, depth)
    x = torch.randn(ROWS, FEATURES, generator=draws)
    a = {n: p.detach() + 0.1 for n, p in net.state_dict().items()}
    found = symmetries(net, x)
    # What was added to leaves is not looked for: the paper knows no offsets.
    symmetry = found.only(*(g.name for g in found.generators if g.elements))
    b = symmetry.random(seed_of(seed, "planted", kind, depth))(a)
    found = align(a, b, symmetry, by=TreeWeightMatching())
    goal = Objective(net, (x, torch.randint(CLASSES, (ROWS,), generator=draws)))
    outputs = [goal.network(goal.tensors(s), x) for s in (a, found.state)]
    off = float((outputs[0] - outputs[1]).abs().max() / outputs[0].abs().max())
    left = distance(a, found.state) / norm(a)
    # Bit for bit the same, and there is no line.
    height = profile(Line(a, found.state), goal, points=11).barrier().height if left else 0.0
    return {
        "architecture": kind,
        "depth": depth,
        "before": distance(a, b) / norm(a),
        "left": left,
        "off": off,
        "barrier": height,
        "back": left < LEFT and off < LEFT and height < LEFT,
    }


ITEMS = (
    Item(
        name="planted",
        id="K17",
        title="A planted element",
        asks="Is the element found by which one ensemble was made of another?",
        measure=planted,
        settings=("trees", "draws", "deepest", "deepest_enumerated"),
        reported="Not in the paper: a check of the matching.",
        show=(
            Summary(
                "What is left of the distance",
                by={"architecture": "architecture", "depth": "depth"},
                of={"before, over the norm": "before", "after": "left", "loss barrier": "barrier"},
                note="Mean ± standard deviation (number of ensembles).",
            ),
        ),
        claims=tuple(
            Claim(
                f"K17{k}",
                f"A planted element of {LABELS[kind]} is found, and the barrier is gone",
                "our specification, section 7",
                every("back", "distance, outputs and barrier are rounding", architecture=kind),
                "derived",
            )
            for k, kind in zip("polm", ARCHITECTURES, strict=True)
        ),
    ),
)
