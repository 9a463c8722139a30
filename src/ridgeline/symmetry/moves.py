"""Operations that only move elements about, and those that take each element by itself."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx
from torch.fx.node import map_arg

from ridgeline.graph import arguments, operation

__all__ = ["FACTORIES", "KEEPS", "MOVES", "moved", "pointwise"]

MOVES = {
    *(
        "reshape_as",
        "view",
        "reshape",
        "_unsafe_view",
        "_reshape_alias",
        "flatten",
        "unflatten",
        "view_as",
    ),
    *("permute", "transpose", "t", "numpy_T", "mT", "movedim", "swapaxes", "moveaxis", "swapdims"),
    *("squeeze", "unsqueeze", "expand", "expand_as", "broadcast_to", "repeat", "tile"),
    *("repeat_interleave", "slice", "select", "narrow", "diagonal", "index_select"),
    *(
        "split",
        "split_with_sizes",
        "chunk",
        "unbind",
        "tensor_split",
        "hsplit",
        "vsplit",
        "unsafe_split",
    ),
    *("flip", "roll", "rot90", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "unfold"),
    *(
        "native_channel_shuffle",
        "contiguous",
        "clone",
        "detach",
        "alias",
        "lift_fresh",
        "lift_fresh_copy",
    ),
    *("view_copy", "pad", "constant_pad_nd", "reflection_pad2d", "replication_pad2d"),
}
"""Operations that move their first argument; the others are numbers, or constant tensors."""

KEEPS = {
    *("reshape_as", "view", "reshape", "_unsafe_view", "_reshape_alias", "flatten", "unflatten"),
    *("view_as", "permute", "transpose", "t", "numpy_T", "mT", "movedim", "swapaxes", "moveaxis"),
    *("swapdims", "squeeze", "unsqueeze", "expand", "expand_as", "broadcast_to", "repeat"),
    *("contiguous", "clone", "detach", "alias", "flip", "roll"),
}
"""Those of them that take all elements."""

FACTORIES = {"zeros", "ones", "full", "empty", "new_zeros", "new_ones", "new_full", "scalar_tensor"}
"""Operations whose results are the same everywhere."""

SAME = {
    *("dropout", "feature_dropout", "alpha_dropout", "to", "_to_copy", "type_as", "zeros_like"),
    *(
        "ones_like",
        "full_like",
        "where",
        "clamp",
        "hardtanh",
        "relu6",
        "float",
        "masked_fill",
    ),
    *(
        "_prelu_kernel",
        "rrelu",
        "nan_to_num",
        "bernoulli",
        "dropout_",
        "lerp",
        "addcmul",
        "addcdiv",
    ),
    *(
        "gelu",
        "silu",
        "mish",
        "softplus",
        "elu",
        "selu",
        "celu",
        "leaky_relu",
        "hardswish",
        "hardsigmoid",
    ),
    *(
        "square",
        "rsub",
        "subtract",
        "multiply",
        "divide",
        "true_divide",
        "log_sigmoid",
        "hardshrink",
    ),
    *("softshrink", "tanhshrink", "threshold", "logical_and", "logical_or", "logical_not", "fill"),
    *(
        "__and__",
        "__or__",
        "bitwise_not",
        "not_equal",
        "greater",
        "less",
        "greater_equal",
        "softsign",
    ),
    *("real", "imag", "angle", "conj", "_conj", "conj_physical", "_conj_physical", "resolve_conj"),
    *("resolve_neg", "_neg_view", "complex", "polar", "half", "bfloat16", "double", "cfloat"),
}
"""Pointwise operations that are not marked as such."""


def pointwise(node: fx.Node, name: str) -> bool:
    """True if an operation takes each element by itself."""
    tags = getattr(node.target, "tags", ())
    return torch.Tag.pointwise in tags or name in SAME or name.rstrip("_") in SAME


def moved(node: fx.Node, source: fx.Node, labels: Tensor, constants: Mapping[fx.Node, Any]) -> Any:
    """Return what an operation that only moves elements makes of labels.

    Args:
        node: The operation.
        source: Which of its inputs the labels are of.
        labels: Of the source's shape.
        constants: Its other inputs.

    Returns:
        Labels, or a list of them; zero where a constant was padded.
    """
    try:
        if operation(node) in ("pad", "constant_pad_nd"):
            given = arguments(node)
            if given.get("mode", "constant") == "constant":  # whatever its value: it is no label
                return F.pad(labels, given["pad"])
        args, kwargs = map_arg(
            (node.args, node.kwargs), lambda n: labels if n is source else constants[n]
        )
        return node.target(*args, **kwargs)  # type: ignore[operator]  # an operation
    except RuntimeError:  # labels that are alike lie at one place, which a view refuses
        if labels.is_contiguous():
            raise
        return moved(node, source, labels.contiguous(), constants)
