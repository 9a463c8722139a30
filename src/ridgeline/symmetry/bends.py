"""Where a network compares its values: with thresholds, with each other.

ReLU6 is the identity up to 6. Whether it is so for all inputs cannot be seen from its slope at
the inputs of an example, which may never come near 6; its threshold says it. An operation that
compares x with y is kept by a scaling for all inputs if both are multiplied by the same factor,
to first order ``y dx = x dy``: always where y is zero, as for ReLU, and never where it is another
number.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx

from ridgeline.graph import Trace, arguments, operation

__all__ = ["comparisons", "conditions", "reaching"]

Pair = tuple[str, str | float]
_BOUNDS: tuple[Pair, ...] = (("self", "min"), ("self", "max"))
_COMPARED: tuple[tuple[str, tuple[Pair, ...]], ...] = (
    ("maximum minimum fmax fmin max min gt lt ge le eq ne", (("self", "other"),)),
    ("greater less greater_equal less_equal not_equal isclose", (("self", "other"),)),
    ("remainder fmod floor_divide", (("self", "other"),)),
    ("clamp clip", _BOUNDS),
    ("clamp_min", _BOUNDS[:1]),
    ("clamp_max", _BOUNDS[1:]),
    ("hardtanh", (("self", "min_val"), ("self", "max_val"))),
    ("relu6", (("self", 6.0),)),
    ("threshold", (("self", "threshold"), ("self", "value"))),
    ("hardshrink softshrink", (("self", "lambd"),)),
    ("hardswish hardsigmoid", (("self", 3.0),)),
    ("elu celu selu softplus", (("self", 1.0),)),
    ("round floor ceil trunc fix frac bucketize", (("self", 1.0),)),
    ("smooth_l1_loss huber_loss", (("self", "target"), ("self", 1.0))),
)
PAIRS = {name: pairs for names, pairs in _COMPARED for name in names.split()}
"""Operations to what they compare: arguments, or an argument and a number. Those that compare
with zero (relu, leaky_relu, prelu, abs) are kept by every factor and are left out."""

ALONG = {
    *("argmax", "argmin", "topk", "sort", "argsort", "msort", "kthvalue", "median", "nanmedian"),
    *("mode", "cummax", "cummin", "max", "min", "amax", "amin", "aminmax"),
}
"""Operations that compare a value's elements along an axis, or all of them."""

SHIFTS = 8
"""Neighbours along an axis that each element is compared with."""

MASK = 1e30
"""What only masks reach is no threshold."""

TINY = 1e-9
"""A threshold below this share of a value guards a division, and is of the size of rounding."""


def comparisons(node: fx.Node, values: Mapping[fx.Node, Any]) -> list[tuple[Any, Any]]:
    """Return what an operation compares, element by element: pairs of an argument and a threshold.

    Args:
        node: Of a trace.
        values: Of its nodes.

    Returns:
        Each argument as it stands in the graph, and the other's value: a tensor or a number.
    """
    name = operation(node).rstrip("_")
    if name not in PAIRS or not hasattr(node.target, "_schema"):
        return []
    given = arguments(node)
    found = []
    for key, other in PAIRS[name]:
        one = given.get(key)
        against = _default(node, given, other) if isinstance(other, str) else other
        value = values[against] if isinstance(against, fx.Node) else against
        if isinstance(one, fx.Node) and isinstance(value, (int, float, Tensor)):
            found.append((one, value))
    return found


def _default(node: fx.Node, given: Mapping[str, Any], key: str) -> Any:
    """An argument, or what it is if it is not given."""
    if key in given:
        return given[key]
    schema = node.target._schema  # type: ignore[union-attr]  # an operation
    return next((a.default_value for a in schema.arguments if a.name == key), None)


def conditions(trace: Trace, values: Mapping[fx.Node, Any]) -> Iterator[Tensor]:
    """Numbers that no scaling may change to first order, whatever the inputs.

    Args:
        trace: Of a network.
        values: Of its nodes; derivatives flow through what is yielded.
    """
    for node in trace.graph.nodes:
        if node.op != "call_function":
            continue
        for one, other in comparisons(node, values):
            if (made := _alike(values[one], other)) is not None:
                yield made
        if operation(node) in ALONG and isinstance(node.args[0], fx.Node):
            yield from _along(node, values[node.args[0]])


def _along(node: fx.Node, x: Any) -> Iterator[Tensor]:
    given = arguments(node)
    if "other" in given or not isinstance(x, Tensor) or not x.requires_grad or not x.ndim:
        return
    dim = _default(node, given, "dim")
    axes: Sequence[int] = [dim] if isinstance(dim, int) else list(dim or range(x.ndim))
    if operation(node) == "msort":
        axes = [0]
    flat = x.movedim(tuple(axes), tuple(range(len(axes)))).flatten(0, len(axes) - 1)
    for shift in range(1, min(len(flat), SHIFTS + 1)):
        if (made := _alike(flat, flat.roll(shift, 0))) is not None:
            yield made


def _alike(x: Any, y: Any) -> Tensor | None:
    """Return what stays zero to first order if two values are multiplied by the same factor."""
    y = y if isinstance(y, Tensor) else torch.tensor(float(y))
    if not (isinstance(x, Tensor) and x.is_floating_point()) or y.is_complex():
        return None
    if not (x.requires_grad or y.requires_grad):
        return None
    x, y = torch.broadcast_tensors(x, y.to(x.dtype))
    usual = (x.abs() < MASK) & (y.abs() < MASK)
    x, y = x[usual], y[usual]
    if not x.numel():
        return None
    sizes = [float(t.detach().square().mean().sqrt()) for t in (x, y)]
    if min(sizes) <= TINY * max(sizes) and not (x.requires_grad and y.requires_grad):
        return None
    if not all(sizes):
        return None
    return (x * y.detach() - y * x.detach()) / (sizes[0] * sizes[1])


def reaching(
    node: fx.Node, values: Mapping[fx.Node, Any], followed: Container[fx.Node]
) -> Mapping[fx.Node, Any]:
    """Values of which those that an operation compares with thresholds are brought near to them.

    Args:
        node: The operation.
        values: Of all nodes; given back as they are if it compares nothing.
        followed: Nodes whose values may be brought elsewhere.
    """
    held: dict[fx.Node, Any] = {}
    draws = torch.Generator().manual_seed(0)
    for one, other in comparisons(node, values):
        x = held.get(one, values[one])
        if one in followed and isinstance(x, Tensor) and x.is_floating_point():
            y = torch.as_tensor(other, dtype=x.dtype).abs()
            y = y[(y < MASK) & (y > 0)]
            if y.numel():
                size = float(y.square().mean().sqrt())
                spread = torch.rand(x.shape, generator=draws, dtype=x.dtype)
                near = x.sign() * size * 2 ** (4 * spread - 2)
                half = torch.rand(x.shape, generator=draws) < 0.5  # a second threshold's
                held[one] = torch.where(half, x, near) if one in held else near
    return {**values, **held} if held else values
