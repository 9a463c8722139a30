"""The degree in t of every value of a network: constant, affine or general.

*Constant* values depend on no moving tensor: they are computed once for all positions.
*Affine* values are affine functions of moving tensors that share one table of coefficients:
they are computed at the J basis states and combined (see `paths.combination`). All others are
*general*, and are computed at each of the K positions. An operation keeps a value affine if it
is affine in those of its arguments that move, jointly; the table below says which those may be.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, fx
from torch.utils import _pytree as pytree

from ridgeline.graph import Trace, arguments, operation
from ridgeline.state import is_continuous

__all__ = ["CONSTANT", "GENERAL", "Degree", "degrees"]


@dataclass(frozen=True)
class Degree:
    """Constant, affine along one table of coefficients, or general."""

    kind: Literal["constant", "affine", "general"]
    table: int = -1


CONSTANT = Degree("constant")
GENERAL = Degree("general")

# Operations that are affine in all their tensor arguments together.
_JOINTLY = {
    *("view", "reshape", "_unsafe_view", "flatten", "unflatten", "permute", "transpose", "t"),
    *("squeeze", "unsqueeze", "expand", "expand_as", "select", "slice", "narrow", "clone"),
    *("contiguous", "detach", "alias", "neg", "sum", "mean", "cat", "concat", "stack", "split"),
    *("split_with_sizes", "chunk", "unbind", "getitem", "add", "sub", "rsub", "flip", "roll"),
    *("repeat", "movedim", "swapaxes", "swapdims", "diagonal", "as_strided", "view_as"),
    *("avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d"),
    *("adaptive_avg_pool3d", "_adaptive_avg_pool2d", "constant_pad_nd", "pad", "cumsum"),
    *("upsample_nearest2d", "upsample_bilinear2d", "pixel_shuffle", "unfold", "im2col"),
    *("numpy_T", "mT", "H", "hstack", "vstack", "tensor_split", "flatten_dense_tensors"),
}

# Others: the sets of arguments that may move together, by their names in the operation's schema.
_LAYER = ({"input", "bias"}, {"weight", "bias"})
_PRODUCT = ({"self"}, {"other"})
_ARGUMENTS: dict[str, tuple[set[str], ...]] = {
    "linear": _LAYER,
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution"), _LAYER),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _LAYER),
    "batch_norm": _LAYER,
    "layer_norm": ({"weight", "bias"},),
    "group_norm": ({"weight", "bias"},),
    "rms_norm": ({"weight"},),
    **dict.fromkeys(("mul", "matmul"), _PRODUCT),
    "div": ({"self"},),
    **dict.fromkeys(("mm", "bmm"), ({"self"}, {"mat2"})),
    "mv": ({"self"}, {"vec"}),
    "addmm": ({"self", "mat1"}, {"self", "mat2"}),
    "baddbmm": ({"self", "batch1"}, {"self", "batch2"}),
    "embedding": ({"weight"},),
    **dict.fromkeys(("index_select", "gather", "index", "masked_fill"), ({"self"},)),
    "where": ({"self", "other"},),
    "dropout": ({"input"},),  # in evaluation mode: the identity
    **dict.fromkeys(("to", "_to_copy", "type_as"), ({"self"},)),
}


def degrees(trace: Trace, tensors: Mapping[str, Degree]) -> dict[fx.Node, Degree]:
    """The degree of every value of a graph.

    Args:
        trace: A functional graph.
        tensors: The degree of each tensor of the state; constant where not named.

    Returns:
        Every node to its degree; the output node too.
    """
    found = {node: tensors.get(name, CONSTANT) for name, node in trace.tensors.items()}
    for node in trace.graph.nodes:
        if node not in found:
            found[node] = _degree(node, found)
    return found


def _degree(node: fx.Node, found: Mapping[fx.Node, Degree]) -> Degree:
    moving = {n: found[n] for n in node.all_input_nodes if found[n] != CONSTANT}
    if not moving:
        return CONSTANT
    kinds = set(moving.values())
    if len(kinds) > 1 or GENERAL in kinds:
        return GENERAL
    (shared,) = kinds
    name = operation(node)
    if _is_rounded(node):
        return GENERAL
    if node.op == "output" or name in _JOINTLY:
        return shared
    if name not in _ARGUMENTS or node.op != "call_function":
        return GENERAL
    held = arguments(node)
    movers = {key for key, value in held.items() if _reaches(value, moving)}
    return shared if any(movers <= allowed for allowed in _ARGUMENTS[name]) else GENERAL


def _is_rounded(node: fx.Node) -> bool:
    """True if an operation rounds: a cast to integers, a division with a rounding mode."""
    whole = [x for x in pytree.tree_leaves(node.meta.get("val")) if isinstance(x, Tensor)]
    if any(not is_continuous(x) for x in whole):
        return True
    return operation(node) == "div" and arguments(node).get("rounding_mode") is not None


def _reaches(value: object, nodes: Mapping[fx.Node, object]) -> bool:
    if isinstance(value, fx.Node):
        return value in nodes
    if isinstance(value, list | tuple):
        return any(_reaches(v, nodes) for v in value)
    return False
