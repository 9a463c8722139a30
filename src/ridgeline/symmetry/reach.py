"""Elements of a state that the example reaches: a longer one may reach further.

Of a table of positions a network takes as many rows as the example has tokens. The others could
change places without any change at this example, and the proof would not see it.
"""

import math
import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, fx

from ridgeline.graph import Trace, arguments, operation
from ridgeline.symmetry.moves import KEEPS, MOVES, moved, pointwise

__all__ = ["of_state", "unreached"]

Need = Any
"""Elements of a value that something is computed of: True of all, a mask, or by part."""


def unreached(
    trace: Trace, constants: Mapping[fx.Node, Any]
) -> Iterator[tuple[str, int, list[int]]]:
    """Positions of a state's tensors of which no use takes anything.

    Followed back from where tensors of the state first meet data, through what was made of them
    alone; what cannot be followed takes all.

    Args:
        trace: Of the network.
        constants: Values that depend on neither state nor data.

    Yields:
        The tensor's name, the axis, and the positions.
    """
    own = of_state(trace, constants)
    needs: dict[fx.Node, Need] = {}
    for node in reversed(list(trace.graph.nodes)):
        sources = [n for n in node.all_input_nodes if n in own]
        mine = needs.get(node) if node in own else True
        if sources and mine is not None:
            asked = _asked(node, sources, mine, constants) if node in own else None
            for n in sources:
                needs[n] = _either(needs.get(n), True if asked is None else asked[n])
    for name, node in trace.tensors.items():
        need = needs.get(node)
        if isinstance(need, Tensor):
            for axis, size in enumerate(need.shape):
                others = [k for k in range(need.ndim) if k != axis]
                left = ~(need.any(others) if others else need)
                if size > 1 and bool(left.any()):
                    yield name, axis, torch.nonzero(left).ravel().tolist()


def of_state(trace: Trace, constants: Iterable[fx.Node]) -> set[fx.Node]:
    """Tensors of the state, and what is made of them and of constants alone."""
    own = set(trace.tensors.values())
    for node in trace.graph.nodes:
        given = node.all_input_nodes
        known = all(n in own or n in constants for n in given)
        if known and node.op == "call_function" and any(n in own for n in given):
            own.add(node)
    return own


def _asked(
    node: fx.Node, sources: list[fx.Node], mine: Need, constants: Mapping[fx.Node, Any]
) -> dict[fx.Node, Need]:
    """Return what an operation takes of each tensor, for what is taken of its result."""
    name, source = operation(node), sources[0]
    if node.target is operator.getitem:
        return {source: {int(node.args[1]): mine}}  # type: ignore[arg-type]  # a number
    if pointwise(node, name):
        return {n: mine if mine is True else _narrowed(mine, n) for n in sources}
    if name in ("cat", "concat", "concatenate") and mine is not True:
        return _parts(node, mine)
    all_of_each = dict.fromkeys(sources, True)
    rest = [n for n in node.all_input_nodes if n is not source]
    if (name in MOVES or name == "index") and node.args[0] is source:
        if mine is True and name in KEEPS:
            return all_of_each
        if all(n in constants for n in rest):
            return {source: _taken(node, source, mine, constants)}
    return all_of_each


def _either(one: Need, other: Need) -> Need:
    if one is None or other is True:
        return other
    if one is True:
        return True
    if isinstance(one, dict):
        return {k: _either(one.get(k), other.get(k, one.get(k))) for k in {*one, *other}}
    return one | other


def _narrowed(mask: Tensor, node: fx.Node) -> Tensor:
    """A mask of what was broadcast, before it was."""
    shape = tuple(node.meta["val"].shape)
    mask = mask.reshape(-1, *mask.shape[mask.ndim - len(shape) :]).any(0)
    for axis, size in enumerate(shape):
        mask = mask.any(axis, keepdim=True) if size == 1 else mask
    return mask


def _parts(node: fx.Node, mask: Tensor) -> dict[fx.Node, Need]:
    given = arguments(node)
    dim, at = given.get("dim", 0), 0
    found: dict[fx.Node, Need] = {}
    for n in given["tensors"]:
        size = n.meta["val"].shape[dim]
        found[n] = _either(found.get(n), mask.narrow(dim, at, size))
        at += size
    return found


def _taken(node: fx.Node, source: fx.Node, mine: Need, constants: Mapping[fx.Node, Any]) -> Need:
    """The elements that an operation that moves them takes: found by moving their numbers."""
    shape = tuple(source.meta["val"].shape)
    size = math.prod(shape)
    kind = torch.int32 if size < 1 << 31 else torch.int64
    made = moved(node, source, torch.arange(1, size + 1, dtype=kind).reshape(shape), constants)
    mask = torch.zeros(size + 1, dtype=torch.bool)  # the first: what is padded
    for k, part in enumerate(made if isinstance(made, (tuple, list)) else [made]):
        need = mine.get(k) if isinstance(mine, dict) else mine
        if need is not None:
            mask[(part.ravel() if need is True else part[need]).long()] = True
    return True if bool(mask[1:].all()) else mask[1:].reshape(shape)
