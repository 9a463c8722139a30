"""Tensors one axis of which is another one at each position, or run of positions, of another.

A weight has a row of units along each axis, as a rule: its columns are the same for all rows. So
are not those of a grouped convolution, of a stack of matrices, of projections that are laid
under each other and read different streams, and of gains that each head has for its channels.
"""

from collections.abc import Iterable, Sequence, Set

import numpy as np
import torch
from torch import fx

from ridgeline.graph import Trace, operation
from ridgeline.symmetry.labels import Value
from ridgeline.symmetry.moves import moved, pointwise
from ridgeline.symmetry.reach import of_state
from ridgeline.symmetry.units import Labels, Units, coordinates

__all__ = ["by_position", "by_run", "cut_into", "uneven"]

CUTS = {
    *("split", "split_with_sizes", "chunk", "unbind", "tensor_split", "unsafe_split"),
    *("slice", "narrow", "select"),
}
"""Operations that cut a weight along an axis."""

RUNS = 16
"""Into how many runs rows are cut at most."""

LARGE = 1 << 18
"""Numbers of a tensor above which it has no units at each position."""


def by_position(
    units: Units, name: str, shape: Sequence[int], across: int, rows: Labels, why: str
) -> tuple[Labels, ...]:
    """Layers of a tensor whose other axes have units of their own at each position of one.

    Args:
        units: All units.
        name: Of the tensor.
        shape: Its shape.
        across: The axis at each of whose positions the others are other ones.
        rows: Units along it.
        why: What to say of units that are fixed.
    """
    layers = [rows.reshape([-1 if k == across else 1 for k in range(len(shape))])]
    where = np.arange(shape[across])[:, None]
    for axis, size in enumerate(shape):
        if axis == across or size == 1:
            continue
        made = units.of_blocks(name, axis, size, where, across)
        if len(rows) > 1:
            units.relate(made, rows[:, None], why)
        laid = made if across < axis else made.T
        layers.append(laid.reshape([n if k in (across, axis) else 1 for k, n in enumerate(shape)]))
    return tuple(f for f in layers if f.size > 1)


def by_run(
    units: Units, name: str, shape: Sequence[int], rows: Labels, runs: Sequence[np.ndarray]
) -> Value:
    """A matrix whose columns are others in each of several runs of its rows.

    The runs are in order: a row stays in its own.

    Args:
        units: All units.
        name: Of the matrix.
        shape: Its shape.
        rows: Units of its rows.
        runs: The rows of each run.
    """
    columns, order = units.of_blocks(name, 1, shape[1], runs), coordinates([len(runs)])
    run = np.repeat(np.arange(len(runs)), [len(r) for r in runs])
    units.relate(rows, order[run], "runs of a weight")
    units.relate(columns, order[:, None], "runs of a weight")
    return Value(tuple(shape), (rows[:, None], columns[run]))


def cut_into(node: fx.Node, shape: Sequence[int]) -> list[np.ndarray]:
    """The runs of rows into which all that use a matrix cut it; one if they do not.

    Args:
        node: Of the matrix.
        shape: Its shape.
    """
    whole = [np.arange(shape[0])] if shape else []
    if len(shape) != 2 or min(shape) < 2 or not node.users:
        return whole
    rows, ends = torch.arange(shape[0])[:, None].expand(*shape), {0}
    reached: set[int] = set()
    for user in node.users:
        if operation(user) not in CUTS or user.args[0] is not node or len(user.all_input_nodes) > 1:
            return whole
        made = moved(user, node, rows, {})
        for part in made if isinstance(made, (tuple, list)) else [made]:
            if part.ndim != 2 or part.shape[1] != shape[1] or not len(part):
                return whole
            ends |= {int(part[0, 0]), int(part[-1, 0]) + 1}
            reached.update(part[:, 0].tolist())
    if len(reached) < shape[0]:  # a table, of which a longer input takes more
        return whole
    runs = np.split(np.arange(shape[0]), sorted(ends - {0, shape[0]}))
    return runs if len(runs) <= RUNS else whole


def uneven(trace: Trace, constants: Iterable[fx.Node], units: Units, partly: Set[str]) -> list[str]:
    """Tensors with several axes of units that move, which meet others element by element only.

    Units along one of the axes may then be other ones at each position of another, as channels of
    a head are; walking through the trace tells.

    Args:
        trace: Of a network.
        constants: Nodes that depend on neither state nor data.
        units: As they were found with units along each axis.
        partly: Tensors of which the example does not reach all; what it does not reach would not
            move along.
    """
    moving: dict[str, int] = {}
    for owner in units.owners:
        labels = units.find(np.arange(owner.first, owner.first + len(owner.index)))
        if len(labels) > 1 and (labels > 0).any() and owner.within is None:
            moving[owner.tensor] = moving.get(owner.tensor, 0) + 1
    alone = of_state(trace, constants)
    return [
        name
        for name, node in trace.tensors.items()
        if moving.get(name, 0) > 1
        and name not in partly
        and node.meta["val"].numel() <= LARGE
        and _by_element(node, alone)
    ]


def _by_element(node: fx.Node, alone: set[fx.Node]) -> bool:
    """True if a tensor, and what is made of tensors alone, meets data element by element."""
    waiting, known = [node], {node}
    while waiting:
        for user in waiting.pop().users:
            if user in alone:
                waiting += [user] if user not in known else []
                known.add(user)
            elif not pointwise(user, operation(user)):
                return False
    return True
