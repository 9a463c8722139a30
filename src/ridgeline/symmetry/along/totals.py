"""Rules of totals, ranks and norms of values in an order of members."""

from collections.abc import Sequence
from typing import Any

from torch import fx

from ridgeline.graph import arguments, operation
from ridgeline.symmetry.along.registry import Followed, by_element, pointing, rule, shape_of
from ridgeline.symmetry.images import Along, Image, Lost

__all__: list[str] = []

TOTALS = {
    *("sum", "mean", "amax", "amin", "logsumexp", "prod", "var", "std", "any", "all", "norm"),
    *("linalg_vector_norm", "max", "min", "nansum", "nanmean", "argmax", "argmin"),
}
SOFTMAX = {"softmax", "log_softmax", "_softmax", "_log_softmax", "_safe_softmax", "softmin"}


def _list(dims: Any, size: int) -> list[int]:
    if dims is None or dims == []:
        return list(range(size))
    return [d % max(size, 1) for d in ([dims] if isinstance(dims, int) else dims)]


def _left(image: Along, gone: Sequence[int], keep: bool) -> Image:
    """After a total over axes."""
    if image.axis in gone:
        return None
    less = 0 if keep else sum(k < image.axis for k in gone)
    return Along(image.axis - less, image.order)


def _total(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    source = next(iter(given.values()))
    image = walk.states.get(source)
    if "other" in given:
        return by_element(walk, node)
    if not isinstance(image, Along) or len(node.all_input_nodes) > 1:
        return Lost()
    gone = _list(given.get("dim"), len(shape_of(source)))
    left = _left(image, gone, given.get("keepdim", False))
    if operation(node) in ("argmax", "argmin"):
        if given.get("dim") is None:
            return Lost()
        return left if image.axis not in gone else pointing(walk, image)
    if isinstance(node.meta["val"], (tuple, list)):
        return [left, left if image.axis not in gone else pointing(walk, image)]
    return left


rule(*TOTALS)(_total)


@rule(*SOFTMAX)
def _softmax(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    image = walk.states.get(next(iter(given.values())))
    return image if isinstance(image, Along) else Lost()


@rule("topk", "sort")
def _largest(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    image = walk.states.get(given["self"])
    if not isinstance(image, Along):
        return Lost()
    axis = given.get("dim", -1) % len(shape_of(given["self"]))
    return [None, pointing(walk, image)] if axis == image.axis else [image, image]


@rule("cumsum", "cumprod")
def _running(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    image = walk.states.get(given["self"])
    along = isinstance(image, Along) and given["dim"] % len(shape_of(node)) != image.axis
    return image if along else Lost()


@rule("layer_norm", "rms_norm")
def _normalised(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    image = walk.states.get(given["input"])
    still = all(n is given["input"] or walk.states.get(n) is None for n in node.all_input_nodes)
    inside = len(shape_of(node)) - len(given["normalized_shape"])
    return image if isinstance(image, Along) and still and image.axis < inside else Lost()


@rule("batch_norm")
def _batch_norm(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    image, size = walk.states.get(given["input"]), len(shape_of(node))
    if not isinstance(image, Along):
        return Lost()
    if image.axis != 1:
        return (
            image if all(walk.states.get(n) is None for n in node.all_input_nodes[1:]) else Lost()
        )
    names = ("weight", "bias", "running_mean", "running_var")
    held = [given[n] for n in names if given.get(n) is not None]
    fit = [walk.states.get(n) == Along(0, image.order) for n in held]
    for n in held:
        walk.want(n, -1, image.order)
    return Along(1, image.order) if all(fit) and size > 1 else Lost()
