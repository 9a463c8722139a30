"""Memory that results share, and their layout in it."""

from typing import Any

import torch
from torch import Tensor, fx
from torch._C._functorch import is_functorch_wrapped_tensor
from torch.utils import _pytree as pytree

from ridgeline.errors import NotTraceable
from ridgeline.graph.operations import operation

__all__ = ["layout", "shared", "storages", "transformed"]


def shared(name: str) -> NotTraceable:
    """The refusal of a write that cannot be followed."""
    return NotTraceable(
        "An in-place operation writes to a tensor that other values share.",
        got=name,
        remedy="Write it with the operation that returns a new tensor.",
    )


def transformed(graph: fx.Graph) -> bool:
    """True if values of a graph are of a transform of `torch.func`, such as `torch.vmap`.

    Args:
        graph: As it was traced.
    """
    return any(
        isinstance(x, Tensor) and is_functorch_wrapped_tensor(x)
        for node in graph.nodes
        for x in pytree.tree_leaves(node.meta.get("val"))
    )


def storages(node: fx.Node) -> set[int]:
    """Return the memory that a node's results lie in.

    Raises:
        NotTraceable: If they are of a transform of `torch.func`, which have no memory to tell.
    """
    found = set()
    for x in pytree.tree_leaves(node.meta.get("val")):
        if isinstance(x, Tensor) and is_functorch_wrapped_tensor(x):
            raise NotTraceable(
                "A transform of `torch.func` inside of a network cannot be traced.",
                got=f"{operation(node) or node.name} under vmap, grad, jvp or the like",
                remedy="Give `forward=`, a function (model, inputs) -> outputs that calls the part "
                "outside of the transform, or write it on whole batches. FlexAttention is made of "
                "one: call `F.scaled_dot_product_attention` with its mask instead.",
            )
        if isinstance(x, Tensor) and x.layout == torch.strided:
            found.add(x.untyped_storage()._cdata)
    return found


def layout(x: Tensor) -> tuple[Any, ...]:
    """Layout of elements in memory: strides, the place of the first, the size of the whole."""
    return (x.stride(), x.storage_offset(), x.untyped_storage().nbytes())
