"""Maps found pair by pair, and how far they are from agreeing with each other around cycles."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations

import numpy as np
from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.matching.align import align
from ridgeline.matching.contract import Strategy
from ridgeline.symmetry import Symmetry, Transform
from ridgeline.symmetry.stacking import orders_of

__all__ = ["CycleError", "cycle_error", "pairwise"]


@dataclass(frozen=True, eq=False)
class CycleError:
    """Distance of maps around cycles of three from the identity."""

    mean: float
    """Of ``|P_ab P_bc P_ca - I|``, Frobenius over all groups, over cycles."""
    largest: float
    moved: float
    """The share of units that do not come back to their place, over cycles and groups."""
    cycles: Mapping[tuple[int, int, int], float] = field(default_factory=dict)
    """Each cycle's own."""


def cycle_error(
    maps: Mapping[tuple[int, int], Transform],
    symmetry: Symmetry,
    *,
    cycles: Iterable[tuple[int, int, int]] | None = None,
) -> CycleError:
    """Distance of pairwise maps from composing (Crisostomi et al. 2024; memory, not checked).

    Args:
        maps: At ``(a, b)`` what carries network b to network a.
        symmetry: Whose elements they are.
        cycles: Of three networks; by default all whose maps are given, starting at the smallest.

    Returns:
        Zero everywhere if every cycle composes to the identity.

    Raises:
        UsageError: If there is no cycle, or a map of one is missing.
    """
    if cycles is None:
        members = sorted({i for pair in maps for i in pair})
        around = ((a, b, c) for a, b, c in permutations(members, 3) if a < min(b, c))
        cycles = [(a, b, c) for a, b, c in around if {(a, b), (b, c), (c, a)} <= set(maps)]
    found: dict[tuple[int, int, int], float] = {}
    moved, units = 0, 0
    for a, b, c in cycles:
        if missing := [pair for pair in ((a, b), (b, c), (c, a)) if pair not in maps]:
            raise UsageError("Every map of a cycle is given.", got=f"no map {missing[0]}")
        orders = orders_of(maps[a, b] @ maps[b, c] @ maps[c, a], symmetry)
        astray = sum(int((o != np.arange(o.shape[1])).sum()) for o in orders.values())
        found[a, b, c] = (2 * astray) ** 0.5
        moved, units = moved + astray, units + sum(o.size for o in orders.values())
    if not found:
        raise UsageError(
            "A cycle is of three networks.",
            got=f"{len(maps)} maps without a cycle",
            remedy="Give the maps of all ordered pairs: `pairwise` does.",
        )
    values = list(found.values())
    return CycleError(sum(values) / len(values), max(values), moved / max(units, 1), found)


def pairwise(
    given: Sequence[Mapping[str, Tensor]],
    symmetry: Symmetry,
    *,
    by: Strategy | None = None,
    seed: int = 0,
) -> dict[tuple[int, int], Transform]:
    """Maps of all ordered pairs, each pair matched on its own, the way back being the inverse.

    Args:
        given: States of one network.
        symmetry: The permutations allowed.
        by: The strategy for a pair; weight matching by default.
        seed: Of whatever the strategy draws.

    Returns:
        At ``(a, b)`` what carries b to a.

    Raises:
        UsageError: If the strategy mixes units, and so gives no transform.
    """
    maps: dict[tuple[int, int], Transform] = {}
    for a in range(len(given)):
        for b in range(a + 1, len(given)):
            found = align(given[a], given[b], symmetry, by=by, seed=seed).transform
            if found is None:
                raise UsageError(
                    "Maps between networks are transforms.", got=f"{type(by).__name__}, that mixes"
                )
            maps[a, b], maps[b, a] = found, found.inverse()
    return maps
