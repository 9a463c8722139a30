"""Options of the verbs about symmetries: ``symmetries``, ``align`` and ``merge``."""

import argparse
from collections.abc import Callable

from ridgeline.cli.groups import (
    POINT,
    add_engine,
    add_network,
    add_objective,
    add_overwrite,
    add_points,
)
from ridgeline.cli.ways import MANY, MATCHES, MATCHING, MERGES, MERGING, add_options

__all__ = ["EXAMPLES", "VERBS", "add_checkpoint", "add_symmetry"]

EXAMPLES = {
    "symmetries": "ridgeline symmetries --model nets:build --example nets:example "
    "--out symmetry.json\n"
    "  ridgeline symmetries --model 'ridgeline.nets:fcn(64,32,10)' --data digits",
    "align": "ridgeline align a.safetensors b.safetensors --model nets:build --data digits "
    "--out b_aligned.safetensors\n"
    "  ridgeline align a.pt b.pt --model nets:build --data digits --by activations "
    "--report aligned",
    "merge": "ridgeline merge a.safetensors b.safetensors --model nets:build --data digits "
    "--align --repair --out merged.safetensors\n"
    "  ridgeline merge a.pt b.pt c.pt --model nets:build --data digits "
    "--align --align-many cycle-consistent --repair\n"
    "  ridgeline merge one.pt two.pt --base start.pt --model nets:build --by ties "
    "--out merged.safetensors",
}


def _symmetries(made: argparse.ArgumentParser) -> None:
    add_network(made, data=False)
    add_symmetry(made, given=False)
    _how(made)
    group = made.add_argument_group("output")
    group.add_argument("--out", metavar="FILE", help="save the symmetry there, as JSON")
    add_overwrite(group)
    group.add_argument("--json", action="store_true", help="print JSON to standard output")


def _align(made: argparse.ArgumentParser) -> None:
    add_points(made, "A", "B")
    add_objective(made, data=False, fitted=True)
    add_symmetry(made)
    _strategy(made.add_argument_group("how it is aligned"), "--by", "weights")
    group = made.add_argument_group("how the line is measured, with --data")
    group.add_argument("--points", type=int, default=21, metavar="N", help="(default: 21)")
    group.add_argument(
        "--repair",
        choices=("forward", "closed-form", "statistics", "none"),
        default="forward",
        help="also measure the aligned line with the statistics of each layer set to those "
        "between the ends' (default: forward)",
    )
    add_engine(made)
    add_checkpoint(made)


def _merge(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "states", metavar="CKPT", nargs="+", help=f"two or more, one with --base; {POINT}"
    )
    add_objective(made, data=False, keep=True, fitted=True)
    group = made.add_argument_group("how it is merged")
    group.add_argument("--by", choices=tuple(MERGING), default="mean", help="(default: mean)")
    group.add_argument("--base", metavar="CKPT", help="what the checkpoints were fine-tuned from")
    group.add_argument("--weights", metavar="W,W,...", help="one number for each checkpoint")
    group.add_argument(
        "--layers",
        metavar="GLOBS",
        help="merge these layers only, comma-separated patterns; others are the first's",
    )
    add_options(group, MERGES, MERGING)
    group = made.add_argument_group("what is done before and after")
    group.add_argument("--align", action="store_true", help="bring all into one frame, before")
    group.add_argument(
        "--repair",
        nargs="?",
        const="forward",
        choices=("forward", "closed-form", "statistics"),
        help="set the statistics of each layer to the mean of the checkpoints', after "
        "(--repair alone: forward)",
    )
    group = made.add_argument_group("how they are aligned, with --align")
    group.add_argument(
        "--align-many",
        choices=tuple(MANY),
        help="how three and more are brought together: each to the mean of the others in turn, "
        "all at once, or each to the first on its own (default: merge-many; with --base all are "
        "carried to the base)",
    )
    _strategy(group, "--align-by", "weights", many=True)
    add_symmetry(made)
    add_engine(made, lines=False)
    add_checkpoint(made)


def add_symmetry(made: argparse.ArgumentParser, *, given: bool = True) -> None:
    """Options that say where a symmetry comes from."""
    group = made.add_argument_group("the symmetry")
    group.add_argument(
        "--example",
        metavar="MOD:FUNC",
        help="your function that makes a batch of inputs, as the model takes them: a tensor, a "
        "tuple (by position) or a dict (by keyword) (default: two samples of --data)",
    )
    if given:
        group.add_argument(
            "--symmetry", metavar="FILE", help="a symmetry that was saved, in place of discovery"
        )
    group.add_argument(
        "--without", metavar="GROUPS", help="comma-separated names of groups to leave fixed"
    )


def _strategy(
    group: "argparse._ArgumentGroup", flag: str, default: str, *, many: bool = False
) -> None:
    """Return how two are matched; options say of which strategies they are.

    Args:
        group: Takes the options.
        flag: That of the strategy.
        default: The strategy if none is given; for `many` it is given as None, so that a choice
            can be told from the default.
        many: Whether more than two may be aligned.
    """
    names = list(MATCHING)
    group.add_argument(
        flag,
        choices=names,
        metavar="NAME",
        default=None if many else default,
        help=f"{', '.join(names[:-1])} or {names[-1]} (default: {default}); the last two "
        "are of transformers",
    )
    add_options(group, MATCHES, MATCHING | MANY if many else MATCHING)
    group.add_argument(
        "--samples",
        type=int,
        default=2000,
        metavar="N",
        help="samples of the data that strategies and repairs look at (default: %(default)s)",
    )


def _how(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("how")
    group.add_argument("--device", default="cpu", metavar="NAME", help="(default: cpu)")
    group.add_argument("--threads", type=int, metavar="N", help="of torch (default: torch's own)")
    group.add_argument("--seed", type=int, default=0, help="of the proof (default: 0)")


def add_checkpoint(made: argparse.ArgumentParser) -> None:
    """A checkpoint, a folder and JSON."""
    group = made.add_argument_group("output")
    group.add_argument(
        "--out",
        metavar="FILE",
        help="write the checkpoint there: .safetensors, or .pt, nested as the one it is like",
    )
    group.add_argument(
        "--report", metavar="DIR", help="write tables, figures and a page there; needs --data"
    )
    add_overwrite(group)
    group.add_argument("--json", action="store_true", help="print JSON to standard output")


VERBS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "symmetries": ("Find and prove which units of a network may be permuted.", _symmetries),
    "align": (
        "Carry the second checkpoint, by a symmetry, to where it is nearest the first.",
        _align,
    ),
    "merge": ("Merge checkpoints into one, aligned and repaired first if asked.", _merge),
}
"""A sentence on each verb, and what adds its options."""
