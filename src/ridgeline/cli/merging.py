"""From options to a way of merging."""

import argparse
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from ridgeline.cli.matching import fitting
from ridgeline.cli.setting import Setting, words
from ridgeline.cli.strategies import TAKES
from ridgeline.cli.together import check_many
from ridgeline.cli.ways import MERGES, MERGING, check_options, given
from ridgeline.errors import UsageError
from ridgeline.merging import Strategy, diagonal_fisher, gram_matrices
from ridgeline.progress import Progress
from ridgeline.state import State

__all__ = ["check_merge", "layers_of", "merger", "weights_of"]


OPTIONS = {
    **{option.dest: option.of(MERGING) for option in MERGES},
    "base": [name for name, way in MERGING.items() if way.load().needs_base],
    "weights": [name for name, way in MERGING.items() if way.weighs],
}
"""Option to the strategies that it is of."""
MEASURED = {"fisher": diagonal_fisher, "regmean": gram_matrices}
"""What is measured of each checkpoint before these merge."""


def check_merge(chosen: argparse.Namespace, weights: list[float] | None) -> None:
    """Refuse options that do not fit each other, before any work.

    Args:
        chosen: Parsed options.
        weights: As `weights_of` gives them.

    Raises:
        UsageError: If they do not.
    """
    if not (chosen.out or chosen.data or chosen.json):
        raise UsageError(
            "A merge is written, or measured.",
            got="neither --out nor --data",
            remedy="Give --out FILE to write it, or --data SPEC to look at what it loses.",
        )
    check_options(chosen, OPTIONS, chosen.by)
    if len(chosen.states) < 2:
        _check_one(chosen)
    if chosen.by == "slerp" and len(chosen.states) != 2:
        raise UsageError(
            "--by slerp goes from one checkpoint to another.",
            got=f"{len(chosen.states)} checkpoints",
            remedy="Use --by mean.",
        )
    if chosen.align:
        check_many(chosen)
    else:
        _check_not_aligned(chosen)
    if chosen.repair and chosen.data is None:
        raise UsageError(
            "A repair looks at data.", got="--repair without --data", remedy="Give --data SPEC."
        )
    if chosen.repair and weights is not None and min(weights) < 0:
        raise UsageError("A repair is between the ends.", got=f"--weights {chosen.weights}")


def _check_one(chosen: argparse.Namespace) -> None:
    """Refuse a single checkpoint where there is nothing to do with it."""
    if chosen.repair in ("forward", "closed-form"):
        raise UsageError(
            "A repair sets the statistics of layers to the mean of those of the checkpoints.",
            got="one checkpoint",
            remedy="Give two or more, or recompute running statistics alone: --repair statistics.",
        )
    if chosen.repair is None and chosen.base is None:
        raise UsageError(
            "A merge is of two checkpoints or more.",
            got="one",
            remedy="Name another, or recompute the running statistics of this one with "
            "--repair statistics.",
        )


def _check_not_aligned(chosen: argparse.Namespace) -> None:
    """Refuse options of an alignment that was not asked for."""
    names = ["align_by", "align_many", *TAKES, "symmetry", "example", "without"]
    given = [f"--{n.replace('_', '-')}" for n in names if getattr(chosen, n) is not None]
    if given:
        raise UsageError(
            f"{', '.join(given)} {'is' if len(given) == 1 else 'are'} for aligning.",
            got="no --align",
            remedy="Add --align.",
        )


def weights_of(text: str | None) -> list[float] | None:
    """The numbers of ``--weights``.

    Args:
        text: With commas between them.

    Raises:
        UsageError: If they are no numbers.
    """
    try:
        return [float(word) for word in words(text) or []] or None
    except ValueError as error:
        raise UsageError(
            "--weights is a list of numbers with commas between them.", got=repr(text)
        ) from error


def layers_of(text: str | None) -> Callable[[str], bool] | None:
    """True if a layer is merged, as the patterns of ``--layers`` say; None merges all.

    Args:
        text: Patterns with commas between them.
    """
    patterns = words(text)
    if patterns is None:
        return None
    return lambda layer: any(fnmatchcase(layer, pattern) for pattern in patterns)


def merger(
    chosen: argparse.Namespace, setting: Setting, states: Sequence[State], tell: Progress
) -> Strategy:
    """The strategy that ``--by`` names, with what data say where it needs them.

    Args:
        chosen: Parsed options.
        setting: Their setting.
        states: To be merged, aligned already.
        tell: Told how far the work is.

    Raises:
        UsageError: If it needs data, or a base, and has none.
    """
    name = chosen.by
    way = MERGING[name]
    if not way.needs:
        made: Strategy = way.make({**given(chosen, MERGES), "seed": chosen.seed})
        if made.needs_base and chosen.base is None:
            raise UsageError(
                f"--by {name} adds up what changed since a common start.",
                got="no --base",
                remedy="Give the checkpoint that all were fine-tuned from: --base CKPT.",
            )
        return made
    objective = fitting(chosen, setting, f"--by {name}")
    found = []
    for k, state in enumerate(states):
        tell(f"{name} of each checkpoint", k, len(states))
        found.append(MEASURED[name](objective, state))
    tell(f"{name} of each checkpoint", len(states), len(states))
    return way.make({}, fishers=found, grams=found)
