"""Parts of a value that are written over, and rows that are chosen by other tensors."""

from typing import Any

import numpy as np
import torch
from torch import fx

from ridgeline.graph import arguments, operation
from ridgeline.symmetry.labels import Value, move
from ridgeline.symmetry.rules.joining import side_by_side
from ridgeline.symmetry.rules.lookups import is_mask, picked
from ridgeline.symmetry.rules.pointers import pointed, points_of
from ridgeline.symmetry.rules.registry import Walk, rule, unknown

__all__ = ["chosen"]


@rule("slice_scatter", "select_scatter")
def _scatter(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    whole, part = walk.value(given["self"]), walk.value(given["src"])
    why = f"cannot be followed through {node.name}"
    dim = given.get("dim", 0) % len(whole.shape)
    size = whole.shape[dim]
    if "index" in given:
        written = [given["index"] % size]
        part = move(walk.units, part, lambda f: f.unsqueeze(dim), why)
    else:
        ends = slice(given.get("start"), given.get("end"), given.get("step", 1))
        written = list(range(size))[ends]
    kept = [k for k in range(size) if k not in set(written)]
    if not kept:
        return part
    left = torch.tensor(kept)
    rest = move(walk.units, whole, lambda f: f.index_select(dim, left), why)
    joined = side_by_side(walk, [rest, part], dim, why)
    order = torch.from_numpy(np.argsort([*kept, *written]))
    return move(walk.units, joined, lambda f: f.index_select(dim, order), why)


def chosen(walk: Walk, node: fx.Node) -> Any:
    """After rows were chosen by tensors of data or of the state, as of a table of positions.

    What stands along the axes that are chosen from is fixed, and what chooses; the other axes
    stay as they are.
    """
    value, index = walk.value(node.args[0]), _indices(walk, node)
    places = [k for k, one in enumerate(index) if one is not None]
    why = f"chosen by {node.name}"
    masks = [index[k] for k in places if is_mask(index[k])]
    if masks and len(places) > 1:
        return unknown(walk, node)
    if masks:
        return _masked(walk, value, masks[0], places[0], walk.shape(node), why)
    points = points_of(walk, index[places[0]]) if len(places) == 1 else None
    if points is not None and len(points) == value.shape[places[0]]:
        value = pointed(walk, value, places[0], points, why)
    for k in places:
        for layer in walk.value(index[k]).layers:
            walk.units.fix(layer, why)
    # Axes that lie together are replaced where they were, others by ones at the front.
    together = places == list(range(places[0], places[-1] + 1))
    new = max(len(walk.shape(index[k])) for k in places)
    return picked(walk, value, places, places[0] if together else 0, new, walk.shape(node), why)


def _masked(
    walk: Walk, value: Value, mask: fx.Node, first: int, shape: tuple[int, ...], why: str
) -> Value:
    """After the positions where a mask is true were laid one after the other, along one axis."""
    for layer in walk.value(mask).layers:
        walk.units.fix(layer, why)
    gone = range(first, first + len(walk.shape(mask)))
    return picked(walk, value, gone, first, 1, shape, why)


def _indices(walk: Walk, node: fx.Node) -> list[Any]:
    """Return what chooses along each axis, or None."""
    if operation(node) != "index_select":
        return list(node.args[1])  # type: ignore[arg-type]  # a list
    given = arguments(node)
    axis = given["dim"] % len(walk.shape(given["self"]))
    return [*[None] * axis, given["index"]]
