"""From options to a symmetry and data to look at, and what is checked before any work."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ridgeline import io
from ridgeline.cli.setting import Setting, words
from ridgeline.cli.writing import check_file, check_folder
from ridgeline.errors import NotTraceable, UsageError
from ridgeline.objective import Objective, Samples
from ridgeline.progress import Progress
from ridgeline.symmetry import Symmetry, symmetries

__all__ = ["check_written", "discovered", "example_of", "fitting"]


def discovered(chosen: argparse.Namespace, setting: Setting, tell: Progress) -> Symmetry:
    """The symmetry that the options name: read from a file, or found and proved.

    Raises:
        UsageError: If nothing says what the network's inputs are.
        NotTraceable: If the network cannot be traced; it says what else can be done.
        UnknownName: If a group that shall stay fixed is not there.
    """
    given = getattr(chosen, "symmetry", None)
    if given is not None:
        found = io.load_symmetry(given)
    else:
        example = example_of(chosen, setting)
        tell("tracing and proving", 0, 1)
        try:
            found = symmetries(setting.model, example, seed=getattr(chosen, "seed", 0))
        except NotTraceable as error:
            raise NotTraceable(
                error.rule,
                got=error.got,
                remedy=f"{error.remedy} Or give --symmetry a file with groups of your own: see "
                "ridgeline.save_symmetry.".strip(),
            ) from error
        tell("tracing and proving", 1, 1)
    return found.without(*(words(chosen.without) or []))


def example_of(chosen: argparse.Namespace, setting: Setting) -> Any:
    """A batch of inputs on which the network is traced.

    Args:
        chosen: Parsed options.
        setting: Their setting.

    Raises:
        UsageError: If nothing says what the network's inputs are.
    """
    if chosen.example:
        return io.resolve(chosen.example, kind="example")
    if setting.data is None:
        raise UsageError(
            "A network is traced on a batch of its inputs.",
            got="neither --data nor --example",
            remedy="Give --data, or --example MOD:FUNC for a function that makes a batch.",
        )
    first = next(iter(setting.data.splits.values()))
    return Samples(first.inputs, None)[:2].inputs


def fitting(chosen: argparse.Namespace, setting: Setting, what: str) -> Objective:
    """The objective that strategies look at: training data, where the data set has them.

    Args:
        chosen: Parsed options.
        setting: Their setting.
        what: What needs it, for messages.

    Raises:
        UsageError: If there are no data, several splits and none of them training data, or too
            few samples are asked for.
    """
    if setting.data is None:
        raise UsageError(
            f"{what} looks at data.", got="no --data", remedy="Give --data, or choose another."
        )
    if chosen.samples < 1:
        raise UsageError("--samples is 1 at least.", got=str(chosen.samples))
    splits = setting.data.splits
    if "train" not in splits and len(splits) > 1:
        raise UsageError(
            f"{what} looks at the split called train, or at the only one there is.",
            got=f"splits {', '.join(splits)} of {setting.data.name}",
            remedy="Call the one to look at `train`, or give data of one split alone.",
        )
    name = "train" if "train" in splits else next(iter(splits))
    return setting.objective(chosen, name, samples=chosen.samples)


def check_written(
    chosen: argparse.Namespace, suffixes: Sequence[str] = io.WRITTEN, *, report: str | None = None
) -> None:
    """Refuse what cannot be written before any work, not after.

    Args:
        chosen: Parsed options.
        suffixes: Of which the name of the file must have one.
        report: The folder for a report; None is none.

    Raises:
        UsageError: If the file's name ends otherwise, or a report has nothing to say.
        OutputError: If something is there already, or a place cannot be written to.
    """
    if chosen.overwrite and chosen.out is None and report is None:
        raise UsageError("--overwrite is about what is written.", got="--overwrite alone")
    if chosen.out is not None:
        if Path(chosen.out).suffix not in suffixes:
            raise UsageError(
                f"--out is a file whose name ends in {' or '.join(suffixes)}.",
                got=repr(chosen.out),
                remedy=f"Name it {Path(chosen.out).stem or 'result'}{suffixes[0]}.",
            )
        check_file(chosen.out, chosen)
    if report is not None:
        if chosen.data is None:
            raise UsageError(
                "A report draws what was measured.",
                got="--report without --data",
                remedy="Give --data as well.",
            )
        check_folder(report, chosen)
