"""Units that stand inside of two things: these have to do with each other, too."""

import numpy as np

from ridgeline.symmetry.units import FIXED, Labels, Units

__all__ = ["settle"]


def settle(units: Units) -> None:
    """Follow what stands inside of two things: these have to do with each other, too.

    If a channel's head in one operation tells its head in another, and the other way round,
    the two heads are one unit. What has met once is not related again: each time would make
    other blocks of several grids, such as those of key-value heads, and the last of them would
    meet none of the others.
    """
    known: set[bytes] = set()
    for _ in range(4):
        before, count = units.size, len(units.held)
        for outer, other in _meetings(units):
            met = np.unique(units.find(np.stack([outer, other])), axis=1).tobytes()
            if met not in known:
                known.add(met)
                units.relate(outer, other, "stands inside of two things that do not fit")
        if units.size == before and len(units.held) == count:
            break
    _hold_fast(units)


def _hold_fast(units: Units) -> None:
    """Fix what something fixed stands inside of: it may have been fixed later than it was held.

    A grouped convolution's channels may turn out to be the network's outputs; the groups that
    they stand in have then an order, too.
    """
    while True:
        fast: dict[str, list[Labels]] = {}
        for inner, outer in units.held:
            still, holds = units.find(inner), units.find(outer)
            for at in np.flatnonzero((still <= 0) & (holds > 0)):
                why = units.why.get(int(FIXED - still[at]), "holds what never moves")
                fast.setdefault(why, []).append(holds[at : at + 1])
        if not fast:
            return
        for why, labels in fast.items():
            units.fix(np.concatenate(labels), why)


def _meetings(units: Units) -> list[tuple[Labels, Labels]]:
    """Outer units of the same inner ones, for each two relations that share inner ones."""
    of: dict[int, dict[int, int]] = {}
    for relation, (inner, outer) in enumerate(units.held):
        pairs = zip(units.find(inner).tolist(), units.find(outer).tolist(), strict=True)
        for unit, one in pairs:
            if one > 0 and unit != one:
                of.setdefault(unit, {})[relation] = one
    rows: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for outers in of.values():
        distinct = {one: relation for relation, one in outers.items()}
        if len(distinct) > 1:
            listed = sorted((relation, one) for one, relation in distinct.items())
            for i, (r, one) in enumerate(listed):
                for s, other in listed[i + 1 :]:
                    rows.setdefault((r, s), []).append((one, other))
    return [(np.array(pairs)[:, 0], np.array(pairs)[:, 1]) for pairs in rows.values()]
