"""What an operation over neighbours, such as a convolution, leaves of labels along its axes."""

import numpy as np

from ridgeline.symmetry.units import NOTHING, Labels, Units, coordinates

__all__ = ["without_places"]

KINDS = 256
"""Places with labels of their own that are compared; with more, units are fixed."""


def without_places(units: Units, layer: Labels, first: int, why: str) -> list[Labels]:
    """Layers that tell all that one told, without the axes from `first` on.

    A row is what stands at all places of one channel. Channels that are the same at all places,
    or blank where they were padded, stay as they are: the border is no other for one than for
    another. Where a channel is one unit here and another one there, the two are joined. What
    fits neither is fixed; its rows are still told apart.

    Args:
        units: All units.
        layer: Labels that vary along the axes of neighbours.
        first: The first of these axes.
        why: What to say of units that are fixed.
    """
    shape = (*layer.shape[:first], *[1] * (layer.ndim - first))
    rows = layer.reshape(int(np.prod(shape)), -1)
    if len(rows) == 1:
        units.fix(rows, why)
        return []
    blank = rows == NOTHING
    if not _joined(units, rows, blank, why):
        units.fix(rows, why)
        return [_kinds(units.find(rows)).reshape(shape)]
    row = np.arange(len(rows))
    base = rows[row, blank.argmin(1)]  # NOTHING if the row is blank altogether
    some = ~blank.all(1)
    if (blank[some] == blank[some][:1]).all():
        return [base.reshape(shape)]
    border = _kinds(blank)
    units.relate(base[some], border[some], why)
    return [base.reshape(shape), border.reshape(shape)]


def _kinds(rows: np.ndarray) -> Labels:
    """Coordinates that are the same where rows are."""
    at = np.unique(rows, axis=0, return_inverse=True)[1].ravel()
    return coordinates([int(at.max()) + 1])[at]


def _joined(units: Units, rows: Labels, blank: np.ndarray, why: str) -> bool:
    """Join what stands in one row; whether each row is now one label, but for blanks."""
    if _single(units, rows, blank):
        return True
    if int(rows.max()) <= NOTHING:
        return False
    kinds = _columns(units.find(rows))
    if kinds.shape[1] > KINDS:
        return False
    whole = kinds[:, (kinds == NOTHING).sum(0).argmin()].copy()
    for kind in kinds.T:
        units.relate(whole, kind, why)
        whole = np.where(whole == NOTHING, kind, whole)
    return _single(units, rows, blank)


def _single(units: Units, rows: Labels, blank: np.ndarray) -> bool:
    found = units.find(rows)
    base = found[np.arange(len(found)), blank.argmin(1)]
    return bool((blank | (found == base[:, None])).all())


def _columns(rows: Labels) -> Labels:
    """The different columns of a table, by a sum that is another one for each: fast, if large."""
    weight = np.random.default_rng(0).integers(1, 1 << 62, len(rows), dtype=np.int64)
    with np.errstate(over="ignore"):
        key = (rows * weight[:, None]).sum(0)
    return rows[:, np.unique(key, return_index=True)[1]]
