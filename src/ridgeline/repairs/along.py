"""Repair along a path, and of single states."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.objective import Objective
from ridgeline.paths import Combination, Path
from ridgeline.repairs.corrections import Corrected, Correction, overrides
from ridgeline.repairs.repair import Repair
from ridgeline.state import State

__all__ = ["along", "check_one_network", "midpoint", "repaired", "repaired_among"]


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
    corrections = _completed(corrections, combination, objective)
    found = overrides(combination, corrections, objective.dtype, objective.device)
    return found, repairer.provenance() | {"constant": _constant(corrections)}


def _constant(corrections: Sequence[Correction]) -> dict[str, list[int]]:
    """Weight to the channels that vary at the ends, and at some position do not: left as they are.

    No factor makes a constant channel vary.
    """
    found: dict[str, set[int]] = {}
    for layer in (layer for c in corrections for layer in c.layers if layer.constant):
        found.setdefault(layer.site.weight, set()).update(layer.constant)
    return {name: sorted(channels) for name, channels in found.items()}


def check_one_network(repair: Repair, objectives: Mapping[str, Objective]) -> None:
    """Refuse a repair that each split would shape by its own samples.

    Args:
        repair: How.
        objectives: By split.

    Raises:
        UsageError: If there are several, the repair has no data of its own, and the objectives
            were not given the same data to calibrate on.
    """
    if repair.data is not None or len(objectives) < 2:
        return
    given = [goal.calibration_data for goal in objectives.values()]
    names = {None if x is None else x.fingerprint() for x in given}
    if len(names) > 1 or None in names:
        raise UsageError(
            "All splits are measured on one repaired network, so that a repair takes its "
            "statistics on one set of data.",
            got=f"splits {', '.join(objectives)} and a repair without data",
            remedy="Name it: `Repair(data=...)`, of the training data as a rule.",
        )


def _completed(
    corrections: Sequence[Correction], combination: Combination, objective: Objective
) -> list[Correction]:
    """Corrections that set the same statistics at all positions.

    The engine takes what a repair sets at every position. Where nothing is corrected, at the ends,
    the statistics are those of the objective's policy.
    """
    names = {name for c in corrections for name in c.statistics}
    found = []
    for k, correction in enumerate(corrections):
        policy: dict[str, Tensor] = {}
        if names - set(correction.statistics):
            tensors = objective.tensors(combination.state(k))
            with objective.computing():
                policy = objective.recomputed(tensors)
        kept = {name: x for name, x in policy.items() if name in names}
        found.append(replace(correction, statistics={**kept, **correction.statistics}))
    return found


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


def repaired_among(
    state: State,
    ends: Sequence[State],
    shares: Sequence[float],
    objective: Objective,
    repair: Repair | None = None,
) -> State:
    """A merge of several states with the statistics of its layers set to their mean.

    Args:
        state: The merge.
        ends: What it was merged of, aligned to each other if they are to be.
        shares: How much each counts; positive ones are divided by their sum. With a single one
            that is not zero the state is given back as it is.
        objective: Gives the network, and the data if the repair has none of its own.
        repair: How; ``Repair()`` by default.

    Returns:
        A plain state of the same names and types.

    Raises:
        UsageError: If there is not one share for each end, or nothing can be repaired.
        NotTraceable: If the network cannot be traced.
    """
    return (repair or Repair()).among(ends, objective)(state, shares)


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
