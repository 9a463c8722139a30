"""The options of every verb; the verbs themselves are imported when they are run."""

import argparse
import importlib
from collections.abc import Callable

from ridgeline.cli import bridging, mapped, stored, symmetric
from ridgeline.cli.groups import (
    POINT,
    add_engine,
    add_line,
    add_objective,
    add_output,
    add_overwrite,
    add_points,
)

__all__ = ["Parser", "add_verbs", "run"]

EXAMPLES = {
    "demo": "ridgeline demo --out demo",
    "profile": "ridgeline profile a.safetensors b.safetensors --model nets:build "
    "--data fashion-mnist --out out",
    "layers": "ridgeline layers a.safetensors b.safetensors --model nets:build --data digits",
    "plane": "ridgeline plane init.pt a.pt b.pt --model nets:build --data digits --out plane",
    "inspect": "ridgeline inspect a.safetensors",
    "explain": "ridgeline explain start.pt minimum.pt --model nets:build --data digits --out why",
    **stored.EXAMPLES,
    **symmetric.EXAMPLES,
    **bridging.EXAMPLES,
    **mapped.EXAMPLES,
}


def run(chosen: argparse.Namespace) -> int:
    """Import the chosen verb's module and run it."""
    return importlib.import_module(f"ridgeline.cli.{chosen.module}").run(chosen)


class Parser(argparse.ArgumentParser):
    """A verb's parser, whose options are made when it is used: those of one verb for a command."""

    fill: "Callable[[argparse.ArgumentParser], None] | None" = None
    """Adds the options."""

    def filled(self) -> "Parser":
        """Return itself, with its options."""
        fill, self.fill = self.fill, None
        if fill is not None:
            fill(self)
        return self

    def parse_known_args(self, *words, **more):
        """See `argparse.ArgumentParser`."""
        self.filled()
        return super().parse_known_args(*words, **more)

    def format_help(self) -> str:
        """See `argparse.ArgumentParser`."""
        self.filled()
        return super().format_help()


def add_verbs(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """Add every verb to the command line; its options come when it is chosen."""
    for name, (text, fill) in VERBS.items():
        made = verbs.add_parser(
            name,
            help=text[0].lower() + text[1:].rstrip("."),
            description=text,
            epilog=f"example:\n  {EXAMPLES[name]}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            add_help=name != "train",
        )
        made.fill = fill
        made.set_defaults(module=name)


def _demo(made: argparse.ArgumentParser) -> None:
    made.add_argument("--out", default="demo", metavar="DIR", help="where to (default: demo)")
    add_overwrite(made)


def _profile(made: argparse.ArgumentParser) -> None:
    add_points(made, "A", "B")
    add_objective(made)
    add_line(made)
    made.add_argument(
        "--layers",
        metavar="NAMES",
        help="move these layers only, comma-separated module prefixes; others stay at --hold",
    )
    made.add_argument("--hold", choices=("a", "b"), default="a", help="see --layers (default: a)")
    made.add_argument(
        "--rates",
        choices=("uniform", "homogeneous-biases"),
        default="uniform",
        help="all tensors alike, or the bias of layer l like t**l (default: uniform)",
    )
    made.add_argument(
        "--precision",
        metavar="X",
        help="stop when the 95 %% half-width of the loss barrier is below X, or below X%% of it",
    )
    add_engine(made)
    add_output(made)


def _layers(made: argparse.ArgumentParser) -> None:
    add_points(made, "A", "B")
    add_objective(made)
    add_line(made)
    made.add_argument("--layers", metavar="NAMES", help="only these, comma-separated")
    made.add_argument("--hold", choices=("a", "b"), default="a", help="where others stay")
    add_engine(made)
    add_output(made)


def _explain(made: argparse.ArgumentParser) -> None:
    made.add_argument("a", metavar="START", help=f"the initialisation; {POINT}")
    made.add_argument("b", metavar="MINIMUM", help="what training reached from it")
    add_objective(made)
    made.add_argument("--points", type=int, default=51, metavar="N", help="(default: 51)")
    made.add_argument("--no-layers", action="store_true", help="leave out single layers")
    made.add_argument(
        "--force", action="store_true", help="explain an end that is no better than the start"
    )
    add_engine(made, seed=False)
    add_output(made)


def _plane(made: argparse.ArgumentParser) -> None:
    made.add_argument("states", metavar="CKPT", nargs="+", help=f"three, or one; {POINT}")
    add_objective(made)
    made.add_argument("--points", type=int, default=25, metavar="N", help="per axis (default: 25)")
    made.add_argument(
        "--margin",
        type=float,
        metavar="R",
        help="room on each side, as a share of the extent (default: 0.2 around three checkpoints; "
        "around one the axes reach from -1 to 1 filter norms)",
    )
    made.add_argument(
        "--trajectory",
        action="append",
        default=[],
        metavar="NAME=CKPT,CKPT,...",
        help="states to draw on the plane as one line; may be repeated",
    )
    made.add_argument("--seed", type=int, default=0, help="of random directions (default: 0)")
    add_engine(made, seed=False)
    add_output(made)


def _inspect(made: argparse.ArgumentParser) -> None:
    made.add_argument("checkpoint", metavar="CKPT", help=POINT)
    made.add_argument("--json", action="store_true", help="print JSON to standard output")


VERBS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "demo": ("Tell the whole story on bundled data: train, trace, report.", _demo),
    "profile": ("Measure the loss along the line between two checkpoints.", _profile),
    "layers": ("Measure the line between two checkpoints one layer at a time.", _layers),
    "explain": ("Say why the loss falls as it does from a start to a minimum.", _explain),
    **symmetric.VERBS,
    **bridging.VERBS,
    **mapped.VERBS,
    "plane": ("Measure the plane through three checkpoints, or around one.", _plane),
    "inspect": (
        "Look into a checkpoint: tensors, types, norms, ties, non-finite values.",
        _inspect,
    ),
    **stored.VERBS,
}
"""A sentence on each verb, and what adds its options."""
