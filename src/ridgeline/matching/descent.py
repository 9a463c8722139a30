"""Coordinate descent over the orders of groups, from where a search has come to."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from torch import Tensor

from ridgeline.matching.blocks import improve
from ridgeline.matching.overlap import Overlap
from ridgeline.rng import seed_of
from ridgeline.symmetry import Symmetry, Transform
from ridgeline.symmetry.frame import Orders, compose, framed

__all__ = ["descend", "descended"]


def descend(
    overlap: Overlap, start: Orders, draws: np.random.Generator, tolerance: float, sweeps: int
) -> Iterator[tuple[Orders, float]]:
    """Coordinate descent: the orders after each sweep, and by how much the overlap grew.

    Args:
        overlap: Of two states.
        start: Orders of every group, in the frame.
        draws: Of the order of groups within a sweep.
        tolerance: Growth that counts as none; see `improve`.
        sweeps: The most there are.

    Yields:
        Until every group was solved since its neighbours last moved.
    """
    names = [name for name in overlap.groups if _matters(overlap, name)]
    near = {name: overlap.neighbours(name) for name in names}
    solved: dict[str, tuple[object, ...]] = {}
    orders = start
    for _ in range(sweeps):
        total, moved = 0.0, False
        for i in draws.permutation(len(names)):
            name = names[i]
            known = tuple(orders[n] for n in near[name])
            if name in solved and all(x is y for x, y in zip(solved[name], known, strict=True)):
                continue
            solved[name] = known
            orders, grown = improve(overlap, name, orders, tolerance)
            total, moved = total + grown, moved or grown > 0
        yield orders, total
        if not moved:
            return


def descended(
    a: Mapping[str, Tensor],
    b: Mapping[str, Tensor],
    symmetry: Symmetry,
    starts: Iterable[Transform],
    seed: int,
) -> Transform:
    """The element nearest to a among where descents lead, from given starts and from the identity.

    Args:
        a: A state.
        b: Another.
        symmetry: Of both.
        starts: Where others have ended.
        seed: Of the order of groups.
    """
    overlap = Overlap(a, b, symmetry)
    best, most = overlap.identities(), overlap.value(overlap.identities())
    for k, start in enumerate((symmetry.identity(), *starts)):
        draws = np.random.default_rng(seed_of(seed, "descent", k))
        found = framed(start, symmetry)
        for orders, _ in descend(overlap, found, draws, 1e-7, 100):
            found = orders
        if (reached := overlap.value(found)) > most:
            best, most = found, reached
    return compose(best, symmetry)


def _matters(overlap: Overlap, name: str) -> bool:
    return any(overlap.of[n] for n in (name, *overlap.below(name)))
