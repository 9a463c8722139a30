"""Symmetries written by hand over bare tensors, with all that places can be."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch

from ridgeline.state import State
from ridgeline.symmetry import Group, Place, Symmetry

Case = tuple[Symmetry, dict[str, tuple[int, ...]]]


def drawn(shapes: dict[str, tuple[int, ...]], seed: int, dtype=torch.float64) -> State:
    """A state with normal entries."""
    draw = torch.Generator().manual_seed(seed)
    return {n: torch.randn(s, generator=draw, dtype=torch.float64).to(dtype)
            for n, s in shapes.items()}  # fmt: skip


def index(fibres: int, size: int, width: int = 1, first: int = 0) -> np.ndarray:
    return first + np.arange(fibres * size * width).reshape(fibres, size, width)


def chain(*widths: int) -> Case:
    shapes = {}
    for i, (n, m) in enumerate(pairwise(widths)):
        shapes |= {f"{i}.kernel": (n, m), f"{i}.shift": (m,)}  # inputs first, other names
    groups = []
    for i, m in enumerate(widths[1:-1]):
        at = index(1, m)
        places = Place(f"{i}.kernel", 1, at), Place(f"{i}.shift", 0, at)
        groups.append(Group(str(i), (*places, Place(f"{i + 1}.kernel", 0, at))))
    return Symmetry(tuple(groups), shapes), shapes


def heads(n: int = 3, k: int = 4, d: int = 5) -> Case:
    """Attention: channels of queries and keys, of values and outputs, inside of heads."""
    shapes = {"q": (n * k, d), "qb": (n * k,), "k": (n * k, d), "v": (n * k, d), "o": (d, n * k)}
    inner, outer = index(n, k), index(1, n, k)
    qk = tuple(Place(t, 0, inner) for t in ("q", "qb", "k"))
    vo = Place("v", 0, inner), Place("o", 1, inner)
    every = [Place(t, 0, outer) for t in ("q", "qb", "k", "v")]
    return Symmetry(
        (
            Group("qk", qk, inside="heads"),
            Group("vo", vo, inside="heads"),
            Group("heads", (*every, Place("o", 1, outer))),
        ),
        shapes,
    ), shapes


def grouped(n: int = 3, k: int = 3, d: int = 7) -> Case:
    """A grouped convolution between two others: inner groups that share a tensor."""
    shapes = {"first": (n * k, d), "norm": (n * k,), "grouped": (n * k, k, 3), "last": (d, n * k)}
    inner, outer = index(n, k), index(1, n, k)
    confined = np.tile(np.arange(k)[None, :, None], (n, 1, 1))
    rows = np.arange(n * k).reshape(n, k)
    into = (
        Place("first", 0, inner),
        Place("norm", 0, inner),
        Place("grouped", 1, confined, within=(0, rows)),
    )
    out = Place("grouped", 0, inner), Place("last", 1, inner)
    blocks = (*(Place(t, 0, outer) for t in ("first", "norm", "grouped")), Place("last", 1, outer))
    return Symmetry(
        (
            Group("into", into, inside="blocks"),
            Group("out", out, inside="blocks"),
            Group("blocks", blocks),
        ),
        shapes,
    ), shapes


def stream(n: int = 4, d: int = 3) -> Case:
    """A residual stream whose own weight has it on both axes."""
    shapes = {"embed": (n, d), "mix": (n, n), "read": (2, n)}
    at = index(1, n)
    places = Place("embed", 0, at), Place("mix", 0, at), Place("mix", 1, at), Place("read", 1, at)
    return Symmetry((Group("stream", places),), shapes), shapes


def three() -> Case:
    """Units inside of units inside of units, and a fixed tensor beside."""
    shapes = {"w": (12, 30), "v": (5, 12), "fixed": (4,)}
    levels = (("c", index(6, 2), "b"), ("b", index(2, 3, 2), "a"), ("a", index(1, 2, 6), None))
    groups = [Group(name, (Place("w", 0, at), Place("v", 1, at)), inside=inside)
              for name, at, inside in levels]  # fmt: skip
    return Symmetry(tuple(groups), shapes), shapes


def joined() -> Case:
    """Two groups side by side on one axis, of which one is flattened, three positions a unit."""
    shapes = {"x": (4, 6), "y": (5, 6), "xy": (7, 4 + 15), "y.running_mean": (5,)}
    x = Group("x", (Place("x", 0, index(1, 4)), Place("xy", 1, index(1, 4))))
    y = Group(
        "y",
        (
            Place("y", 0, index(1, 5)),
            Place("y.running_mean", 0, index(1, 5)),
            Place("xy", 1, index(1, 5, 3, first=4)),
        ),
    )
    return Symmetry((x, y), shapes), shapes


CASES: dict[str, Callable[[], Case]] = {
    "chain": lambda: chain(6, 5, 4, 7, 3),
    "heads": heads,
    "grouped": grouped,
    "stream": stream,
    "three": three,
    "joined": joined,
}
