"""Nodes of a graph: what they do, with what, and what they give."""

from typing import Any

import torch
from torch import fx
from torch.fx.node import map_arg
from torch.utils import _pytree as pytree

__all__ = ["arguments", "compute", "insert", "operation"]


def operation(node: fx.Node) -> str:
    """The plain name of a node's operation, such as ``linear``; empty for inputs and outputs."""
    if node.op != "call_function":
        return ""
    packet = getattr(node.target, "overloadpacket", node.target)
    return getattr(packet, "__name__", str(packet))


def arguments(node: fx.Node) -> dict[str, Any]:
    """All arguments of an operation by their names in the schema, defaults left out."""
    names = [argument.name for argument in node.target._schema.arguments]  # type: ignore[union-attr]  # call_function on aten
    return dict(zip(names, node.args, strict=False)) | dict(node.kwargs)


def compute(node: fx.Node) -> fx.Node:
    """Say what a node gives, on fake tensors."""
    args, kwargs = map_arg((node.args, node.kwargs), lambda n: n.meta["val"])
    leaves = [x for x in pytree.tree_leaves((args, kwargs)) if hasattr(x, "fake_mode")]
    with leaves[0].fake_mode, torch.no_grad():
        node.meta["val"] = node.target(*args, **kwargs)  # type: ignore[operator]  # an operation
    return node


def insert(graph: fx.Graph, target: Any, *args: Any, after: fx.Node, **kwargs: Any) -> fx.Node:
    """A new node behind another one."""
    with graph.inserting_after(after):
        return compute(graph.call_function(target, args, kwargs))
