"""Rules of products that sum over named axes, of values in an order of members."""

from collections.abc import Sequence
from string import ascii_letters
from typing import Any

from torch import fx

from ridgeline.graph import arguments
from ridgeline.symmetry.along.registry import Followed, even, rule, shape_of
from ridgeline.symmetry.images import Along, Image, Lost
from ridgeline.symmetry.rules.contractions import spelt

__all__: list[str] = []


@rule("linear")
def _linear(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    batch = ascii_letters[2 : 1 + len(shape_of(given["input"]))]
    parts = [(given["input"], batch + "A"), (given["weight"], "BA")]
    if given.get("bias") is not None:
        parts.append((given["bias"], "B"))
    return _product(walk, parts, batch + "B")


@rule("conv1d", "conv2d", "conv3d")
def _convolved(walk: Followed, node: fx.Node) -> Image:
    """After a convolution of channels in an order of members; what is of pixels is summed over."""
    given = arguments(node)
    if given.get("groups", 1) != 1 or len(shape_of(given["input"])) != len(shape_of(node)):
        return Lost()
    free = "cdefg"[: len(shape_of(node)) - 2]
    pixels = "hijkl"[: len(free)]
    parts = [(given["input"], "aA" + pixels), (given["weight"], "BA" + free)]
    if given.get("bias") is not None:
        parts.append((given["bias"], "B"))
    image = _product(walk, parts, "aB" + pixels)
    over = isinstance(image, Along) and image.axis > 1
    return Lost() if over else image


@rule("matmul", "mm", "bmm", "mv", "dot")
def _multiplied(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    x, y = list(given.values())[:2]
    size = len(shape_of(node))
    one = ["A"] if len(shape_of(x)) == 1 else ["B", "A"]
    other = ["A"] if len(shape_of(y)) == 1 else ["A", "C"]
    right = [*one[:-1], *other[1:]]
    batch = list(ascii_letters[: size - len(right)])
    spelt_parts = []
    for k, (of, last) in enumerate(((x, one), (y, other))):
        lead = shape_of(of)[: len(shape_of(of)) - len(last)]
        names = batch[len(batch) - len(lead) :]
        free = [("XYZUVW"[j] if k else "PQRSTL"[j]) if n == 1 else c
                for j, (c, n) in enumerate(zip(names, lead, strict=True))]  # fmt: skip
        spelt_parts.append((of, "".join([*free, *last])))
    return _product(walk, spelt_parts, "".join([*batch, *right]))


@rule("einsum")
def _einsum(walk: Followed, node: fx.Node) -> Image:
    given = arguments(node)
    operands = list(given["tensors"])
    parts, right = spelt(given["equation"], [len(shape_of(of)) for of in operands])
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
    uneven = [(of, s) for of, s in others if letter in s and not even(walk, of, s.index(letter))]
    for of, s in uneven:
        walk.want(of, s.index(letter) - len(s), along[0][0].order)
    if uneven:
        return Lost()
    return Along(right.index(letter), along[0][0].order) if letter in right else None
