"""Rules of products that sum over named axes: einsum and what it stands for, and distances."""

from collections import Counter
from collections.abc import Sequence
from string import ascii_letters
from typing import Any

from torch import fx

from ridgeline.symmetry.labels import Value, combine, move, reduce
from ridgeline.symmetry.rules.registry import Walk, over, rule, unknown, why_of

__all__ = ["spelt"]


@rule("einsum")
def _einsum(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    axes = [len(walk.shape(of)) for of in given["tensors"]]
    parts, right = spelt(given["equation"], axes)
    if any(len(set(part)) < len(part) for part in parts):  # a diagonal
        return unknown(walk, node)
    values = []
    for part, of in zip(parts, given["tensors"], strict=True):
        others = right + "".join(q for q in parts if q is not part)
        held = isinstance(of, fx.Node) and len(part) == 3 and part[0] in others
        values.append((walk.stacked(of) if held else None) or walk.value(of))
    return _contracted(walk, node, parts, right, values)


def spelt(equation: str, axes: Sequence[int]) -> tuple[list[str], str]:
    """An equation without "..." and with its right side.

    Args:
        equation: As `torch.einsum` takes it.
        axes: How many axes each operand has.

    Returns:
        The letters of each operand, and those of the result. What "..." stands for is aligned
        from the right; left out, the right side is it and then, in alphabetical order, the
        letters that come once.
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    parts = left.split(",")
    more = [n - len(p.replace("...", "")) for p, n in zip(parts, axes, strict=True)]
    most = max((k for k, p in zip(more, parts, strict=True) if "..." in p), default=0)
    free = "".join(c for c in ascii_letters if c not in equation)[:most]
    if not arrow:
        count = Counter(left)
        right = "..." + "".join(sorted(c for c in count if c in ascii_letters and count[c] == 1))
    spelt = [p.replace("...", free[most - k :]) for p, k in zip(parts, more, strict=True)]
    return spelt, right.replace("...", free)


def _contracted(
    walk: Walk, node: fx.Node, parts: Sequence[str], right: str, values: Sequence[Value]
) -> Value:
    """After a sum of products: values whose axes are letters, of which some are summed over."""
    why = why_of(node)
    letters = list(dict.fromkeys("".join(parts)))
    laid = [_laid(walk, v, part, letters, why) for part, v in zip(parts, values, strict=True)]
    product = combine(walk.units, laid, why)
    gone = [k for k, c in enumerate(letters) if c not in right]
    total = reduce(walk.units, product, gone, why) if gone else product
    order = [letters.index(c) for c in right] + gone
    shape = tuple(total.shape[letters.index(c)] for c in right)
    return move(walk.units, total, lambda f: f.permute(order).reshape(shape), why)


def _laid(walk: Walk, value: Value, part: str, letters: Sequence[str], why: str) -> Value:
    """A value with an axis for each letter, of size 1 where it has none."""
    order = sorted(range(len(part)), key=lambda k: letters.index(part[k]))
    shape = tuple(value.shape[part.index(c)] if c in part else 1 for c in letters)
    return move(walk.units, value, lambda f: f.permute(order).reshape(shape), why)


@rule("bilinear")
def _bilinear(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    x, y, weight = (walk.value(given[n]) for n in ("input1", "input2", "weight"))
    batch = "".join(c for c in ascii_letters if c not in "oij")[: len(x.shape) - 1]
    made = _contracted(walk, node, [batch + "i", "oij", batch + "j"], batch + "o", [x, weight, y])
    if given.get("bias") is None:
        return made
    return combine(walk.units, [made, walk.value(given["bias"])], why_of(node))


@rule("tensordot")
def _tensordot(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    x, y = walk.value(given["self"]), walk.value(given["other"])
    one = list(ascii_letters[: len(x.shape)])
    other = list(ascii_letters[len(x.shape) : len(x.shape) + len(y.shape)])
    for a, b in zip(given["dims_self"], given["dims_other"], strict=True):
        other[b] = one[a]
    right = [c for c in one if c not in other] + [c for c in other if c not in one]
    return _contracted(walk, node, ["".join(one), "".join(other)], "".join(right), [x, y])


@rule("inner")
def _inner(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    x, y = walk.value(given["self"]), walk.value(given["other"])
    if not x.shape or not y.shape:
        return combine(walk.units, [x, y], why_of(node))
    one = ascii_letters[: len(x.shape) - 1]
    other = ascii_letters[len(one) : len(one) + len(y.shape) - 1]
    return _contracted(walk, node, [one + "Z", other + "Z"], one + other, [x, y])


@rule("outer", "ger")
def _outer(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    x, y = (walk.value(of) for of in list(given.values())[:2])
    return _contracted(walk, node, ["a", "b"], "ab", [x, y])


# --- how far two are from each other ---------------------------------------------------------


def _between(walk: Walk, node: fx.Node, x: Value, y: Value, axes: Sequence[int]) -> Value:
    """After a sum over axes of what two values make together."""
    both = combine(walk.units, [x, y], why_of(node))
    shape = walk.shape(node)
    total = reduce(walk.units, both, axes, why_of(node)) if axes else both
    return move(walk.units, total, lambda f: f.reshape(shape), why_of(node))


@rule("cosine_similarity", "pairwise_distance")
def _alike(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    x, y = walk.value(given["x1"]), walk.value(given["x2"])
    default = 1 if "cosine" in str(node.target) else -1
    return _between(walk, node, x, y, [given.get("dim", default)])


@rule("cdist")
def _distances(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    x, y = walk.value(given["x1"]), walk.value(given["x2"])
    x = move(walk.units, x, lambda f: f.unsqueeze(-2), why_of(node))
    y = move(walk.units, y, lambda f: f.unsqueeze(-3), why_of(node))
    return _between(walk, node, x, y, [-1])


@rule("dist")
def _distance(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    x, y = walk.value(given["self"]), walk.value(given["other"])
    return _between(walk, node, x, y, range(max(len(x.shape), len(y.shape))))


@rule("linalg_norm", "linalg_matrix_norm")
def _norm(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    """Norms that treat alike all that they take in; of matrices, only the Frobenius norm does."""
    x, dims = walk.value(given["self"]), given.get("dim")
    matrix = "matrix" in str(node.target)
    kind = given.get("ord", "fro" if matrix else None)
    dims = (-2, -1) if matrix and dims is None else dims
    axes = range(len(x.shape)) if dims is None else [dims] if isinstance(dims, int) else dims
    if len(axes) > 1 and kind not in (None, "fro"):
        return unknown(walk, node)
    return _between(walk, node, x, x, list(axes))


@rule("renorm")
def _renorm(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    x = walk.value(given["self"])
    axes = [k for k in range(len(x.shape)) if k != given["dim"] % len(x.shape)]
    return over(walk, x, axes, why_of(node))
