"""Operations that move values in an order of members about, or take one member's part."""

import torch
from torch import Tensor, fx

from ridgeline.graph import arguments, operation
from ridgeline.symmetry.along.registry import KEPT, LIKE, RULES, Followed, by_element, shape_of
from ridgeline.symmetry.images import Along, Image, Lost, Of, Pointer
from ridgeline.symmetry.moves import MOVES, moved, pointwise

__all__ = ["followed"]

SPLITS = {"select", "slice", "narrow", "split", "split_with_sizes", "chunk", "unbind"}
NOBODY = -1
"""In an order of members: a position of none of them."""


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
        return by_element(walk, node)
    return Lost()


def _moved(walk: Followed, node: fx.Node, name: str, first: Image) -> Image:
    """After an operation that moves elements about, or takes some of them."""
    source = node.args[0]
    others = [n for n in node.all_input_nodes if n is not source]
    if not isinstance(first, Along) or not isinstance(source, fx.Node):
        return Lost()
    shaped = name in ("expand_as", "view_as", "reshape_as")  # of the other, its shape alone
    if not shaped and any(n not in walk.constants for n in others):
        return _looked_up(walk, node, first) if name == "index" else Lost()
    if name in ("pad", "constant_pad_nd"):
        return Lost()
    shape = shape_of(source)
    sizes = [-1 if k == first.axis else 1 for k in range(len(shape))]
    rank = [first.order[:k].count(m) for k, m in enumerate(first.order)]
    both = torch.stack([torch.tensor(first.order), torch.tensor(rank)]).view(2, *sizes)
    laid = both.expand(2, *shape)
    if shaped:
        size = shape_of(node)
        parts = [x.expand(size) if name == "expand_as" else x.reshape(size) for x in laid]
    else:
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
