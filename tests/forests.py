"""Ensembles of soft trees by the obvious loop, and elements of their groups by hand."""

import itertools

import numpy as np
import torch
from torch import Tensor

from ridgeline.state import State
from ridgeline.symmetry.trees import Ensemble, TreeElement, TreePermutations, patterns_of

SMALL = [
    *(("perfect", d) for d in (1, 2, 3)),
    *(("oblivious", d) for d in (1, 2, 3)),
    *(("list", d) for d in (1, 2, 3)),
    *(("modified-list", d) for d in (1, 3)),
]


def drawn(e: Ensemble, seed: int, features: int = 4, outputs: int = 2, dtype=torch.float64):
    """A state with normal entries."""
    draws = torch.Generator().manual_seed(seed)
    shapes = {
        e.weight: (e.trees, e.nodes, features),
        e.bias: (e.trees, e.nodes),
        e.leaves: (e.trees, e.ends, outputs),
    }
    return {n: torch.randn(s, generator=draws, dtype=torch.float64).to(dtype)
            for n, s in shapes.items()}  # fmt: skip


def ways(e: Ensemble, leaf: int) -> list[tuple[int, bool]]:
    """The nodes above a leaf, and whether the way goes to the left there."""
    if e.kind in ("list", "modified-list"):
        return [(d, d == leaf) for d in range(min(leaf + 1, e.depth))]
    node, found = 0, []
    for depth in range(e.depth):
        right = leaf >> (e.depth - 1 - depth) & 1
        found.append((depth if e.kind == "oblivious" else node, not right))
        node = 2 * node + 1 + right
    return found


def answers(e: Ensemble, state: State, x: Tensor) -> Tensor:
    """Each tree's output by equation 2 of the paper: shape (samples, trees, outputs)."""
    found = torch.zeros(len(x), e.trees, state[e.leaves].shape[2], dtype=x.dtype)
    for m in range(e.trees):
        for leaf in range(e.ends):
            share = torch.ones(len(x), dtype=x.dtype)
            for node, left in ways(e, leaf):
                s = torch.sigmoid(x @ state[e.weight][m, node] + state[e.bias][m, node])
                share = share * (s if left else 1 - s)
            found[:, m] += share[:, None] * state[e.leaves][m, leaf]
    return found


def patterned(e: Ensemble, k: int) -> TreeElement:
    """The pattern of a number, for every tree."""
    return TreeElement(
        TreePermutations(e), e, patterns_of(e)[np.full(e.trees, k)], np.arange(e.trees)
    )


def overlaps(e: Ensemble, a: State, b: State, weights: Tensor) -> np.ndarray:
    """Inner products of all pairs of trees as they are."""
    found = np.zeros((e.trees, e.trees))
    for i, j in itertools.product(range(e.trees), repeat=2):
        splits = (a[e.weight][i] * b[e.weight][j]).sum(1) + a[e.bias][i] * b[e.bias][j]
        found[i, j] = float((weights * splits).sum() + (a[e.leaves][i] * b[e.leaves][j]).sum())
    return found
