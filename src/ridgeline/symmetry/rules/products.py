"""Rules of products: linear layers, matrices, convolutions, attention."""

from typing import Any

from torch import fx

from ridgeline.graph import operation
from ridgeline.symmetry.labels import Value, combine, contract, move, reduce, spatial
from ridgeline.symmetry.rules.ordered import in_order
from ridgeline.symmetry.rules.registry import Walk, over, rule, why_of

__all__: list[str] = ["linear"]

KEEPING = {"expand", "view", "reshape", "_unsafe_view", "contiguous", "clone", "alias"}
"""Operations that leave a value as it is, if its shape stays."""


def linear(walk: Walk, x: Value, weight: Value, bias: Value | None, why: str) -> Value:
    """After ``x @ weight.T + bias``."""
    flipped = move(walk.units, weight, lambda f: f.transpose(0, 1), why)
    row = Value((*x.shape[:-1], 1, x.shape[-1]), tuple(f[..., None, :] for f in x.layers))
    product = contract(walk.units, row, flipped, why)
    product = Value((*x.shape[:-1], weight.shape[0]), tuple(f[..., 0, :] for f in product.layers))
    return product if bias is None else combine(walk.units, [product, bias], why)


@rule("linear")
def _linear(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    bias = walk.value(given["bias"]) if given.get("bias") is not None else None
    return linear(walk, walk.value(given["input"]), walk.value(given["weight"]), bias, why_of(node))


@rule("matmul", "mm", "bmm", "mv", "dot", "vdot")
def _matmul(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    x, y = (walk.value(of) for of in list(given.values())[:2])
    if (held := _held_batches(walk, list(given.values())[1], x)) is not None:
        y = held
    return _product(walk, x, y, why_of(node))


def _product(walk: Walk, x: Value, y: Value, why: str) -> Value:
    flat_x, flat_y = len(x.shape) == 1, len(y.shape) == 1
    if flat_x:
        x = Value((1, *x.shape), tuple(f[None] for f in x.layers))
    if flat_y:
        y = Value((*y.shape, 1), tuple(f[:, None] for f in y.layers))
    made = contract(walk.units, x, y, why)
    if flat_y:
        made = Value(made.shape[:-1], tuple(f[..., 0] for f in made.layers))
    if flat_x:
        axis = -1 if flat_y else -2
        made = move(walk.units, made, lambda f: f.squeeze(axis), why)
    return made


def _held_batches(walk: Walk, of: Any, x: Value) -> Value | None:
    """A stack of weights, one for each of several experts, each with units of its own."""
    if not isinstance(of, fx.Node) or len(walk.shape(of)) != 3 or len(x.shape) < 3:
        return None
    return walk.stacked(_as_it_was(walk, of))


def _as_it_was(walk: Walk, node: fx.Node) -> fx.Node:
    """Return what a value was before views that change nothing, as `torch.vmap` makes them."""
    while operation(node) in KEEPING and len(node.users) == 1:
        before = node.args[0]
        if not isinstance(before, fx.Node) or walk.shape(before) != walk.shape(node):
            break
        node = before
    return node


@rule("addmm", "addbmm", "baddbmm")
def _addmm(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    start, x, y = (walk.value(of) for of in list(given.values())[:3])
    return combine(walk.units, [_product(walk, x, y, why_of(node)), start], why_of(node))


@rule(
    "conv1d",
    "conv2d",
    "conv3d",
    "convolution",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
)
def _convolution(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    units, why, shape = walk.units, why_of(node), walk.shape(node)
    backwards = "transpose" in str(node.target) or bool(given.get("transposed", False))
    groups = int(given.get("groups", 1))
    x = walk.value(given["input"])
    unbatched = len(x.shape) == len(walk.shape(given["weight"])) - 1
    if unbatched:
        x, shape = Value((1, *x.shape), tuple(f[None] for f in x.layers)), (1, *shape)
    x = spatial(units, x, (*x.shape[:2], *[1] * len(x.shape[2:])), 2, why)
    pixel = move(units, x, lambda f: f.reshape(f.shape[0], groups, 1, -1), why)
    weight = _kernel(walk, given["weight"], groups, backwards, why)
    total = reduce(units, combine(units, [pixel, weight], why), [-1], why)
    made = move(units, total, lambda f: f.reshape(f.shape[0], -1), why)
    if given.get("bias") is not None:
        made = combine(units, [made, walk.value(given["bias"])], why)
    made = Value(
        (*made.shape, *[1] * (len(shape) - 2)),
        tuple(f.reshape(*f.shape, *[1] * (len(shape) - 2)) for f in made.layers),
    )
    result = spatial(units, made, shape, 2, why)
    return Value(shape[1:], tuple(f[0] for f in result.layers)) if unbatched else result


def _kernel(walk: Walk, of: Any, groups: int, backwards: bool, why: str) -> Value:
    """The weight of a convolution as (groups, outputs of a group, inputs of a group)."""
    blocks = walk.blockwise(of, groups) if groups > 1 else None
    if blocks is None:
        weight = walk.leading(of, 2)
        blocks = move(
            walk.units, weight, lambda f: f.reshape(groups, f.shape[0] // groups, f.shape[1]), why
        )
    return move(walk.units, blocks, lambda f: f.transpose(1, 2), why) if backwards else blocks


@rule("scaled_dot_product_attention")
def _attention(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    units, why = walk.units, why_of(node)
    q, k, v = (walk.value(given[name]) for name in ("query", "key", "value"))
    if given.get("enable_gqa"):
        times = q.shape[-3] // k.shape[-3]
        k, v = (move(units, x, lambda f: f.repeat_interleave(times, -3), why) for x in (k, v))
    turned = move(units, k, lambda f: f.transpose(-1, -2), why)
    scores = contract(units, q, turned, why)
    if given.get("attn_mask") is not None:
        scores = combine(units, [scores, walk.value(given["attn_mask"])], why)
    if given.get("is_causal"):  # each position sees other ones
        scores = in_order(walk, scores, [-1, -2], why)
    return contract(units, over(walk, scores, [-1], why), v, why)
