"""Orders by which a proof turns units: through all units of every fibre, and told apart by sets.

[derived] The permutations of a fibre that leave a function unchanged are a subgroup of all of its
permutations. It is all of them if it holds a cycle through all n units and that cycle with two
neighbours in it exchanged, because these two generate every permutation; a proof turns by the one
and then by the other. Several fibres at once are turned by cycles that are drawn apart: what holds
only of all of them together, turned alike, does not pass, but by the chance that (n - 1)! cycles
give. Where that is large, sets of fibres are turned without the others, such that of any two there
is a set with one of them alone.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from ridgeline.rng import seed_of
from ridgeline.symmetry.exchange import Exchange
from ridgeline.symmetry.group import Group, Order

__all__ = ["cycles", "sets"]

SMALL = 6
"""Units of a fibre up to which two that are drawn apart may be turned alike by chance: the cycles
of seven and their second elements agree once in 5040 draws."""


def cycles(group: Group | Exchange, seed: int) -> tuple[Order, Order]:
    """Two permutations of each fibre that together generate all of its permutations.

    Args:
        group: The group, or the exchange.
        seed: Of the stream ``turns``, one for each group.

    Returns:
        Of shape (fibres, size): cycles through all units of each fibre, and the same with two
        neighbours exchanged (of two units, which have one other order, the same again).
    """
    draws = np.random.default_rng(seed_of(seed, "turns", group.name))
    path = draws.permuted(group.identity(), axis=1)
    first = np.empty_like(path)
    np.put_along_axis(first, path, np.roll(path, -1, axis=1), axis=1)
    if group.size < 3:
        return first, first
    second = first.copy()
    rows = np.arange(group.fibres)
    one, other = path[:, 0], path[:, 1]
    second[rows, one], second[rows, other] = first[rows, other], first[rows, one]
    return first, second


def sets(fibres: Mapping[str, int], *, most: int | None = None) -> Iterator[dict[str, np.ndarray]]:
    """Sets of fibres, such that any two are told apart by a set that holds one of them.

    Args:
        fibres: Name of a generator to the number of its fibres, of those that are told apart.
        most: At most so many sets; by default as many as it takes.

    Yields:
        Name to which of the fibres are in the set; those without one are left out.
    """
    every = [(name, f) for name, count in fibres.items() for f in range(count)]
    needed = (len(every) - 1).bit_length() if every else 0
    for bit in range(needed if most is None else min(needed, most)):
        chosen: dict[str, np.ndarray] = {}
        for k, (name, f) in enumerate(every):
            if k >> bit & 1:
                chosen.setdefault(name, np.zeros(fibres[name], bool))[f] = True
        yield chosen
