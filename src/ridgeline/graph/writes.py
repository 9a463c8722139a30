"""Operations that write, and what they would give if they did not."""

from typing import Any

import torch
from torch import Tensor, fx

from ridgeline.graph.memory import layout, shared
from ridgeline.graph.operations import compute, insert, operation
from ridgeline.graph.parts import RESHAPES

__all__ = ["give", "only_first", "recompute", "twin_of", "view_of"]

aten = torch.ops.aten


def only_first(node: fx.Node) -> bool:
    """True if an operation writes to its first argument alone."""
    given = node.target._schema.arguments  # type: ignore[union-attr]  # of aten
    return [k for k, a in enumerate(given) if a.alias_info and a.alias_info.is_write] == [0]


def twin_of(name: str) -> Any:
    """The operation that returns what another one writes, in all its overloads."""
    return getattr(aten, name.removesuffix("_"), None) if name.endswith("_") else None


def view_of(target: Any) -> Any:
    """Return the overload that gives as a view what another one makes of its argument in place.

    It takes arguments of the same types, and may be named otherwise: ``transpose_.default`` is
    ``transpose.int``.

    Args:
        target: An overload of an in-place operation of aten, such as ``t_``.
    """
    twin = twin_of(target._schema.name.partition("::")[2])
    taken = [str(a.type) for a in target._schema.arguments]
    overloads = (getattr(twin, name) for name in twin.overloads())
    return next(o for o in overloads if [str(a.type) for a in o._schema.arguments] == taken)


def recompute(node: fx.Node, read: tuple[Any, ...] | None) -> None:
    """Say what a node gives, of an input that may lie in memory otherwise than it was traced.

    Args:
        node: Changed.
        read: How what it takes must lie in memory; any way, if none.
    """
    val = node.meta.get("val")
    if isinstance(val, Tensor) and any(not isinstance(n, int) for n in val.shape):
        return  # a size that depends on values would be given another name
    if read is not None and layout(node.args[0].meta["val"]) != read:  # type: ignore[union-attr]  # a node
        raise shared(operation(node))
    try:
        compute(node)
    except (RuntimeError, ValueError) as error:
        if operation(node) not in RESHAPES or not isinstance(val, Tensor):
            raise shared(operation(node)) from error
        # Elements lie in another order than a view can take.
        node.target, node.kwargs = aten.reshape.default, {}
        node.args = (node.args[0], [*val.shape])
        compute(node)


def give(graph: fx.Graph, node: fx.Node) -> fx.Node:
    """Let a node give exactly what would be written; its last node."""
    val, source = node.args[0].meta["val"], node.args[1] if len(node.args) > 1 else None  # type: ignore[union-attr]  # a node
    if node.target is aten.copy.default and isinstance(source, fx.Node):
        given = source.meta["val"]
        if (given.dtype, given.device) == (val.dtype, val.device):
            node.target, node.args, node.kwargs = aten.expand.default, (source, [*val.shape]), {}
    compute(node)
    made = node
    if made.meta["val"].dtype != val.dtype:  # as of a comparison, or of a sum with a wider tensor
        made = insert(graph, aten.to.dtype, made, val.dtype, after=made)
    if made.meta["val"].shape != val.shape:
        raise shared(operation(node))
    return made
