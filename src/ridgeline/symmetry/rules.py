"""What each operation of a trace does to the labels of its inputs."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import fx

from ridgeline.symmetry.labels import (
    Value,
    combine,
    compress,
    contract,
    move,
    reduce,
    spatial,
    tidy,
)
from ridgeline.symmetry.units import Units, coordinates

__all__ = ["RULES", "Rule", "Walk", "linear", "rule", "side_by_side", "unknown"]


class Walk:
    """What a rule may ask while the trace is walked through."""

    units: Units

    def value(self, of: Any) -> Value:
        """The labels of an argument; a number has none."""
        raise NotImplementedError

    def shape(self, node: fx.Node) -> tuple[int, ...]:
        """The shape of what a node gives."""
        return tuple(node.meta["val"].shape)

    def leading(self, of: Any, axes: int) -> Value:
        """A value's first axes, the others taken as coordinates and left out: a kernel's."""
        raise NotImplementedError

    def blockwise(self, of: Any, blocks: int) -> Value | None:
        """A weight whose second axis is another one for each block of its first.

        Returns:
            Shape (blocks, rows of a block, second axis), or None if the argument is no tensor of
            the state that is used here alone.
        """
        raise NotImplementedError

    def stacked(self, of: Any) -> Value | None:
        """A stack of matrices, along the first axis, each with rows and columns of its own.

        Returns:
            Its labels, or None as for `blockwise`.
        """
        raise NotImplementedError


Rule = Callable[[Walk, fx.Node, dict[str, Any]], Any]
RULES: dict[str, Rule] = {}
"""Name of an operation to what becomes of labels: a value, or a list of them."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Enter a function as the rule of operations."""

    def enter(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return enter


def _why(node: fx.Node) -> str:
    return f"cannot be followed through {node.name}"


def _list(dims: Any) -> list[int]:
    return [dims] if isinstance(dims, int) else list(dims)


# --- products ----------------------------------------------------------------------------------


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
    return linear(walk, walk.value(given["input"]), walk.value(given["weight"]), bias, _why(node))


@rule("matmul", "mm", "bmm", "mv", "dot", "vdot")
def _matmul(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    x, y = (walk.value(of) for of in list(given.values())[:2])
    if (held := _held_batches(walk, list(given.values())[1], x)) is not None:
        y = held
    return _product(walk, x, y, _why(node))


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
    return walk.stacked(of)


@rule("addmm", "addbmm", "baddbmm")
def _addmm(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    start, x, y = (walk.value(of) for of in list(given.values())[:3])
    return combine(walk.units, [_product(walk, x, y, _why(node)), start], _why(node))


@rule("einsum")
def _einsum(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    left, _, right = given["equation"].replace(" ", "").partition("->")
    parts = left.split(",")
    letters = list(dict.fromkeys(c for part in parts for c in part if c != "."))
    if "." in given["equation"] or (not right and "->" not in given["equation"]):
        return unknown(walk, node)
    laid = []
    for part, of in zip(parts, given["tensors"], strict=True):
        others = right + "".join(q for q in parts if q is not part)
        held = isinstance(of, fx.Node) and len(part) == 3 and part[0] in others
        value = (walk.stacked(of) if held else None) or walk.value(of)
        order = sorted(range(len(part)), key=lambda k, p=part: letters.index(p[k]))
        shape = tuple(value.shape[part.index(c)] if c in part else 1 for c in letters)
        laid.append(
            move(
                walk.units,
                value,
                lambda f, order=order, shape=shape: f.permute(order).reshape(shape),
                _why(node),
            )
        )
    product = combine(walk.units, laid, _why(node))
    gone = [k for k, c in enumerate(letters) if c not in right]
    total = reduce(walk.units, product, gone, _why(node)) if gone else product
    order = [letters.index(c) for c in right] + gone
    shape = walk.shape(node)
    return move(walk.units, total, lambda f: f.permute(order).reshape(shape), _why(node))


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
    units, why, shape = walk.units, _why(node), walk.shape(node)
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
    units, why = walk.units, _why(node)
    q, k, v = (walk.value(given[name]) for name in ("query", "key", "value"))
    if given.get("enable_gqa"):
        times = q.shape[-3] // k.shape[-3]
        k, v = (move(units, x, lambda f: f.repeat_interleave(times, -3), why) for x in (k, v))
    turned = move(units, k, lambda f: f.transpose(-1, -2), why)
    scores = contract(units, q, turned, why)
    if given.get("attn_mask") is not None:
        scores = combine(units, [scores, walk.value(given["attn_mask"])], why)
    return contract(units, _over(walk, scores, [-1], why), v, why)


# --- sums, norms and neighbours ------------------------------------------------------------------


def _over(walk: Walk, x: Value, axes: Sequence[int], why: str, *others: Value) -> Value:
    """After something that treats alike what lies along axes, and depends on all of it."""
    return combine(walk.units, [x, reduce(walk.units, x, axes, why), *others], why)


@rule("softmax", "log_softmax", "_softmax", "_safe_softmax", "softmin", "_log_softmax")
def _softmax(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    return _over(walk, walk.value(given["self"]), [given["dim"]], _why(node))


@rule("glu")
def _glu(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    x, dim = walk.value(given["self"]), given.get("dim", -1)
    halves = [move(walk.units, x, lambda f, k=k: f.chunk(2, dim)[k], _why(node)) for k in (0, 1)]
    return combine(walk.units, halves, _why(node))


@rule(
    "normalize",
    "linalg_vector_norm",
    "norm",
    "sum",
    "mean",
    "amax",
    "amin",
    "var",
    "std",
    "prod",
    "logsumexp",
    "all",
    "any",
    "max",
    "min",
    "frobenius_norm",
    "nansum",
)
def _total(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Any:
    x = walk.value(next(iter(given.values())))
    if "other" in given:  # max and min of two
        return combine(walk.units, [x, walk.value(given["other"])], _why(node))
    dims = given.get("dim")
    axes = list(range(len(x.shape))) if dims is None or dims == [] else _list(dims)
    total = reduce(walk.units, x, axes, _why(node)) if axes else x
    given_shape = node.meta["val"]
    if isinstance(given_shape, (tuple, list)):  # with indices, which tell units apart
        return [_shaped(walk, total, tuple(given_shape[0].shape), node), unknown(walk, node)]
    return _shaped(walk, total, walk.shape(node), node)


def _shaped(walk: Walk, value: Value, shape: tuple[int, ...], node: fx.Node) -> Value:
    return move(walk.units, value, lambda f: f.reshape(shape), _why(node))


@rule("var_mean", "std_mean")
def _two_totals(walk: Walk, node: fx.Node, given: dict[str, Any]) -> list[Value]:
    x = walk.value(given["self"])
    dims = given.get("dim")
    axes = list(range(len(x.shape))) if dims is None else _list(dims)
    total = reduce(walk.units, x, axes, _why(node))
    return [_shaped(walk, total, tuple(v.shape), node) for v in node.meta["val"]]


@rule("layer_norm", "rms_norm", "native_layer_norm", "_fused_rms_norm")
def _layer_norm(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    x = walk.value(given["input"])
    axes = [-1 - k for k in range(len(given["normalized_shape"]))]
    scales = [walk.value(given[n]) for n in ("weight", "bias") if given.get(n) is not None]
    return _over(walk, x, axes, _why(node), *scales)


@rule("_weight_norm")
def _weight_norm(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    v, length, dim = walk.value(given["v"]), walk.value(given["g"]), given.get("dim", 0)
    over = [k for k in range(len(v.shape)) if dim == -1 or k != dim % len(v.shape)]
    return _over(walk, v, over, _why(node), length)


def _channels(walk: Walk, given: dict[str, Any], axes: int, why: str) -> list[Value]:
    """Tensors of a normalisation that hold a number for each channel, the second axis."""
    names = ("weight", "bias", "running_mean", "running_var")
    held = [walk.value(given[n]) for n in names if given.get(n) is not None]
    shape = (-1, *[1] * (axes - 2))
    return [move(walk.units, x, lambda f: f.reshape(shape), why) for x in held]


@rule("batch_norm")
def _batch_norm(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    x = walk.value(given["input"])
    return combine(walk.units, [x, *_channels(walk, given, len(x.shape), _why(node))], _why(node))


@rule("instance_norm")
def _instance_norm(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    x, why = walk.value(given["input"]), _why(node)
    return _over(walk, x, range(2, len(x.shape)), why, *_channels(walk, given, len(x.shape), why))


@rule("group_norm")
def _group_norm(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    x, why = walk.value(given["input"]), _why(node)
    groups = given["num_groups"]
    parted = move(walk.units, x, lambda f: f.reshape(f.shape[0], groups, -1, *f.shape[2:]), why)
    parted = _over(walk, parted, range(2, len(parted.shape)), why)
    joined = _shaped(walk, parted, x.shape, node)
    return combine(walk.units, [joined, *_channels(walk, given, len(x.shape), why)], why)


@rule(
    *(
        f"{kind}_pool{k}d"
        for kind in ("max", "avg", "adaptive_avg", "adaptive_max")
        for k in (1, 2, 3)
    ),
    *(f"max_pool{k}d_with_indices" for k in (1, 2, 3)),
    *(
        f"upsample_{kind}"
        for kind in ("nearest1d", "nearest2d", "bilinear2d", "bicubic2d", "linear1d")
    ),
)
def _pool(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Any:
    x, made = walk.value(next(iter(given.values()))), node.meta["val"]
    several = isinstance(made, (tuple, list))
    shape = tuple(made[0].shape if several else made.shape)
    axes = 1 if "1d" in str(node.target) else 3 if "3d" in str(node.target) else 2
    value = spatial(walk.units, x, shape, len(shape) - axes, _why(node))
    return [value, value] if several else value


@rule("embedding")
def _embedding(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    weight, index = walk.value(given["weight"]), walk.value(given["indices"])
    rows = [f for f in weight.layers if f.shape[0] > 1]
    for row in rows:
        walk.units.fix(row, "rows chosen by data")
    columns = [f.reshape(*[1] * len(index.shape), -1) for f in weight.layers if f.shape[0] == 1]
    places = [f[..., None] for f in index.layers]
    return Value(walk.shape(node), (*places, *columns))


def side_by_side(
    walk: Walk, values: Sequence[Value], dim: int, why: str, join: Any = torch.cat
) -> Value:
    """After values were laid side by side, or stacked, along an axis.

    Their layers are matched by the other axes that they tell apart, units before coordinates.
    """
    shape = tuple(join([torch.zeros(()).expand(v.shape) for v in values], dim).shape)
    along = dim % len(shape)
    parts: dict[Any, list[torch.Tensor]] = {}
    for i, value in enumerate(values):
        seen: dict[tuple[int, ...], int] = {}
        for layer in sorted(value.layers, key=lambda f: bool((f <= 0).all())):
            lifted = layer if join is torch.cat else np.expand_dims(layer, along)
            at = tuple(k for k, n in enumerate(lifted.shape) if n > 1 and k != along)
            seen[at] = seen.get(at, -1) + 1
            blank = [torch.zeros((), dtype=torch.int64).expand(v.shape) for v in values]
            parts.setdefault((at, seen[at]), blank)[i] = value.full(layer)
    layers = []
    for (at, _), part in parts.items():
        if at and all(int(f.max()) <= 0 for f in part):  # the same places, in every part
            layers.append(coordinates([n if k in at else 1 for k, n in enumerate(shape)]))
        else:
            layers.append(compress(walk.units, join(part, dim), why))
    # Which part, lest two that are made of the same units be taken for each other.
    sizes = [1 if join is torch.stack else v.shape[along] for v in values]
    which = np.repeat(coordinates([len(values)]), sizes)
    if len(values) > 1:
        layers.append(which.reshape([-1 if k == along else 1 for k in range(len(shape))]))
    kept = [f for f in layers if f is not None]
    if any(n > 1 for n in sizes) and all(f.shape[along] == 1 for f in kept[:-1]):
        kept += Value.of([n if k == along else 1 for k, n in enumerate(shape)]).layers
    return Value(shape, tidy(kept))


@rule("cat", "concat", "concatenate")
def _cat(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    values = [walk.value(of) for of in given["tensors"]]
    return side_by_side(walk, values, given.get("dim", 0), _why(node))


@rule("stack")
def _stack(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    values = [walk.value(of) for of in given["tensors"]]
    return side_by_side(walk, values, given.get("dim", 0), _why(node), torch.stack)


def unknown(walk: Walk, node: fx.Node) -> Any:
    """After an operation without a rule: what goes in is fixed, what comes out are coordinates."""
    for of in node.all_input_nodes:
        value = walk.value(of)
        for one in value if isinstance(value, list) else [value]:
            for layer in one.layers:
                walk.units.fix(layer, _why(node))
    made = node.meta.get("val")
    several = isinstance(made, (tuple, list))
    found = [Value.of(getattr(v, "shape", ())) for v in (made if several else [made])]
    return found if several else found[0]
