"""Parts that are cut out of a value: units that are taken are told from those that are not."""

import numpy as np

from ridgeline.symmetry.units import NOTHING, Labels, Units, coordinates

__all__ = ["cut"]


def cut(units: Units, before: Labels, after: Labels, why: str) -> None:
    """Tell units apart by how often an operation that moves elements has taken each.

    Half of the channels may go through a sine and the other half through a tanh: the halves are
    not the same, though nothing that comes later meets both. Whatever units of the value stand
    inside of is told apart in turn, by what of it was taken.

    Args:
        units: All units.
        before: A layer of labels.
        after: The same after the operation.
        why: What to say of a unit that is taken out alone.
    """
    if int(before.max()) <= NOTHING:
        return
    labels, count = np.unique(units.find(before), return_counts=True)
    left, taken = np.unique(units.find(after), return_counts=True)
    times = np.zeros(len(labels))
    known = np.isin(left, labels)
    times[np.searchsorted(labels, left[known])] = taken[known]
    share = np.unique(times / count, return_inverse=True)[1].ravel()
    inside = labels > NOTHING
    _told(units, labels[inside], share[inside], why)


def _told(units: Units, labels: Labels, kind: Labels, why: str) -> None:
    """Tell units of several kinds apart, and all that they stand inside of."""
    waiting, done = [(labels, kind)], set()
    while waiting:
        labels, kind = waiting.pop()
        key = (labels.tobytes(), kind.tobytes())
        if len(np.unique(kind)) < 2 or key in done:
            continue
        done.add(key)
        waiting += _outside(units, labels, kind)
        if key in units.told:
            continue
        units.told.add(key)
        units.relate(labels, coordinates([int(kind.max()) + 1])[kind], why)
        for one in np.unique(kind):
            if (kind == one).sum() == 1:
                units.fix(labels[kind == one], why)


def _outside(units: Units, labels: Labels, kind: Labels) -> list[tuple[Labels, Labels]]:
    """Return what units stand inside of, by relation, and the kind of each by what stands in it."""
    if not units.held:
        return []
    inner, outer = (units.find(np.concatenate(side)) for side in zip(*units.held, strict=True))
    relation = np.repeat(np.arange(len(units.held)), [len(x) for x, _ in units.held])
    meets = np.isin(inner, labels) & (outer > NOTHING)
    rows = np.unique(np.stack([relation, outer, inner])[:, meets], axis=1)
    found = []
    for part in np.unique(rows[0]):
        _, outers, inners = rows[:, rows[0] == part]
        kinds = kind[np.searchsorted(labels, inners)]
        apart, at = np.unique(outers, return_inverse=True)
        table = np.zeros((len(apart), int(kind.max()) + 1), np.int64)
        np.add.at(table, (at.ravel(), kinds), 1)
        found.append((apart, np.unique(table, axis=0, return_inverse=True)[1].ravel()))
    return found
