"""From options to a strategy that matches units, and the symmetry that it searches."""

import argparse

from ridgeline.cli.matching import discovered, example_of, fitting
from ridgeline.cli.setting import Setting
from ridgeline.cli.ways import MANY, MATCHES, MATCHING, check_options, given
from ridgeline.errors import UsageError
from ridgeline.matching import Strategy, WeightMatching
from ridgeline.objective import Objective
from ridgeline.progress import Progress
from ridgeline.symmetry import Stream, Symmetry, rescalable, streams

__all__ = ["MIXED", "TAKES", "check_strategy", "prepared"]


TAKES = {option.dest: option.of(MATCHING | MANY) for option in MATCHES}
"""Option to the strategies that it is of."""
ELSE = "The strategy weights permutes units of any network."
MIXED = (
    "Units were mixed (--soft): what came out is no transform of the checkpoint and computes "
    "another function, with a loss of its own."
)


def check_strategy(chosen: argparse.Namespace, name: str) -> None:
    """Refuse options that belong to another strategy, before any work.

    Args:
        chosen: Parsed options.
        name: One of `ways.MATCHING`, or of `ways.MANY`.

    Raises:
        UsageError: If one was given.
    """
    check_options(chosen, TAKES, name)
    if chosen.regularisation is not None and not chosen.soft:
        raise UsageError(
            "--regularisation says how much --soft mixes.",
            got=f"--regularisation {chosen.regularisation} alone",
            remedy="Add --soft, or leave it out.",
        )


def prepared(
    chosen: argparse.Namespace, setting: Setting, name: str, tell: Progress, said: list[str]
) -> tuple[Symmetry, Strategy]:
    """Return how units are matched, and the symmetry that is searched.

    Args:
        chosen: Parsed options.
        setting: Their setting.
        name: One of `ways.MATCHING`.
        tell: Told how far the work is.
        said: Takes sentences for the reader.

    Raises:
        UsageError: If an option is of another strategy, data are needed and missing, or the
            network has not what the strategy turns on.
        NotTraceable: If the network cannot be traced.
    """
    check_strategy(chosen, name)
    objective = _objective(chosen, setting, name)
    symmetry = discovered(chosen, setting, tell)
    stream = None
    if MATCHING[name].beyond and not symmetry.scalings:
        tell("scalings", 0, 1)
        example = example_of(chosen, setting)
        symmetry = rescalable(symmetry, setting.model, example, seed=chosen.seed)
        tell("scalings", 1, 1)
    if MATCHING[name].rotates:
        stream = _stream(chosen, setting, symmetry, name, tell)
        said.append(_rotates(stream))
    if name == "rescaling":
        said.append(_rescales(symmetry))
    return symmetry, _strategy(chosen, setting, name, objective, stream)


def _objective(chosen: argparse.Namespace, setting: Setting, name: str) -> Objective | None:
    """The data that a strategy looks at, if it does."""
    if MATCHING[name].looks:
        return fitting(chosen, setting, f"The strategy {name}")
    if name == "sinkhorn" and chosen.minimise not in (None, "distance"):
        return fitting(chosen, setting, f"--minimise {chosen.minimise}")
    return None


def _strategy(
    chosen: argparse.Namespace,
    setting: Setting,
    name: str,
    objective: Objective | None,
    stream: Stream | None,
) -> Strategy:
    return MATCHING[name].make(
        given(chosen, MATCHES),
        objective=objective,
        stream=stream,
        model=setting.model,
        data=None if objective is None else objective.samples,
        device=setting.device,
        by=WeightMatching(),
    )


def _stream(
    chosen: argparse.Namespace, setting: Setting, symmetry: Symmetry, name: str, tell: Progress
) -> Stream:
    """The residual stream of the network, or why it has none that may be rotated."""
    tell("residual stream", 0, 1)
    example = example_of(chosen, setting)
    try:
        found = streams(symmetry, setting.model, example, seed=chosen.seed)
    except UsageError as error:
        # The library's remedy is for transformers whose head is tied; others have no stream.
        remedy = f"{error.remedy} {ELSE}" if "absorbs" in error.got else ELSE
        raise UsageError(
            f"The strategy {name} rotates the residual stream of a transformer. {error.rule}",
            got=error.got,
            remedy=remedy,
        ) from error
    tell("residual stream", 1, 1)
    return found


def _rotates(stream: Stream) -> str:
    circuits = (
        f" Channels inside of heads may be mixed in {len(stream.circuits)} circuits of query "
    )
    return (
        f"The {stream.group.size} coordinates of the residual stream ({stream.group.name}) may be "
        f"rotated, once {len(stream.gains)} gains of normalisation layers are absorbed."
        + (f"{circuits}and key or value and output." if stream.circuits else "")
    )


def _rescales(symmetry: Symmetry) -> str:
    """Return which units may be multiplied, in a sentence.

    Raises:
        UsageError: If none may.
    """
    if not symmetry.scalings:
        raise UsageError(
            "The strategy rescaling multiplies units by factors that the next layer undoes, as "
            "ReLU and tanh allow.",
            got="a network with no such units",
            remedy=ELSE,
        )
    found = []
    for signs, what in ((False, "by positive factors"), (True, "by signs")):
        names = {m.group for m in symmetry.scalings if m.signs == signs}
        if names:
            units = sum(symmetry.group(n).identity().size for n in names)
            where = next(iter(names)) if len(names) == 1 else f"in {len(names)} groups"
            found.append(f"{units} units ({where}) {what}")
    return f"May be multiplied: {' and '.join(found)}."
