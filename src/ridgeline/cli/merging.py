"""From options to a way of merging."""

import argparse
from collections.abc import Callable, Sequence

from ridgeline.cli.matching import fitting
from ridgeline.cli.setting import Setting
from ridgeline.errors import UsageError
from ridgeline.merging import (
    Dare,
    Fisher,
    Mean,
    ModelStock,
    RegMean,
    Slerp,
    Strategy,
    TaskArithmetic,
    Ties,
    diagonal_fisher,
    gram_matrices,
)
from ridgeline.state import State

__all__ = ["merger"]

Tell = Callable[[str, int, int], None]


def merger(
    chosen: argparse.Namespace, setting: Setting, states: Sequence[State], tell: Tell
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
    given = {o: v for o in ("t", "scale", "keep", "drop") if (v := getattr(chosen, o)) is not None}
    if name == "dare":
        given["seed"] = chosen.seed
    plain = {
        "mean": Mean,
        "slerp": Slerp,
        "task-arithmetic": TaskArithmetic,
        "ties": Ties,
        "dare": Dare,
        "model-stock": ModelStock,
    }
    if name in plain:
        made: Strategy = plain[name](**given)
        if made.needs_base and chosen.base is None:
            raise UsageError(
                f"--by {name} adds up what changed since a common start.",
                got="no --base",
                remedy="Give the checkpoint that all were fine-tuned from: --base CKPT.",
            )
        return made
    objective = fitting(chosen, setting, f"--by {name}")
    measure = {"fisher": diagonal_fisher, "regmean": gram_matrices}[name]
    found = []
    for k, state in enumerate(states):
        tell(f"{name} of each checkpoint", k, len(states))
        found.append(measure(objective, state))
    tell(f"{name} of each checkpoint", len(states), len(states))
    return Fisher(found) if name == "fisher" else RegMean(found)
