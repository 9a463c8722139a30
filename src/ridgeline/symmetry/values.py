"""What every node of a trace gives, computed."""

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.node import map_arg
from torch.utils import _pytree as pytree

from ridgeline.tracing import Trace

__all__ = ["outputs_in", "run", "values_of"]


def values_of(trace: Trace, given: Sequence[Tensor]) -> dict[fx.Node, Any]:
    """What every node of a trace gives.

    Args:
        trace: Of a network.
        given: The tensors of its state and of its data, in order.
    """
    values: dict[fx.Node, Any] = {}
    waiting = iter(given)
    for node in trace.graph.nodes:
        if node.op == "placeholder":
            values[node] = next(waiting)
        elif node.op == "get_attr":
            values[node] = operator.attrgetter(str(node.target))(trace.owner)
        elif node.op == "call_function":
            values[node] = run(node, values)
    return values


def run(node: fx.Node, values: Mapping[fx.Node, Any]) -> Any:
    """What one operation gives.

    Args:
        node: The operation.
        values: Of the nodes that it takes.
    """
    args, kwargs = map_arg((node.args, node.kwargs), lambda n: values[n])
    return node.target(*args, **kwargs)  # type: ignore[operator]  # an operation


def outputs_in(trace: Trace, values: Mapping[fx.Node, Any]) -> list[Tensor]:
    """The outputs that have a derivative, complex ones as two reals.

    Args:
        trace: Of a network.
        values: Of its nodes.
    """
    last = next(n for n in reversed(trace.graph.nodes) if n.op == "output")
    made = [y for n in last.all_input_nodes for y in pytree.tree_leaves(values[n])]
    found = [y for y in made if isinstance(y, Tensor) and y.requires_grad]
    return [torch.view_as_real(y.resolve_conj()) if y.is_complex() else y for y in found]
