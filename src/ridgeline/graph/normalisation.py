"""Normalisation by statistics of weights, spelt out."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import fx

from ridgeline.errors import NotTraceable
from ridgeline.graph.operations import arguments, compute, operation

__all__ = ["spell_out"]

aten = torch.ops.aten


def spell_out(graph: fx.Graph, data: Iterable[fx.Node]) -> None:
    """Replace normalisation in training mode, if it is of weights, as standardisation of them is.

    Args:
        graph: Functional; changed.
        data: Its inputs that are data.

    Raises:
        NotTraceable: If the statistics depend on data, or are written to buffers.
    """
    moving = set(data)
    for node in list(graph.nodes):
        if any(given in moving for given in node.all_input_nodes):
            moving.add(node)
        if operation(node) == "batch_norm" and arguments(node).get("training"):
            given = arguments(node)
            kept = any(given.get(n) is not None for n in ("running_mean", "running_var"))
            if given["input"] in moving or kept:
                raise NotTraceable(
                    "A normalisation layer is in training mode.",
                    got=node.name,
                    remedy="Its statistics must be buffers: track_running_stats=True, and "
                    "model.eval().",
                )
            _standardise(graph, node, given)


def _standardise(graph: fx.Graph, node: fx.Node, given: dict[str, Any]) -> None:
    x = given["input"]
    size = x.meta["val"].ndim
    over = [k for k in range(size) if k != 1]
    with graph.inserting_before(node):

        def do(target: Any, *args: Any, **kwargs: Any) -> fx.Node:
            return compute(graph.call_function(target, args, kwargs))

        spread = do(aten.var.correction, x, over, correction=0, keepdim=True)
        spread = do(aten.rsqrt.default, do(aten.add.Scalar, spread, given["eps"]))
        made = do(aten.sub.Tensor, x, do(aten.mean.dim, x, over, True))
        made = do(aten.mul.Tensor, made, spread)
        for target, name in ((aten.mul.Tensor, "weight"), (aten.add.Tensor, "bias")):
            if given.get(name) is not None:
                shape = [-1 if k == 1 else 1 for k in range(size)]
                made = do(target, made, do(aten.reshape.default, given[name], shape))
    node.replace_all_uses_with(made)
    graph.erase_node(node)
