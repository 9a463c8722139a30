"""Linear assignment: which unit of b stands where each unit of a stands."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from ridgeline.symmetry import Order

__all__ = ["assign", "assign_all", "value"]

TIE = 1e-7
"""Share of the gains themselves within which two orders count as equal: float32's rounding."""


def assign(gain: np.ndarray, current: Order | None = None) -> Order:
    """The order that gains most, fibre by fibre.

    Args:
        gain: Shape (fibres, size, size): what unit j of b gains in the place of unit i of a.
        current: What ties are broken towards: units that are equal stay where they are. What
            counts as equal is told by the gains of those units alone, so that one unit of large
            weights holds no other in its place.

    Returns:
        Order of shape (fibres, size): ``order[f, i]`` is the j chosen for i.
    """
    found = np.empty(gain.shape[:2], np.int64)
    for f, one in enumerate(gain):
        wide = np.asarray(one, np.float64)
        if current is None or not wide.size:
            found[f] = _solved(-wide)
            continue
        cost, rows = -wide, np.arange(len(wide))
        # Each cell of the current order is raised by its own rounding, so that the solver finds
        # it among equals; where the cells are zero the cycles below undo what was for nothing.
        cost[rows, current[f]] -= TIE * np.abs(wide[rows, current[f]])
        found[f] = _settled(wide, _solved(cost), current[f])
    return found


def assign_all(gains: np.ndarray) -> np.ndarray:
    """The best order of each of many small problems; which of equal orders does not matter.

    Args:
        gains: Shape (problems, size, size).

    Returns:
        Shape (problems, size).
    """
    cost = -gains.astype(np.float64)
    cost -= cost.min(2, keepdims=True)
    cost -= cost.min(1, keepdims=True)
    found = cost.argmin(2)
    # Where every row has its least in another column, that is the best order.
    clash = (np.sort(found, 1) != np.arange(found.shape[1])).any(1)
    for i in np.flatnonzero(clash):
        found[i] = linear_sum_assignment(cost[i])[1]
    return found


def _solved(cost: np.ndarray) -> np.ndarray:
    """The column of least cost for each row; the cost is overwritten."""
    # Any number may be taken from a row or a column: the best assignment stays the best.
    # The solver grows one path per row through cells whose cost is least, and finds it
    # sooner where rows and columns have zeros: 1.4 times at 512 units. Potentials from
    # the current order (rounds of Bellman and Ford) were measured and cost more than they save.
    cost -= cost.min(1, keepdims=True)
    cost -= cost.min(0, keepdims=True)
    return linear_sum_assignment(cost)[1]


def _settled(gain: np.ndarray, found: np.ndarray, current: np.ndarray) -> np.ndarray:
    """The found order, without those of its moves that gain nothing.

    Two orders differ by cycles of units that change places. Each cycle gains on its own, and one
    that gains less than the rounding of its own cells is left out.
    """
    found, row_of = found.copy(), np.argsort(current)
    waiting = set(np.flatnonzero(found != current).tolist())
    while waiting:
        cycle = [waiting.pop()]
        while (after := int(row_of[found[cycle[-1]]])) != cycle[0]:
            cycle.append(after)
            waiting.discard(after)
        new, old = gain[cycle, found[cycle]], gain[cycle, current[cycle]]
        if new.sum() - old.sum() <= TIE * max(np.abs(new).max(), np.abs(old).max()):
            found[cycle] = current[cycle]
    return found


def value(gain: np.ndarray, order: Order) -> float:
    """Return what an order gains, summed in float64.

    Args:
        gain: Shape (fibres, size, size).
        order: Shape (fibres, size).
    """
    return float(np.take_along_axis(gain, order[:, :, None], 2).sum(dtype=np.float64))
