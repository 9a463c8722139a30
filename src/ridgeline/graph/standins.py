"""Numbers in the place of sizes that depend on values, for who follows shapes alone.

`torch.where(mask)` and ``x[mask]`` give as many rows as the mask is true. A mixture of experts
takes the tokens of each expert so. How many they are is of no matter to who asks which axis is
which; each such size has a number of its own, so that no two axes fit each other by chance.
"""

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx
from torch._guards import detect_fake_mode
from torch.utils import _pytree as pytree

from ridgeline.graph.checks import check_sizes
from ridgeline.graph.operations import operation

__all__ = ["branching", "with_standins"]

ITEMS = {"item", "_local_scalar_dense"}

FIRST = 5
"""The first number; a branch for no row, or for one, is not taken."""


def branching(run: Callable[..., Any]) -> Callable[..., Any]:
    """A function to trace, in which branches on sizes go as they do where there are some rows.

    Args:
        run: The function.
    """

    def running(*args: Any) -> Any:
        mode = detect_fake_mode(args)
        env = getattr(mode, "shape_env", None)
        if env is not None:
            create = env.create_unbacked_symint

            def made(*args: Any, **kwargs: Any) -> Any:
                size = create(*args, **kwargs)
                if "scalar" in sys._getframe(1).f_code.co_name:
                    return size  # a number that is taken out of a tensor, by which code branches
                known = env.real_tensor_prop_unbacked_vals
                env.set_real_tensor_prop_unbacked_vals(size.node.expr, FIRST + 2 * len(known))
                return size

            env.create_unbacked_symint = made
        return run(*args)

    return running


def with_standins(graph: fx.Graph) -> frozenset[fx.Node]:
    """Write numbers for sizes that depend on values, in what a graph says that its nodes give.

    Args:
        graph: Of a trace; its nodes' ``meta["val"]`` are written to.

    Returns:
        The nodes whose sizes depend on values.

    Raises:
        NotTraceable: If some are numbers that are taken out of a tensor.
    """
    known: dict[Any, int] = {}
    found = set()
    if any(operation(node) in ITEMS for node in graph.nodes):
        check_sizes(graph)  # numbers that are taken out may have to fit each other
    for node in graph.nodes:
        leaves, form = pytree.tree_flatten(node.meta.get("val"))
        if any(map(_open, leaves)):
            found.add(node)
            node.meta["val"] = pytree.tree_unflatten([_closed(x, known) for x in leaves], form)
    return frozenset(found)


def _open(x: Any) -> bool:
    sizes = x.shape if isinstance(x, Tensor) else (x,)
    return any(isinstance(n, torch.SymInt) for n in sizes)


def _closed(x: Any, known: dict[Any, int]) -> Any:
    if not _open(x):
        return x
    if not isinstance(x, Tensor):
        return _number(x, known)
    shape = [_number(n, known) if isinstance(n, torch.SymInt) else n for n in x.shape]
    return torch.empty(shape, dtype=x.dtype, device="meta")


def _number(size: torch.SymInt, known: dict[Any, int]) -> int:
    expression = size.node.expr
    for symbol in sorted(expression.free_symbols, key=str):
        known.setdefault(symbol, FIRST + 2 * len(known))
    return int(expression.xreplace(known))
