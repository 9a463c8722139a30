"""Images of values that are put in the order of members along one axis: a router's, a stack's."""

from collections.abc import Callable, Mapping, Sequence
from string import ascii_letters
from typing import Any, Protocol

import torch
from torch import Tensor, fx

from ridgeline.graph import arguments, operation
from ridgeline.symmetry.images import Along, Image, Lost, Of, Pointer
from ridgeline.symmetry.moves import FACTORIES, MOVES, moved, pointwise
from ridgeline.symmetry.rules.contractions import spelt

__all__ = ["KEPT", "followed"]

KEPT = {"to", "_to_copy", "type_as", "clone", "detach", "alias", "contiguous", "lift_fresh_copy"}
"""Operations that give what they are given."""

LIKE = {"zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full"}
TOTALS = {
    *("sum", "mean", "amax", "amin", "logsumexp", "prod", "var", "std", "any", "all", "norm"),
    *("linalg_vector_norm", "max", "min", "nansum", "nanmean", "argmax", "argmin"),
}
SOFTMAX = {"softmax", "log_softmax", "_softmax", "_log_softmax", "_safe_softmax", "softmin"}
SPLITS = {"select", "slice", "narrow", "split", "split_with_sizes", "chunk", "unbind"}
NOBODY = -1


class Followed(Protocol):
    """What rules may ask of an exchange that is being followed."""

    count: int
    inorder: tuple[int, ...]
    constants: Mapping[fx.Node, Any]
    states: dict[fx.Node, Image]

    def number(self, of: Any) -> int:
        """A number for what a value is made of."""
        ...

    def key(self, of: Any) -> Any:
        """What an argument is, as something that can be compared."""
        ...


def followed(walk: Followed, node: fx.Node) -> Image:
    """The image of what an operation gives, whose arguments are in order of members or stay.

    Args:
        walk: The exchange.
        node: The operation.
    """
    name = operation(node)
    if name in LIKE:
        return None
    source = node.args[0] if node.args else None
    first = walk.states.get(source) if isinstance(source, fx.Node) else None
    if name in RULES:
        return RULES[name](walk, node)
    if isinstance(first, Pointer) and len(node.all_input_nodes) == 1 and name in MOVES | KEPT:
        return first
    if name in MOVES or name == "index":
        return _moved(walk, node, name, first)
    if pointwise(node, name) or name in KEPT:
        return _by_element(walk, node)
    return Lost()


Rule = Callable[[Followed, fx.Node], Image]
RULES: dict[str, Rule] = {}


def _rule(*names: str) -> Callable[[Rule], Rule]:
    def enter(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return enter


def _shape(node: Any) -> tuple[int, ...]:
    return tuple(node.meta["val"].shape) if isinstance(node, fx.Node) else ()


def _even(walk: Followed, of: Any, axis: int) -> bool:
    """True if an argument is the same at all positions of an axis of what it broadcasts to."""
    if not isinstance(of, fx.Node):
        return not isinstance(of, Tensor)
    shape = _shape(of)
    if axis < 0 or axis >= len(shape) or shape[axis] == 1:
        return True
    if of in walk.constants and isinstance(x := walk.constants[of], Tensor):
        return bool((x == x.narrow(axis, 0, 1)).all())
    name = operation(of)
    if name in FACTORIES | LIKE:
        return True
    return name in KEPT and _even(walk, of.args[0], axis)


def _by_element(walk: Followed, node: fx.Node) -> Image:
    """After an operation element by element, with broadcasting."""
    size = len(_shape(node))
    images = {n: walk.states.get(n) for n in node.all_input_nodes}
    found: set[tuple[int, tuple[int, ...]]] = set()
    for n, image in images.items():
        if isinstance(image, Along):
            found.add((image.axis - len(_shape(n)), image.order))
        elif image is not None:
            return Lost()
    if len(found) != 1:
        return Lost()
    ((axis, order),) = found
    others = [n for n, image in images.items() if image is None]
    if not all(_even(walk, n, axis + len(_shape(n))) for n in others):
        return Lost()
    return Along(axis + size, order)


def _moved(walk: Followed, node: fx.Node, name: str, first: Image) -> Image:
    """After an operation that moves elements about, or takes some of them."""
    source = node.args[0]
    others = [n for n in node.all_input_nodes if n is not source]
    if not isinstance(first, Along) or not isinstance(source, fx.Node):
        return Lost()
    if any(n not in walk.constants for n in others):
        return _looked_up(walk, node, first) if name == "index" else Lost()
    if name in ("pad", "constant_pad_nd"):
        return Lost()
    shape = _shape(source)
    sizes = [-1 if k == first.axis else 1 for k in range(len(shape))]
    rank = [first.order[:k].count(m) for k, m in enumerate(first.order)]
    both = torch.stack([torch.tensor(first.order), torch.tensor(rank)]).view(2, *sizes)
    laid = both.expand(2, *shape)
    parts = [moved(node, source, x, walk.constants) for x in laid]
    if isinstance(parts[0], (tuple, list)):
        return [_read(walk, node, first, *pair) for pair in zip(*parts, strict=True)]
    return _read(walk, node, first, *parts)


def _read(walk: Followed, node: fx.Node, before: Along, member: Tensor, rank: Tensor) -> Image:
    """The image of a value of which is known whose each element is."""
    axes = [k for k in range(member.ndim) if not bool((member == member.narrow(k, 0, 1)).all())]
    if not axes:
        return _picked(walk, node, before, member, rank)
    if len(axes) > 1:
        return Lost()
    order = member.movedim(axes[0], 0).flatten(1)[:, 0].tolist()
    ranks = rank.movedim(axes[0], 0)
    held = [[ranks[k].tolist() for k, m in enumerate(order) if m == one] for one in walk.inorder]
    alike = all(h == held[0] for h in held) and bool(held[0])
    return Along(axes[0], tuple(order)) if alike else Lost()


def _picked(walk: Followed, node: fx.Node, before: Along, member: Tensor, rank: Tensor) -> Image:
    """One member's part, taken out."""
    if not member.numel() or int(member.flatten()[0]) == NOBODY:
        return Lost()
    mine = int(member.flatten()[0])
    taken = rank.flatten().unique()
    source = node.args[0]
    made = ("taken", walk.key(source), before.axis, tuple(taken.tolist()), tuple(member.shape))
    whole = len(taken) == before.order.count(mine) and operation(node) in SPLITS
    return Of(mine, walk.number(made)) if whole else Lost()


def _looked_up(walk: Followed, node: fx.Node, image: Along) -> Image:
    """After rows were chosen by numbers of members."""
    chosen = list(arguments(node)["indices"])
    by = [k for k, one in enumerate(chosen) if one is not None]
    if image.order != walk.inorder or by != [image.axis]:
        return Lost()
    return None if isinstance(walk.states.get(chosen[by[0]]), Pointer) else Lost()


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


def _pointing(walk: Followed, image: Along) -> Image:
    return Pointer() if image.order == walk.inorder else Lost()


def _total(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    source = next(iter(given.values()))
    image = walk.states.get(source)
    if "other" in given:
        return _by_element(walk, node)
    if not isinstance(image, Along) or len(node.all_input_nodes) > 1:
        return Lost()
    gone = _list(given.get("dim"), len(_shape(source)))
    left = _left(image, gone, given.get("keepdim", False))
    if operation(node) in ("argmax", "argmin"):
        if given.get("dim") is None:
            return Lost()
        return left if image.axis not in gone else _pointing(walk, image)
    if isinstance(node.meta["val"], (tuple, list)):
        return [left, left if image.axis not in gone else _pointing(walk, image)]
    return left


_rule(*TOTALS)(_total)


@_rule(*SOFTMAX)
def _softmax(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    image = walk.states.get(next(iter(given.values())))
    return image if isinstance(image, Along) else Lost()


@_rule("topk", "sort")
def _largest(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    image = walk.states.get(given["self"])
    if not isinstance(image, Along):
        return Lost()
    axis = given.get("dim", -1) % len(_shape(given["self"]))
    return [None, _pointing(walk, image)] if axis == image.axis else [image, image]


@_rule("cumsum", "cumprod")
def _running(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    image = walk.states.get(given["self"])
    along = isinstance(image, Along) and given["dim"] % len(_shape(node)) != image.axis
    return image if along else Lost()


@_rule("one_hot")
def _marked(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    size = _shape(node)[-1]
    if not isinstance(walk.states.get(given["self"]), Pointer) or size < walk.count:
        return Lost()
    order = (*walk.inorder, *[NOBODY] * (size - walk.count))
    return Along(len(_shape(node)) - 1, order)


@_rule("eq", "ne")
def _compared(walk: Followed, node: fx.Node) -> Image:
    """After numbers of members were compared with one, or with all in order."""
    given = arguments(node)
    pointers, other = given["self"], given["other"]
    if isinstance(other, fx.Node) and isinstance(walk.states.get(other), Pointer):
        pointers, other = other, pointers
    if not isinstance(walk.states.get(pointers), Pointer):
        return _by_element(walk, node)
    if isinstance(other, fx.Node) and (x := walk.constants.get(other)) is not None:
        other = x
    if isinstance(other, Tensor) and other.numel() == 1:
        other = other.item()
    equal = operation(node).startswith("eq")
    if isinstance(other, (int, float)):
        known = other in walk.inorder
        made = walk.number(("is" if equal else "is not", walk.key(pointers)))
        return Of(int(other), made, apart=equal) if known else Lost()
    if not isinstance(other, Tensor) or other.numel() != walk.count:
        return Lost()
    axis = next(k for k, n in enumerate(other.shape) if n > 1) - other.ndim
    even = axis + len(_shape(pointers)) < 0 or _shape(pointers)[axis] == 1
    inorder = other.flatten().tolist() == list(walk.inorder)
    return Along(axis + len(_shape(node)), walk.inorder) if even and inorder else Lost()


@_rule("scatter", "scatter_add")
def _scattered(walk: Followed, node: fx.Node) -> Image:
    """After values were written to members by their numbers."""
    given = arguments(node)
    shape, before = _shape(node), walk.states.get(given["self"])
    axis = given["dim"] % max(len(shape), 1)
    source = given.get("src", given.get("value"))
    fits = before == Along(axis, walk.inorder) or (
        before is None and shape[axis] == walk.count and _even(walk, given["self"], axis)
    )
    stays = not isinstance(source, fx.Node) or walk.states.get(source) is None
    pointed = isinstance(walk.states.get(given["index"]), Pointer)
    return Along(axis, walk.inorder) if fits and stays and pointed else Lost()


@_rule("gather", "take_along_dim")
def _gathered(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    of = given["index"] if "index" in given else given["indices"]
    axis = (given.get("dim") or 0) % max(len(_shape(given["self"])), 1)
    looked = walk.states.get(given["self"]) == Along(axis, walk.inorder)
    return None if looked and isinstance(walk.states.get(of), Pointer) else Lost()


@_rule("embedding")
def _embedded(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    looked = walk.states.get(given["weight"]) == Along(0, walk.inorder)
    return None if looked and isinstance(walk.states.get(given["indices"]), Pointer) else Lost()


@_rule("index_select")
def _selected(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    image, by = walk.states.get(given["self"]), walk.states.get(given["index"])
    if not isinstance(image, Along):
        return Lost()
    if given["dim"] % len(_shape(node)) != image.axis:
        return image if by is None else Lost()
    return None if isinstance(by, Pointer) and image.order == walk.inorder else Lost()


@_rule("layer_norm", "rms_norm")
def _normalised(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    image = walk.states.get(given["input"])
    still = all(n is given["input"] or walk.states.get(n) is None for n in node.all_input_nodes)
    inside = len(_shape(node)) - len(given["normalized_shape"])
    return image if isinstance(image, Along) and still and image.axis < inside else Lost()


@_rule("cat", "concat", "concatenate", "stack")
def _beside(walk: Followed, node: fx.Node) -> Image:
    """After values in the same order of members were laid side by side along another axis."""
    given = arguments(node)
    images = [walk.states.get(n) for n in given["tensors"]]
    image = images[0]
    if not isinstance(image, Along) or any(other != image for other in images):
        return Lost()
    axis = given.get("dim", 0) % len(_shape(node))
    if operation(node) == "stack":
        return Along(image.axis + (axis <= image.axis), image.order)
    return image if axis != image.axis else Lost()


# --- products that sum over named axes --------------------------------------------------------


@_rule("linear")
def _linear(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    batch = ascii_letters[2 : 1 + len(_shape(given["input"]))]
    parts = [(given["input"], batch + "A"), (given["weight"], "BA")]
    if given.get("bias") is not None:
        parts.append((given["bias"], "B"))
    return _product(walk, parts, batch + "B")


@_rule("matmul", "mm", "bmm", "mv", "dot")
def _multiplied(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    x, y = list(given.values())[:2]
    size = len(_shape(node))
    one = ["A"] if len(_shape(x)) == 1 else ["B", "A"]
    other = ["A"] if len(_shape(y)) == 1 else ["A", "C"]
    right = [*one[:-1], *other[1:]]
    batch = list(ascii_letters[: size - len(right)])
    spelt_parts = []
    for k, (of, last) in enumerate(((x, one), (y, other))):
        lead = _shape(of)[: len(_shape(of)) - len(last)]
        names = batch[len(batch) - len(lead) :]
        free = [("XYZUVW"[j] if k else "PQRSTL"[j]) if n == 1 else c
                for j, (c, n) in enumerate(zip(names, lead, strict=True))]  # fmt: skip
        spelt_parts.append((of, "".join([*free, *last])))
    return _product(walk, spelt_parts, "".join([*batch, *right]))


@_rule("einsum")
def _einsum(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    operands = list(given["tensors"])
    parts, right = spelt(given["equation"], [len(_shape(of)) for of in operands])
    return _product(walk, list(zip(operands, parts, strict=True)), right)


def _product(walk: Followed, parts: Sequence[tuple[Any, str]], right: str) -> Image:
    """After a sum of products: all that have the members' axis must be in the same order."""
    images = [(walk.states.get(of), spelling) for of, spelling in parts]
    along = [(image, s) for image, s in images if isinstance(image, Along)]
    if any(image is not None and not isinstance(image, Along) for image, _ in images):
        return Lost()
    letters = {s[image.axis] for image, s in along}
    if len(letters) != 1 or len({image.order for image, _ in along}) != 1:
        return Lost()
    (letter,) = letters
    others = [(of, s) for (of, s), (image, _) in zip(parts, images, strict=True) if image is None]
    if any(letter in s and not _even(walk, of, s.index(letter)) for of, s in others):
        return Lost()
    return Along(right.index(letter), along[0][0].order) if letter in right else None
