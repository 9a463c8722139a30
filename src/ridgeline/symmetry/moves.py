"""Operations that only move elements about, and those that take each element by itself."""

import torch
from torch import fx

__all__ = ["FACTORIES", "MOVES", "pointwise"]

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
"""Whose first argument is moved; what else they take are numbers, or tensors that are constant."""

FACTORIES = {"zeros", "ones", "full", "empty", "new_zeros", "new_ones", "new_full", "scalar_tensor"}
"""Whose results are the same everywhere."""

SAME = {
    *("dropout", "feature_dropout", "alpha_dropout", "to", "_to_copy", "type_as", "zeros_like"),
    *(
        "ones_like",
        "full_like",
        "where",
        "clamp",
        "hardtanh",
        "relu6",
        "prelu",
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
}
"""Pointwise operations that are not marked as such."""


def pointwise(node: fx.Node, name: str) -> bool:
    """Whether an operation takes each element by itself."""
    tags = getattr(node.target, "tags", ())
    return torch.Tag.pointwise in tags or name in SAME or name.rstrip("_") in SAME
