"""A start for matching: groups solved one by one, by what is known in their turn.

At the identity all groups of two independent networks stand wrong, and the first to be solved
fits its units to noise: most of what they hold lies along axes of groups not yet solved. So
begin where something is known: tensors whose other axes are inputs, outputs or groups solved
already. The group that holds the largest share of its weight in such tensors goes first. Each
group then is solved once, by those tensors alone [derived; Singh & Jaggi (2020) go layer by layer
from the inputs in the same spirit].
"""

from collections.abc import Collection

import numpy as np

from ridgeline import state as states
from ridgeline.matching.blocks import solve
from ridgeline.matching.overlap import Overlap
from ridgeline.symmetry.frame import Orders

__all__ = ["outer_groups", "outward", "renewed"]


def outward(overlap: Overlap, draws: np.random.Generator | None = None) -> Orders:
    """Orders built up from what is known.

    Args:
        overlap: Of two states.
        draws: Take groups in random order instead, likelier the more is known of them.

    Returns:
        Of every group, in the frame; groups of which nothing is ever known stay as they are.
    """
    return renewed(overlap, overlap.identities(), outer_groups(overlap), draws)


def outer_groups(overlap: Overlap) -> list[str]:
    """Groups that stand in no other."""
    return [n for n, g in overlap.groups.items() if g.inside not in overlap.groups]


def renewed(
    overlap: Overlap,
    orders: Orders,
    forgotten: Collection[str],
    draws: np.random.Generator | None = None,
) -> Orders:
    """Orders of which some groups are built up anew, by what is known without them.

    Args:
        overlap: Of two states.
        orders: Of every group, in the frame.
        forgotten: Groups that stand in no other, to be solved again with what is inside of them.
        draws: Take them in random order; see `outward`.
    """
    size = {n: states.dot(overlap.a, overlap.a, names=[n]) for n in overlap.a}
    whole = {n: {n, *overlap.below(n)} for n in outer_groups(overlap)}
    holds = {n: {t for m in b for t in overlap.tensors(m)} for n, b in whole.items()}
    solved = {m for n, b in whole.items() if n not in forgotten for m in b}
    blocks = {n: b for n, b in whole.items() if n in forgotten}
    while blocks:
        known = {n: _known(overlap, holds[n], solved, b) for n, b in blocks.items()}
        shares = {n: _share(known[n], holds[n], size) for n in blocks}
        name = _choose(shares, draws)
        if known[name]:
            orders = solve(overlap, name, orders, known[name])
        solved |= blocks.pop(name)
    return orders


def _known(overlap: Overlap, held: set[str], solved: set[str], block: set[str]) -> set[str]:
    """Tensors of a block that depend on no group which is neither solved nor in the block.

    Those in which a group of the block stands twice do, on that group itself.
    """
    found = set()
    for tensor in held:
        names = [s.group for s in overlap.stands[tensor]]
        twice = any(names.count(n) > 1 for n in block)
        if not twice and all(n in solved or n in block for n in names):
            found.add(tensor)
    return found


def _share(known: set[str], held: set[str], size: dict[str, float]) -> float:
    whole = sum(size[t] for t in held)
    return sum(size[t] for t in known) / whole if whole else 0.0


def _choose(shares: dict[str, float], draws: np.random.Generator | None) -> str:
    names = list(shares)
    weights = np.array([shares[n] for n in names])
    if draws is None or not weights.sum():
        return names[int(np.argmax(weights))]
    return names[int(draws.choice(len(names), p=weights / weights.sum()))]
