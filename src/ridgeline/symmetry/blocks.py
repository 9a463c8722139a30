"""Blocks that change places: what stands in the one must stand in the other, or move along."""

import numpy as np

from ridgeline.symmetry.orbits import Family, Kinds
from ridgeline.symmetry.units import Owner, Units

__all__ = ["blocks_follow"]


def blocks_follow(family: Family, units: Units, kinds: Kinds) -> bool:
    """True if blocks of a weight that change places are of the same units, or carry theirs along.

    The columns of a stack of matrices are units of their own in each matrix. If two matrices
    change places, column k of the one comes to where column k of the other was: it must be of the
    same unit, or of one that is moved there.

    Args:
        family: Units that may change places.
        units: All units.
        kinds: Their positions.
    """
    confined = [o for o in units.owners if o.within is not None]
    roots = units.everything if confined else np.zeros(0, np.int64)  # looked up for all of them
    for owner in confined:
        assert owner.within is not None
        _, block, where = owner.within
        table = roots[owner.first : owner.first + len(block)].reshape(len(where), -1)
        blocks = np.full(max(int(rows.max()) for rows in where) + 1, -1)
        for b, rows in enumerate(where):
            blocks[rows] = b
        for fibre in family.fibres:
            if not _blocks(fibre[0], owner, blocks, units, kinds):
                break
            held = [_blocks(unit, owner, blocks, units, kinds) for unit in fibre]
            for unit, mine in zip(fibre[1:], held[1:], strict=True):
                if len(mine) != len(held[0]):
                    return False
                image = dict(zip((*fibre[0], *unit), (*unit, *fibre[0]), strict=True))
                for b, c in zip(held[0], mine, strict=True):
                    carried = [image.get(u, u) for u in table[b].tolist()]
                    if b != c and carried != table[c].tolist():
                        return False
    return True


def _blocks(
    unit: tuple[int, ...], owner: Owner, blocks: np.ndarray, units: Units, kinds: Kinds
) -> list[int]:
    """The blocks that a unit, with what it carries, moves as a whole, in order."""
    found: dict[int, None] = {}
    across = owner.within[0] if owner.within is not None else 0
    of, index, _ = kinds.rows
    for x in unit:
        span = kinds.spans.get(x, slice(0, 0))
        for k in range(span.start, span.stop):
            other = units.owners[of[k]]
            if other.tensor == owner.tensor and other.axis == across and other.within is None:
                b = int(blocks[index[k]]) if index[k] < len(blocks) else -1
                if b >= 0:
                    found[b] = None
    return list(found)
