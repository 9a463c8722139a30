"""Options of the verb that maps many minima."""

import argparse
from collections.abc import Callable

from ridgeline.cli.groups import POINT, add_engine, add_objective, add_output

__all__ = ["EXAMPLES", "VERBS"]

EXAMPLES = {
    "minima": "ridgeline minima a.pt b.pt c.pt --model nets:build --data digits --share 0.05",
}


def _minima(made: argparse.ArgumentParser) -> None:
    made.add_argument("states", metavar="CKPT", nargs="+", help=f"two or more; {POINT}")
    add_objective(made)
    group = made.add_argument_group("how two are connected, by elastic band")
    group.add_argument(
        "--share",
        type=float,
        default=0.05,
        metavar="S",
        help="of the 16000 steps that Draxler et al. (2018) take for a pair (default: 0.05)",
    )
    group.add_argument(
        "--batch-size", type=int, default=512, metavar="N", help="of a step (default: 512)"
    )
    made.add_argument(
        "--budget",
        type=int,
        metavar="N",
        help="paths to look for at most (default: all that may lower a saddle)",
    )
    add_engine(made, lines=False)
    add_output(made)


VERBS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "minima": ("Connect many checkpoints, and find the lowest ways between them.", _minima),
}
"""A sentence on each verb, and what adds its options."""
