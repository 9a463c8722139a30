"""Options of the verbs about paths around the barrier: ``connect``, ``star`` and ``geodesic``."""

import argparse
from collections.abc import Callable

from ridgeline.cli.groups import POINT, add_engine, add_objective, add_points
from ridgeline.cli.symmetric import add_checkpoint, add_symmetry

__all__ = ["EXAMPLES", "VERBS"]

EXAMPLES = {
    "connect": "ridgeline connect a.safetensors b.safetensors --model nets:build --data digits "
    "--out bend.safetensors --report curve",
    "star": "ridgeline star a.pt b.pt c.pt --model nets:build --data digits --out centre.pt",
    "geodesic": "ridgeline geodesic a.pt b.pt --model nets:build --data digits --align "
    "--report geodesic",
}


def _connect(made: argparse.ArgumentParser) -> None:
    add_points(made, "A", "B")
    add_objective(made)
    group = made.add_argument_group("the curve")
    group.add_argument(
        "--by",
        choices=("bezier", "polygon", "band"),
        default="bezier",
        help="a Bezier curve, a chain of segments, or a nudged elastic band, which inserts bends "
        "where they are needed (default: bezier)",
    )
    _bends(group)
    group.add_argument(
        "--share",
        type=float,
        metavar="S",
        help="of band: of the 16000 steps that Draxler et al. (2018) take for a pair, with their "
        "rates (default: 0.05)",
    )
    _align(group)
    _descent(made, positions=1, optimiser="sgd")
    _measured(made)


def _star(made: argparse.ArgumentParser) -> None:
    made.add_argument("feet", metavar="CKPT", nargs="+", help=f"two or more; {POINT}")
    add_objective(made)
    group = made.add_argument_group("the centre")
    group.add_argument(
        "--start",
        choices=("mean", "foot", "random"),
        default="mean",
        help="where it starts: the mean of the feet, the first foot, or noise (default: mean)",
    )
    group.add_argument(
        "--sampling",
        choices=("uniform", "beta", "constant"),
        default="uniform",
        help="law of the positions on an arm: uniform, Beta(2, 2), or the middle (default: "
        "uniform)",
    )
    group.add_argument(
        "--feet-per-step", type=int, default=1, metavar="N", help="drawn at random (default: 1)"
    )
    group.add_argument(
        "--held-out",
        metavar="CKPT,CKPT,...",
        help="states that the centre is not trained on, to be measured beside the feet",
    )
    _align(group)
    _descent(made, positions=3, optimiser="adam")
    _measured(made)


def _geodesic(made: argparse.ArgumentParser) -> None:
    add_points(made, "A", "B")
    add_objective(made)
    group = made.add_argument_group("the chains")
    group.add_argument(
        "--penalties",
        metavar="X,X,...",
        help="strengths of the penalty on length, one chain for each, in units of the loss over "
        "the squared distance (default: 0 and seven from 0.01 to 10)",
    )
    _bends(group)
    group.add_argument(
        "--removing",
        type=float,
        default=0.9,
        metavar="P",
        help="share of the line's barrier that the chain which is told and written removes at "
        "least (default: 0.9)",
    )
    _align(group)
    _descent(made, positions=3, optimiser="adam")
    _measured(made)


def _bends(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--bends", type=int, default=1, metavar="N", help="states between the ends (default: 1)"
    )


def _align(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--align",
        action="store_true",
        help="carry the other checkpoints to the first by the network's symmetry, before; else "
        "they are taken as given",
    )


def _descent(made: argparse.ArgumentParser, *, positions: int, optimiser: str) -> None:
    group = made.add_argument_group("how it is trained")
    group.add_argument(
        "--length",
        default="2000it",
        metavar="D",
        help="steps (2000it) or passes over the data (30ep) (default: 2000it)",
    )
    group.add_argument(
        "--batch-size", type=int, default=128, metavar="N", help="of a step (default: 128)"
    )
    group.add_argument(
        "--positions",
        type=int,
        default=positions,
        metavar="N",
        help=f"points of the path in a step (default: {positions})",
    )
    group.add_argument(
        "--optimiser",
        choices=("sgd", "adam", "adamw"),
        default=optimiser,
        help=f"SGD with momentum 0.9, Adam or AdamW (default: {optimiser})",
    )
    group.add_argument(
        "--learning-rate",
        type=float,
        metavar="X",
        help="held to the middle, then down to a hundredth (default: 0.03 of sgd, 0.01 of the "
        "others)",
    )
    group.add_argument(
        "--decay",
        type=float,
        default=0.0,
        metavar="X",
        help="weight decay at the sampled point (default: 0)",
    )
    group.add_argument("--clip", type=float, metavar="X", help="largest norm of a step's gradient")
    group.add_argument(
        "--keep",
        metavar="FILE",
        help="snapshots, .safetensors; what was killed goes on from there, to the same bytes",
    )


def _measured(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("how it is measured")
    group.add_argument("--points", type=int, default=25, metavar="N", help="(default: 25)")
    add_symmetry(made)
    add_engine(made)
    add_checkpoint(made)


VERBS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "connect": ("Find a curve of low loss between two checkpoints.", _connect),
    "star": ("Find a centre that is linearly connected to several checkpoints.", _star),
    "geodesic": ("Find short chains of low loss between two checkpoints.", _geodesic),
}
"""A sentence on each verb, and what adds its options."""
