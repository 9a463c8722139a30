"""Rules of values in an order of members: one a kind, entered by name, and what they ask for."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from torch import Tensor, fx

from ridgeline.graph import operation
from ridgeline.symmetry.images import Along, Image, Lost, Pointer
from ridgeline.symmetry.moves import FACTORIES

__all__ = [
    "KEPT",
    "LIKE",
    "RULES",
    "Followed",
    "by_element",
    "even",
    "pointing",
    "rule",
    "shape_of",
]

KEPT = {"to", "_to_copy", "type_as", "clone", "detach", "alias", "contiguous", "lift_fresh_copy"}
"""Operations that give what they are given."""

LIKE = {"zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full"}
"""Operations that give the same everywhere, of the shape of what they are given."""


class Followed(Protocol):
    """Questions that rules may ask of an exchange that is being followed."""

    count: int
    inorder: tuple[int, ...]
    constants: Mapping[fx.Node, Any]
    states: dict[fx.Node, Image]

    def number(self, of: Any) -> int:
        """A number for what a value is made of."""
        ...

    def key(self, of: Any) -> Any:
        """An argument as something that can be compared."""
        ...

    def want(self, of: Any, axis: int, order: tuple[int, ...]) -> None:
        """Note that a tensor of the state would have to be in an order of members."""
        ...


Rule = Callable[[Followed, fx.Node], Image]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Enter a function as the rule of operations."""

    def enter(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return enter


def shape_of(node: Any) -> tuple[int, ...]:
    """Return the shape of what a node gives; that of a number is empty."""
    return tuple(node.meta["val"].shape) if isinstance(node, fx.Node) else ()


def even(walk: Followed, of: Any, axis: int) -> bool:
    """True if an argument is the same at all positions of an axis of what it broadcasts to."""
    if not isinstance(of, fx.Node):
        return not isinstance(of, Tensor)
    shape = shape_of(of)
    if axis < 0 or axis >= len(shape) or shape[axis] == 1:
        return True
    if of in walk.constants and isinstance(x := walk.constants[of], Tensor):
        return bool((x == x.narrow(axis, 0, 1)).all())
    name = operation(of)
    if name in FACTORIES | LIKE:
        return True
    return name in KEPT and even(walk, of.args[0], axis)


def by_element(walk: Followed, node: fx.Node) -> Image:
    """After an operation element by element, with broadcasting."""
    size = len(shape_of(node))
    given = node.all_input_nodes
    if operation(node) in ("to", "type_as"):  # of another tensor its type alone
        given = given[:1]
    images = {n: walk.states.get(n) for n in given}
    found: set[tuple[int, tuple[int, ...]]] = set()
    for n, image in images.items():
        if isinstance(image, Along):
            found.add((image.axis - len(shape_of(n)), image.order))
        elif image is not None:
            return Lost()
    if len(found) != 1:
        return Lost()
    ((axis, order),) = found
    others = [n for n, image in images.items() if image is None]
    uneven = [n for n in others if not even(walk, n, axis + len(shape_of(n)))]
    for n in uneven:
        walk.want(n, axis, order)
    if uneven:
        return Lost()
    return Along(axis + size, order)


def pointing(walk: Followed, image: Along) -> Image:
    """The image of positions on an axis: numbers of members, if it has one for each in order."""
    return Pointer() if image.order == walk.inorder else Lost()
