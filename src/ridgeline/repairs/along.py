"""Repair along a path, and of single states."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.objective import Objective
from ridgeline.paths import Combination, Path
from ridgeline.repairs.corrections import Corrected, overrides
from ridgeline.repairs.repair import Repair
from ridgeline.state import State

__all__ = ["along", "midpoint", "repaired"]


def along(
    repair: Repair,
    path: Path,
    t: Sequence[float] | NDArray[np.floating],
    combination: Combination,
    objective: Objective,
) -> tuple[dict[str, Corrected], dict[str, Any]]:
    """The repair at positions of a path: what the engine takes in place of the path's tensors.

    Args:
        repair: How.
        path: Its ends are those between which statistics are interpolated.
        t: K positions in [0, 1].
        combination: The path at these positions.
        objective: Gives the network, device, dtype and policy for statistics.

    Returns:
        Name to the corrected tensor at each position, formed when asked for; and the policy in
        plain values.

    Raises:
        UsageError: If a position lies outside [0, 1], or nothing can be repaired.
        NotTraceable: If the network cannot be traced.
    """
    repairer = repair.between(path(0), path(1), objective)
    corrections = [repairer.correction(combination.state(k), float(s)) for k, s in enumerate(t)]
    found = overrides(combination, corrections, objective.dtype, objective.device)
    return found, repairer.provenance()


def repaired(
    state: State, a: State, b: State, t: float, objective: Objective, repair: Repair | None = None
) -> State:
    """A state between two ends with the statistics of its layers set to those between theirs.

    Args:
        state: At position t, as `state.lerp(a, b, t)`, or a merge of the ends in another way.
        a: The end at t = 0.
        b: The end at t = 1, aligned to `a` if it is to be.
        t: In [0, 1]; at 0 and 1 the state is given back as it is.
        objective: Gives the network, and the data if the repair has none of its own.
        repair: How; ``Repair()`` by default.

    Returns:
        A plain state of the same names and types.

    Raises:
        UsageError: If t lies outside [0, 1], or nothing of the network can be repaired.
        NotTraceable: If the network cannot be traced.
    """
    return (repair or Repair()).between(a, b, objective)(state, t)


def midpoint(
    a: State, b: State, objective: Objective | None = None, *, repair: Repair | None = None
) -> State:
    """The state halfway between two, repaired if that is asked for.

    Args:
        a: A state.
        b: Another of the same network.
        objective: Gives the network; needed for a repair alone.
        repair: How to repair; not at all by default.

    Raises:
        StateMismatch: If the states differ in their tensors.
        UsageError: If a repair is asked for without an objective.
    """
    middle = states.lerp(a, b, 0.5)
    if repair is None:
        return middle
    if objective is None:
        raise UsageError(
            "A repair runs the network.", got="none", remedy="Give the objective as well."
        )
    return repaired(middle, a, b, 0.5, objective, repair)
