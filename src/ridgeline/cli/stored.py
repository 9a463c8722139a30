"""Options of the verbs that keep runs in a store: ``train``, ``reproduce`` and ``runs``."""

import argparse
from collections.abc import Callable

from ridgeline.cli.groups import add_files, add_output

__all__ = ["EXAMPLES", "VERBS"]

EXAMPLES = {
    "train": "ridgeline train fcn.toml --seeds 16\n"
    "  ridgeline train fcn.toml --help     # the spec's own values",
    "reproduce": "ridgeline reproduce --list\n"
    "  ridgeline reproduce wang2023 --scale laptop --out wang2023\n"
    "  ridgeline reproduce wang2023/bias-ablation --set base.data.set=my_project.data:load",
    "runs": "ridgeline runs --where net.kind=fcn --where 'final.test.error<0.1'\n"
    "  ridgeline runs --sql 'select name, min(loss) from logs group by name'\n"
    "  ridgeline runs verify STORE\n"
    "  ridgeline runs prune STORE --where diverged=true --yes",
}


class _Help(argparse.Action):
    """Help on the verb, or, after the name of a spec, on what the spec says."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *_) -> None:
        if getattr(namespace, "spec", None) is None:
            parser.print_help()
            parser.exit()
        namespace.help = True


def _train(made: argparse.ArgumentParser) -> None:
    text = "show this help, or the values of the spec if one is given before"
    made.add_argument("-h", "--help", action=_Help, nargs=0, default=False, help=text)
    made.add_argument("spec", metavar="SPEC", help="a TOML file")
    group = made.add_argument_group("what is trained")
    group.add_argument("--seeds", type=int, metavar="N", help="this many seeds of each run")
    _set(group, "the spec's, as in training.batch_size=64")
    add_files(group)
    group = _machine(made)
    group.add_argument(
        "--together", type=int, metavar="K", help="runs in one stack at most (default: measured)"
    )
    group = made.add_argument_group("output")
    _store(group)
    group.add_argument("--json", action="store_true", help="print JSON to standard output")


def _reproduce(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "what",
        nargs="*",
        metavar="PAPER[/ITEM]",
        help="papers, or single figures and tables of them; all for every paper",
    )
    made.add_argument("--list", action="store_true", help="list papers, items and scales; stop")
    group = made.add_argument_group("at what scale")
    group.add_argument(
        "--scale",
        default="laptop",
        metavar="NAME",
        help="smoke, laptop, paper, or a TOML file of your own (default: laptop)",
    )
    group.add_argument("--seeds", type=int, metavar="N", help="of every population")
    _set(group, "the scale's, as in base.data.set=digits or measure.points=11")
    add_files(group)
    group = _machine(made)
    _store(group)
    add_output(made)


def _runs(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "words",
        nargs="*",
        metavar="[verify|prune] [STORE]",
        help="what to do, if not to list, and with which store (default: runs)",
    )
    group = made.add_argument_group("which runs")
    group.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="a condition, also with != < <= > >=, as in training.optimiser.kind=sgd; "
        "may be repeated",
    )
    group.add_argument("--sort", metavar="FIELD", help="by this field; --sort=-FIELD descends")
    group.add_argument("--sql", metavar="SELECT", help="ask the tables runs and logs instead")
    group.add_argument(
        "--curves", metavar="DIR", help="save the learning curves of these runs as a figure"
    )
    group.add_argument(
        "--overwrite", action="store_true", help="replace what Ridgeline wrote to DIR before"
    )
    group = made.add_argument_group("verify")
    group.add_argument("--shallow", action="store_true", help="look at names and sizes only")
    group = made.add_argument_group("prune")
    group.add_argument(
        "--keep",
        default="first,last,average",
        metavar="STATES",
        help="states that stay: first, last, steps, names (default: first,last,average)",
    )
    group.add_argument("--dry-run", action="store_true", help="say what would be freed; stop")
    group.add_argument("--yes", action="store_true", help="do it: what is freed is gone")
    group = made.add_argument_group("output")
    group.add_argument("--json", action="store_true", help="print JSON to standard output")


def _set(group: "argparse._ArgumentGroup", of: str) -> None:
    """Values in place of those of a file."""
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help=f"put a value in place of {of}; may be repeated",
    )


def _machine(made: argparse.ArgumentParser) -> "argparse._ArgumentGroup":
    """A group that says on what is trained."""
    group = made.add_argument_group("how")
    group.add_argument("--device", default="cpu", metavar="NAME", help="(default: cpu)")
    group.add_argument("--workers", type=int, metavar="N", help="processes (default: measured)")
    group.add_argument("--threads", type=int, metavar="N", help="of each (default: measured)")
    return group


def _store(group: "argparse._ArgumentGroup") -> None:
    """Where runs are kept, and leave to stop before any is trained."""
    group.add_argument("--store", default="runs", metavar="DIR", help="(default: runs)")
    group.add_argument("--dry-run", action="store_true", help="say what would be trained; stop")


VERBS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "train": ("Train the runs of a spec at once; keep them in a store.", _train),
    "reproduce": (
        "Ask a paper's questions again, with a verdict for each of its claims.",
        _reproduce,
    ),
    "runs": ("Look at a store of runs, verify it, or free its states.", _runs),
}
"""A sentence on each verb, and what adds its options."""
