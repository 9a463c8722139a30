"""Rules of numbers of members, of what they look up, and of laying side by side."""

from torch import Tensor, fx

from ridgeline.graph import arguments, operation
from ridgeline.symmetry.along.registry import Followed, by_element, even, rule, shape_of
from ridgeline.symmetry.images import Along, Image, Lost, Of, Pointer

__all__: list[str] = []

NOBODY = -1


@rule("one_hot")
def _marked(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    size = shape_of(node)[-1]
    if not isinstance(walk.states.get(given["self"]), Pointer) or size < walk.count:
        return Lost()
    order = (*walk.inorder, *[NOBODY] * (size - walk.count))
    return Along(len(shape_of(node)) - 1, order)


@rule("eq", "ne")
def _compared(walk: Followed, node: fx.Node) -> Image:
    """After numbers of members were compared with one, or with all in order."""
    given = arguments(node)
    pointers, other = given["self"], given["other"]
    if isinstance(other, fx.Node) and isinstance(walk.states.get(other), Pointer):
        pointers, other = other, pointers
    if not isinstance(walk.states.get(pointers), Pointer):
        return by_element(walk, node)
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
    even = axis + len(shape_of(pointers)) < 0 or shape_of(pointers)[axis] == 1
    inorder = other.flatten().tolist() == list(walk.inorder)
    return Along(axis + len(shape_of(node)), walk.inorder) if even and inorder else Lost()


@rule("scatter", "scatter_add")
def _scattered(walk: Followed, node: fx.Node) -> Image:
    """After values were written to members by their numbers."""
    given = arguments(node)
    shape, before = shape_of(node), walk.states.get(given["self"])
    axis = given["dim"] % max(len(shape), 1)
    source = given.get("src", given.get("value"))
    fits = before == Along(axis, walk.inorder) or (
        before is None and shape[axis] == walk.count and even(walk, given["self"], axis)
    )
    stays = not isinstance(source, fx.Node) or walk.states.get(source) is None
    pointed = isinstance(walk.states.get(given["index"]), Pointer)
    return Along(axis, walk.inorder) if fits and stays and pointed else Lost()


@rule("gather", "take_along_dim")
def _gathered(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    of = given["index"] if "index" in given else given["indices"]
    axis = (given.get("dim") or 0) % max(len(shape_of(given["self"])), 1)
    looked = walk.states.get(given["self"]) == Along(axis, walk.inorder)
    return None if looked and isinstance(walk.states.get(of), Pointer) else Lost()


@rule("embedding")
def _embedded(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    looked = walk.states.get(given["weight"]) == Along(0, walk.inorder)
    return None if looked and isinstance(walk.states.get(given["indices"]), Pointer) else Lost()


@rule("index_select")
def _selected(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    image, by = walk.states.get(given["self"]), walk.states.get(given["index"])
    if not isinstance(image, Along):
        return Lost()
    if given["dim"] % len(shape_of(node)) != image.axis:
        return image if by is None else Lost()
    return None if isinstance(by, Pointer) and image.order == walk.inorder else Lost()


@rule("cat", "concat", "concatenate", "stack")
def _beside(walk: Followed, node: fx.Node) -> Image:
    """After values in the same order of members were laid side by side along another axis."""
    given = arguments(node)
    images = [walk.states.get(n) for n in given["tensors"]]
    image = images[0]
    if not isinstance(image, Along) or any(other != image for other in images):
        return Lost()
    axis = given.get("dim", 0) % len(shape_of(node))
    if operation(node) == "stack":
        return Along(image.axis + (axis <= image.axis), image.order)
    return image if axis != image.axis else Lost()
