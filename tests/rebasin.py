"""Git Re-Basin's weight matching as it is written, slow and obvious."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from ridgeline import state as states


def algorithm(a, b, symmetry, draws):
    """Algorithm 1 as it is written: every layer in every sweep, everything anew; its overlap."""
    orders = {g.name: np.arange(g.size) for g in symmetry.groups}
    moved = True
    while moved:
        moved = False
        for i in draws.permutation(len(symmetry.groups)):
            group = symmetry.groups[i]
            rest = {n: o[None] for n, o in orders.items() if n != group.name}
            carried = symmetry.transform(rest)(b)
            gains = np.zeros((group.size, group.size))
            for place in group.places:
                if not states.is_statistic(place.tensor):
                    mine, theirs = (
                        place.units(a[place.tensor])[0],
                        place.units(carried[place.tensor])[0],
                    )
                    gains += (mine @ theirs.T).numpy()
            found = linear_sum_assignment(gains, maximize=True)[1]
            rows = np.arange(group.size)
            if gains[rows, found].sum() > gains[rows, orders[group.name]].sum() + 1e-9:
                orders[group.name], moved = found, True
    carried = symmetry.transform({n: o[None] for n, o in orders.items()})(b)
    held = {p.tensor for g in symmetry.groups for p in g.places}
    names = [n for n in held if not states.is_statistic(n)]
    return states.dot(a, carried, names=names)
