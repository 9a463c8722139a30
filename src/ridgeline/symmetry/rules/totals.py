"""Rules of sums, norms and neighbours."""

from typing import Any

from torch import fx

from ridgeline.symmetry.labels import Value, combine, move, reduce, spatial
from ridgeline.symmetry.rules.ordered import indices_used
from ridgeline.symmetry.rules.registry import Walk, over, rule, unknown, why_of

__all__: list[str] = []


def _list(dims: Any) -> list[int]:
    return [dims] if isinstance(dims, int) else list(dims)


@rule("softmax", "log_softmax", "_softmax", "_safe_softmax", "softmin", "_log_softmax")
def _softmax(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    return over(walk, walk.value(given["self"]), [given["dim"]], why_of(node))


@rule("glu")
def _glu(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    x, dim = walk.value(given["self"]), given.get("dim", -1)
    halves = [move(walk.units, x, lambda f, k=k: f.chunk(2, dim)[k], why_of(node)) for k in (0, 1)]
    return combine(walk.units, halves, why_of(node))


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
    "nanmean",
    "frobenius_norm",
    "nansum",
)
def _total(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Any:
    x = walk.value(next(iter(given.values())))
    if "other" in given:  # max and min of two
        return combine(walk.units, [x, walk.value(given["other"])], why_of(node))
    several = isinstance(node.meta["val"], (tuple, list))
    if several and indices_used(node):  # they tell apart what lies along the axis
        return unknown(walk, node)
    dims = given.get("dim")
    axes = list(range(len(x.shape))) if dims is None or dims == [] else _list(dims)
    total = reduce(walk.units, x, axes, why_of(node)) if axes else x
    if several:
        shape = tuple(node.meta["val"][0].shape)
        return [_shaped(walk, total, shape, node), Value.of(shape)]
    return _shaped(walk, total, walk.shape(node), node)


def _shaped(walk: Walk, value: Value, shape: tuple[int, ...], node: fx.Node) -> Value:
    return move(walk.units, value, lambda f: f.reshape(shape), why_of(node))


@rule("var_mean", "std_mean", "aminmax")
def _two_totals(walk: Walk, node: fx.Node, given: dict[str, Any]) -> list[Value]:
    x = walk.value(given["self"])
    dims = given.get("dim")
    axes = list(range(len(x.shape))) if dims is None or dims == [] else _list(dims)
    total = reduce(walk.units, x, axes, why_of(node))
    return [_shaped(walk, total, tuple(v.shape), node) for v in node.meta["val"]]


@rule("layer_norm", "rms_norm", "native_layer_norm", "_fused_rms_norm")
def _layer_norm(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Any:
    x = walk.value(given["input"])
    axes = [-1 - k for k in range(len(given["normalized_shape"]))]
    scales = [walk.value(given[n]) for n in ("weight", "bias") if given.get(n) is not None]
    made = over(walk, x, axes, why_of(node), *scales)
    parts = node.meta["val"]
    if not isinstance(parts, (tuple, list)):
        return made
    total = reduce(walk.units, x, axes, why_of(node))  # of which its statistics are made
    return [made, *(_shaped(walk, total, tuple(v.shape), node) for v in parts[1:])]


@rule("_weight_norm")
def _weight_norm(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    v, length, dim = walk.value(given["v"]), walk.value(given["g"]), given.get("dim", 0)
    axes = [k for k in range(len(v.shape)) if dim == -1 or k != dim % len(v.shape)]
    return over(walk, v, axes, why_of(node), length)


def _channels(walk: Walk, given: dict[str, Any], axes: int, why: str) -> list[Value]:
    """Tensors of a normalisation that hold a number for each channel, the second axis."""
    names = ("weight", "bias", "running_mean", "running_var")
    held = [walk.value(given[n]) for n in names if given.get(n) is not None]
    shape = (-1, *[1] * (axes - 2))
    return [move(walk.units, x, lambda f: f.reshape(shape), why) for x in held]


@rule("batch_norm", "_native_batch_norm_legit_no_training")
def _batch_norm(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Any:
    x, parts = walk.value(given["input"]), node.meta["val"]
    channels = _channels(walk, given, len(x.shape), why_of(node))
    made = combine(walk.units, [x, *channels], why_of(node))
    if not isinstance(parts, (tuple, list)):
        return made
    return [made, *(Value.of(v.shape) for v in parts[1:])]  # empty ones


@rule("instance_norm")
def _instance_norm(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    x, why = walk.value(given["input"]), why_of(node)
    return over(walk, x, range(2, len(x.shape)), why, *_channels(walk, given, len(x.shape), why))


@rule("group_norm")
def _group_norm(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    x, why = walk.value(given["input"]), why_of(node)
    groups = given["num_groups"]
    parted = move(walk.units, x, lambda f: f.reshape(f.shape[0], groups, -1, *f.shape[2:]), why)
    parted = over(walk, parted, range(2, len(parted.shape)), why)
    joined = _shaped(walk, parted, x.shape, node)
    return combine(walk.units, [joined, *_channels(walk, given, len(x.shape), why)], why)


@rule(
    *(
        f"{kind}_pool{k}d"
        for kind in ("max", "avg", "adaptive_avg", "adaptive_max")
        for k in (1, 2, 3)
    ),
    *(f"max_pool{k}d_with_indices" for k in (1, 2, 3)),
    *(f"_adaptive_avg_pool{k}d" for k in (2, 3)),
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
    value = spatial(walk.units, x, shape, len(shape) - axes, why_of(node))
    return [value, value] if several else value
