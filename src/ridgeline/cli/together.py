"""From options to a way of bringing many checkpoints into one frame."""

import argparse

from ridgeline.cli.strategies import check_strategy
from ridgeline.cli.ways import MANY, MATCHES, MATCHING, given
from ridgeline.errors import UsageError
from ridgeline.matching import ManyStrategy, Strategy

__all__ = ["check_many", "many_of"]


def check_many(chosen: argparse.Namespace) -> None:
    """Refuse ways of aligning that do not fit each other or the number of checkpoints.

    Args:
        chosen: Parsed options of ``merge``.

    Raises:
        UsageError: If they do not.
    """
    name, many = chosen.align_by or "weights", _many(chosen)
    if chosen.align_many is not None and many is None:
        raise UsageError(
            "--align-many is of three checkpoints and more, without --base.",
            got=f"--align-many {chosen.align_many} with "
            + ("--base" if chosen.base else f"{len(chosen.states)} of them"),
            remedy="Leave it out: "
            + ("all are carried to the base." if chosen.base else "the second goes to the first."),
        )
    if many == "cycle-consistent":
        if chosen.align_by is not None:
            raise UsageError(
                "--align-many cycle-consistent matches the weights of all at once.",
                got=f"--align-by {name}",
                remedy="Leave --align-by out, or choose merge-many or reference.",
            )
        return check_strategy(chosen, many)
    check_strategy(chosen, name)
    if many == "merge-many" and MATCHING[name].beyond:
        raise UsageError(
            "--align-many merge-many composes permutations alone.",
            got=f"--align-by {name}",
            remedy="Use --align-many reference, which carries each to the first.",
        )
    if chosen.soft and (chosen.base or len(chosen.states) > 2):
        raise UsageError(
            "--soft gives no transform into a common frame.",
            got="a base" if chosen.base else f"{len(chosen.states)} checkpoints",
            remedy="Merge two without a base, or leave --soft out.",
        )
    return None


def _many(chosen: argparse.Namespace) -> str | None:
    """Return how three and more are brought together; None where each goes to one that is given."""
    if chosen.base or len(chosen.states) < 3:
        return None
    return chosen.align_many or "merge-many"


def many_of(chosen: argparse.Namespace, by: Strategy) -> ManyStrategy:
    """Return how many are brought into one frame.

    Args:
        chosen: Parsed options, checked by `check_many`.
        by: How two are matched.
    """
    return MANY[_many(chosen) or "reference"].make(given(chosen, MATCHES), by=by)
