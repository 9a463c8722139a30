"""What the operations of a trace say of layers: weight, bias, and the axes of channels."""

from collections.abc import Mapping

from torch import Tensor, fx

from ridgeline.graph import arguments, operation

__all__ = [
    "Layer",
    "added_bias",
    "biases",
    "layer_of",
    "normalises",
    "shape_of",
    "source_of",
    "users",
]

_TURNS = {"t", "transpose", "numpy_T", "permute", "mT", "swapaxes", "matrix_H"}
_CONVOLUTIONS = {"conv1d": 1, "conv2d": 2, "conv3d": 3}
_TRANSPOSED = {"conv_transpose1d": 1, "conv_transpose2d": 2, "conv_transpose3d": 3}
_LAYERS = {"linear", "addmm", "matmul", "mm", *_CONVOLUTIONS, *_TRANSPOSED}

Layer = tuple[object, bool, int, int, object, int]
"""Weight, whether it may be turned, its channels' axis, the value's, bias, groups."""


def layer_of(node: fx.Node) -> Layer | None:
    """Return what an operation says of the layer that it is, if it is one."""
    name = operation(node)
    if name not in _LAYERS:
        return None
    held = arguments(node)
    bias = held.get("bias")
    if name == "linear":
        return held["weight"], True, 0, -1, bias, 1
    if name in _CONVOLUTIONS:
        return held["weight"], False, 0, -1 - _CONVOLUTIONS[name], bias, 1
    if name in _TRANSPOSED:
        return held["weight"], False, 1, -1 - _TRANSPOSED[name], bias, int(held.get("groups", 1))
    if name == "addmm":
        plain = held.get("beta", 1) == 1 and held.get("alpha", 1) == 1
        return (held["mat2"], True, 1, -1, held["self"], 1) if plain else None
    return held["other" if "other" in held else "mat2"], True, 1, -1, None, 1


def source_of(weight: object, rows: int) -> tuple[object, int]:
    """The tensor of the state that a matrix is the transpose of, and where its rows stand."""
    while isinstance(weight, fx.Node) and operation(weight) in _TURNS:
        before = weight.args[0]
        if len(shape_of(weight)) != 2 or not isinstance(before, fx.Node):
            return None, rows
        plain = operation(weight) == "permute" and [d % 2 for d in weight.args[1]] == [0, 1]  # type: ignore[union-attr]  # a list of axes
        same = len(weight.args) == 3 and weight.args[1] == weight.args[2]
        weight, rows = before, rows if plain or same else 1 - rows
    return weight, rows


def added_bias(
    node: fx.Node, names: Mapping[fx.Node, str], axis: int, channels: int
) -> tuple[fx.Node, fx.Node] | None:
    """The addition of a bias that follows a layer without one, and the bias."""
    if len(node.users) != 1:
        return None
    (user,) = node.users
    if operation(user) != "add" or len(user.args) != 2 or user.kwargs:
        return None
    other = user.args[1] if user.args[0] is node else user.args[0]
    if not isinstance(other, fx.Node) or other not in names:
        return None
    fits = shape_of(other) in biases(axis, channels) and shape_of(user) == shape_of(node)
    return (user, other) if fits else None


def biases(axis: int, channels: int) -> set[tuple[int, ...]]:
    """Shapes that a bias with a number for each channel may have, to be added to a value.

    Args:
        axis: The channels' axis of the value, counted from the end.
        channels: How many there are.
    """
    after = (1,) * (-1 - axis)
    return {(*(1,) * before, channels, *after) for before in range(3)}


def normalises(user: fx.Node, value: fx.Node) -> bool:
    """True if a value goes into a normalisation with running statistics."""
    if operation(user) != "batch_norm" or user.args[0] is not value:
        return False
    return isinstance(arguments(user).get("running_mean"), fx.Node)


def users(node: fx.Node) -> int:
    """Return how many operations use a tensor, by itself or turned."""
    return sum(users(u) if operation(u) in _TURNS else 1 for u in node.users)


def shape_of(node: fx.Node) -> tuple[int, ...]:
    """The shape of a value in a trace; empty if it is no tensor."""
    value = node.meta.get("val")
    return tuple(value.shape) if isinstance(value, Tensor) else ()
