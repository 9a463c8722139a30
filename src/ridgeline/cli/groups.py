"""Groups of options that several verbs share."""

import argparse

__all__ = [
    "POINT",
    "add_engine",
    "add_files",
    "add_line",
    "add_network",
    "add_objective",
    "add_output",
    "add_overwrite",
    "add_points",
]

POINT = (
    "a checkpoint: .safetensors, .pt, .pth, .ckpt, or a folder as on the Hugging Face hub; "
    "FILE:KEY if it holds several states"
)


LOSSES = ("cross_entropy", "squared_error", "binary_cross_entropy")
METRICS = ("error", "accuracy", "top5_error")
"""Names that help lists without importing what they name: those of `ridgeline.objective`."""


def add_points(made: argparse.ArgumentParser, *names: str) -> None:
    """Checkpoints by position."""
    for name in names:
        made.add_argument(name.lower(), metavar=name, help=POINT)


def add_network(
    made: argparse.ArgumentParser, *, data: bool = True, fitted: bool = False
) -> "argparse._ArgumentGroup":
    """A network, and data or leave to have none.

    Args:
        made: The verb.
        data: Whether it needs data.
        fitted: Whether it takes fitted estimators too, which bring their network.
    """
    group = made.add_argument_group("what is measured" if data else "the network, and data for it")
    group.add_argument(
        "--model",
        required=not fitted,
        metavar="MOD:FUNC",
        help="your function that builds the network, called with literal arguments if given: "
        "'nets:build(width=64)'; this imports and runs your code"
        + ("; not of estimators that `rl.save_estimator` wrote" if fitted else ""),
    )
    if fitted:
        group.add_argument(
            "--target",
            metavar="NAME",
            help="of estimators, whose --data is a table (.csv, .parquet, .arff): the column that "
            "is predicted (default: the last)",
        )
    group.add_argument(
        "--data",
        required=data,
        metavar="SPEC",
        help="digits, mnist1d, mnist, fashion-mnist, cifar10, cifar100, or MOD:NAME of a function, "
        "class or object of yours: arrays (inputs, targets), a Dataset, a DataLoader, a list of "
        "batches, or a dict of these by split; '?train=5000' takes a subset",
    )
    add_files(group)
    return group


def add_files(group: "argparse._ArgumentGroup") -> None:
    """Add the option of where the files of data sets are."""
    group.add_argument("--data-root", metavar="DIR", help="where files of data sets are")
    group.add_argument("--download", action="store_true", help="allow downloading them")


def add_objective(
    made: argparse.ArgumentParser, *, data: bool = True, keep: bool = False, fitted: bool = False
) -> None:
    """Network, data, loss and metrics.

    Args:
        made: The verb.
        data: Whether it needs data.
        keep: Whether states are measured with their own statistics, unless asked otherwise.
        fitted: Whether it takes fitted estimators too.
    """
    group = add_network(made, data=data, fitted=fitted)
    group.add_argument(
        "--split",
        metavar="NAMES",
        help="comma-separated splits of the data set: train and test, or the names that your "
        "function gives (default: all)",
    )
    group.add_argument(
        "--loss",
        default="cross_entropy",
        metavar="NAME",
        help=f"{', '.join(LOSSES)}, or MOD:FUNC of your own (outputs, targets), as in "
        "torch.nn:SmoothL1Loss (default: %(default)s)",
    )
    group.add_argument(
        "--metrics",
        metavar="NAMES",
        help=f"comma-separated, of {', '.join(METRICS)}, a loss, or MOD:FUNC of your own (default: "
        "error with the cross entropy, none with other losses); '' for none",
    )
    group.add_argument(
        "--mean-over",
        choices=("samples", "tokens"),
        default="samples",
        help="samples, which weigh alike however long they are, or all tokens (positions) whose "
        "label counts (default: samples)",
    )
    group.add_argument(
        "--statistics",
        choices=("recompute", "keep"),
        default="keep" if keep else "recompute",
        help="BatchNorm statistics at each state: gathered anew on the train split, or "
        + (
            "its own, so that the numbers are those of the checkpoints and of the file that is "
            "written (default: keep)"
            if keep
            else "the interpolated ones (default: recompute)"
        ),
    )


def add_line(made: argparse.ArgumentParser) -> None:
    """Positions on the line."""
    grid = made.add_mutually_exclusive_group()
    grid.add_argument("--points", type=int, default=51, metavar="N", help="(default: 51)")
    grid.add_argument("--grid", metavar="T,T,...", help="positions, in place of --points")
    made.add_argument("--extrapolate", action="store_true", help="allow positions outside [0, 1]")


def add_engine(made: argparse.ArgumentParser, *, seed: bool = True, lines: bool = True) -> None:
    """Return how it is computed.

    Args:
        made: The verb.
        seed: Whether it draws samples.
        lines: Whether it evaluates many states on a path.
    """
    group = made.add_argument_group("how")
    group.add_argument("--device", default="cpu", metavar="NAME", help="(default: cpu)")
    group.add_argument(
        "--dtype",
        choices=("float32", "float64", "bfloat16", "float16"),
        help="convert checkpoints to this type first; arithmetic is in float32 or better, and what "
        "is written has the checkpoint's own type",
    )
    if lines:
        group.add_argument(
            "--strategy",
            choices=("auto", "loop", "batched", "shared", "shared+batched"),
            default="auto",
            help="of the engine; auto measures (default: auto)",
        )
    group.add_argument("--threads", type=int, metavar="N", help="of torch (default: torch's own)")
    if seed:
        group.add_argument("--seed", type=int, default=0, help="of the samples' order (default: 0)")


def add_output(made: argparse.ArgumentParser) -> None:
    """A folder and JSON."""
    group = made.add_argument_group("output")
    group.add_argument("--out", metavar="DIR", help="write tables, figures and a page there")
    add_overwrite(group)
    group.add_argument("--json", action="store_true", help="print JSON to standard output")


def add_overwrite(made: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    """Leave to replace."""
    made.add_argument(
        "--overwrite", action="store_true", help="replace what Ridgeline wrote there before"
    )
