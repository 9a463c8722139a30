"""A part of a value put back into the whole: what a view undoes."""

from typing import Any

import torch
from torch import fx

from ridgeline.graph.operations import arguments, insert, operation

__all__ = ["RESHAPES", "put_back"]

aten = torch.ops.aten

SCATTERS = {"slice": "slice_scatter", "select": "select_scatter", "diagonal": "diagonal_scatter"}
"""Views of a part, with what puts a part back."""

RESHAPES = {
    *("view", "reshape", "_unsafe_view", "_reshape_alias", "flatten", "unflatten", "view_as"),
    *("squeeze", "unsqueeze", "alias", "detach", "contiguous", "lift_fresh", "to", "expand_as"),
    *("dropout", "expand", "reshape_as", "type_as", "clone", "real", "ravel"),
    *("atleast_1d", "atleast_2d", "atleast_3d"),
}
"""Views whose elements, if there are as many, are those of the whole in the same order."""

TURNS = {"transpose", "t", "numpy_T", "mT", "swapaxes", "swapdims"}
"""Views that undo themselves."""


def put_back(graph: fx.Graph, part: fx.Node, parent: fx.Node, new: fx.Node) -> fx.Node | None:
    """Return what a value becomes of which a part is written to.

    Args:
        graph: Changed.
        part: The operation that takes the part, or one of several parts.
        parent: Holds the value before.
        new: Holds what the part becomes.

    Returns:
        A node that holds the value after, behind `new`; none if the operation cannot be undone.
    """
    name = operation(part)
    rest: list[Any] = list(part.args[1:])
    whole, given = parent.meta["val"], new.meta["val"]
    if given.dtype != whole.dtype:  # bits seen as another type, or parts of complex numbers
        return None
    if name == "getitem":
        return _one_of_several(graph, part, parent, new)
    if name in SCATTERS:
        target = getattr(aten, SCATTERS[name]).default
        return insert(graph, target, parent, new, *rest, after=new, **part.kwargs)
    if name == "narrow" and all(isinstance(n, int) for n in rest):
        dim, start, length = rest
        start += whole.shape[dim] if start < 0 else 0
        target = aten.slice_scatter.default
        return insert(graph, target, parent, new, dim, start, start + length, after=new)
    if name in TURNS:
        return insert(graph, part.target, new, *rest, after=new)
    if name in ("movedim", "moveaxis"):
        return insert(graph, part.target, new, rest[1], rest[0], after=new)
    if name == "permute":
        dims = rest[0]
        order = sorted(range(len(dims)), key=lambda k: dims[k] % len(dims))
        return insert(graph, part.target, new, order, after=new)
    if name in RESHAPES and given.numel() == whole.numel():
        return insert(graph, aten.reshape.default, new, [*whole.shape], after=new)
    return None


def _one_of_several(
    graph: fx.Graph, part: fx.Node, parent: fx.Node, new: fx.Node
) -> fx.Node | None:
    """The same for what `chunk` and its like give."""
    several, at = part.args
    assert isinstance(several, fx.Node)
    assert isinstance(at, int)
    given = arguments(several)
    dim = given.get("dim", 0)
    if operation(several) == "unbind":
        return insert(graph, aten.select_scatter.default, parent, new, dim, at, after=new)
    if operation(several) in ("chunk", "split", "split_with_sizes", "tensor_split"):
        sizes = [x.shape[dim] for x in several.meta["val"]]
        start = sum(sizes[:at])
        target, end = aten.slice_scatter.default, start + sizes[at]
        return insert(graph, target, parent, new, dim, start, end, after=new)
    return None
