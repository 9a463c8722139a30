"""From a module to a graph of tensor operations, and what the graph says of its layers.

The graph is taken with `make_fx` before dispatch, on fake tensors: operations stay as large as
the user wrote them (`linear`, `conv2d`), no arithmetic is done, and a branch on a tensor's
value cannot be frozen into the graph, because a fake tensor has none: it raises. Tensors of
the state are inputs of the graph. In-place operations are replaced by their functional twins,
so that a value of the graph, once computed, can be kept and used again (`ridgeline.graph.values`).
"""

from ridgeline.graph.calls import Forward, call, flatten, unpacked, whole
from ridgeline.graph.copies import private_copy
from ridgeline.graph.emptying import empty_caches
from ridgeline.graph.following import check_follows
from ridgeline.graph.grouped import GROUPED, plain
from ridgeline.graph.layers import layer_index
from ridgeline.graph.memory import transformed
from ridgeline.graph.network import Network, Trace
from ridgeline.graph.operations import arguments, operation
from ridgeline.graph.outside import check_outside
from ridgeline.graph.refusals import forget_compiled
from ridgeline.graph.rewriting import make_functional
from ridgeline.graph.shaking import close

__all__ = [
    "GROUPED",
    "Forward",
    "Network",
    "Trace",
    "arguments",
    "call",
    "check_follows",
    "check_outside",
    "close",
    "empty_caches",
    "flatten",
    "forget_compiled",
    "layer_index",
    "make_functional",
    "operation",
    "plain",
    "private_copy",
    "transformed",
    "unpacked",
    "whole",
]
