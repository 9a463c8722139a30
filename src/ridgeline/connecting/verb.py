"""The verb: a path of low loss between two states."""

import os

from ridgeline.connecting.contract import Connected, Strategy, check_objective, check_strategy
from ridgeline.connecting.curves import CurveFinding
from ridgeline.objective import Objective
from ridgeline.progress import Progress
from ridgeline.state import State

__all__ = ["connect"]


def connect(
    a: State,
    b: State,
    objective: Objective,
    *,
    by: Strategy | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    keep: str | os.PathLike[str] | None = None,
) -> Connected:
    """Find a path of low loss between two states.

    In a step, normalisation layers that recompute their statistics use those of the batch, as in
    training; when the path is measured the objective's own policy holds. Dropout is off.

    Args:
        a: Where the path starts.
        b: Where it ends.
        objective: The loss that is descended; training data, as a rule.
        by: The strategy; a Bezier curve with one bend by default.
        seed: Names batches and positions; the same seed gives the same path.
        progress: Told of steps, with the largest loss on the path at the last look.
        keep: A ``.safetensors`` file of snapshots. A run that was killed goes on from it, to the
            same bytes.

    Returns:
        The path, which is profiled as any other, and how it was found.

    Raises:
        StateMismatch: If the states differ in names or shapes, or are not of the model.
        NonFinite: If one holds NaN or infinity.
        WrongKind: If an argument is of another kind.
        UsageError: If the loss lets no derivative through, or the file is of another run.
        ForwardFailed: If the model or its loss raises.
    """
    check_objective(objective)
    strategy = CurveFinding() if by is None else by
    check_strategy(strategy)
    file = None if keep is None else os.fspath(keep)
    return strategy.connect(a, b, objective, seed=seed, progress=progress, keep=file)
