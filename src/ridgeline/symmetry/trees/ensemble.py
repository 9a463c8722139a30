"""Soft trees of one architecture: how many nodes and leaves, and where their numbers stand."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from ridgeline.errors import StateMismatch, UnknownName, UsageError

__all__ = ["Ensemble", "TreeKind"]

TreeKind = Literal["perfect", "oblivious", "list", "modified-list"]


@dataclass(frozen=True)
class Ensemble:
    """Soft trees of one architecture.

    A node sends a share ``sigmoid(w . x + b)`` of a sample to the left. Nodes of perfect trees
    stand breadth first and leaves from left to right; of oblivious trees, which have one split a
    depth, the most significant bit of a leaf's number is that of depth 0, and 0 is left; leaf d of
    a list is left of node d, and its last leaf, which a modified list has not, right of the last.

    Args:
        kind: The architecture.
        depth: At least 1.
        trees: How many.
        weight: Name of the splits' weights, of shape (trees, nodes, features).
        bias: Of their biases, shape (trees, nodes).
        leaves: Of the leaves' outputs, shape (trees, leaves, outputs).

    Raises:
        UnknownName: If there is no such architecture.
        UsageError: If a number is not positive.
    """

    kind: TreeKind
    depth: int
    trees: int
    weight: str = "weight"
    bias: str = "bias"
    leaves: str = "leaves"

    def __post_init__(self) -> None:
        if self.kind not in get_args(TreeKind):
            raise UnknownName("architecture of trees", self.kind, get_args(TreeKind))
        for name in ("depth", "trees"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is at least 1.", got=str(getattr(self, name)))

    @property
    def nodes(self) -> int:
        """Splits of a tree."""
        return 2**self.depth - 1 if self.kind == "perfect" else self.depth

    @property
    def ends(self) -> int:
        """Leaves of a tree."""
        if self.kind in ("perfect", "oblivious"):
            return 2**self.depth
        return self.depth + (self.kind == "list")

    @property
    def flippable(self) -> np.ndarray:
        """Nodes that may be turned round, shape (nodes,)."""
        found = np.full(self.nodes, self.kind in ("perfect", "oblivious"))
        found[-1] |= self.kind == "list"
        return found

    @property
    def node_weights(self) -> Tensor:
        """Leaves that each node affects, shape (nodes,); an empty leaf counts."""
        if self.kind == "perfect":
            depths = [d for d in range(self.depth) for _ in range(2**d)]
            return torch.tensor([2.0 ** (self.depth - d) for d in depths], dtype=torch.float64)
        if self.kind == "oblivious":  # a split that is shared affects all
            return torch.full((self.depth,), 2.0**self.depth, dtype=torch.float64)
        return torch.arange(self.depth + 1, 1, -1, dtype=torch.float64)

    @property
    def tensors(self) -> tuple[str, str, str]:
        """Names of weights, biases and leaves."""
        return self.weight, self.bias, self.leaves

    def splits(self, state: Mapping[str, Tensor]) -> Tensor:
        """Weights and biases of a state in float64: shape (trees, nodes, features + 1)."""
        weight, bias = state[self.weight], state[self.bias]
        return torch.cat([weight, bias[..., None]], -1).detach().double().cpu()

    def outputs(self, state: Mapping[str, Tensor]) -> Tensor:
        """Leaves of a state in float64: shape (trees, leaves, outputs)."""
        return state[self.leaves].detach().double().cpu()

    def check(self, state: Mapping[str, Tensor], name: str = "the state") -> None:
        """Refuse a state of other trees.

        Args:
            state: Any.
            name: What to call it.

        Raises:
            StateMismatch: If a tensor is missing or of another shape.
        """
        wanted = {
            self.weight: (self.trees, self.nodes),
            self.bias: (self.trees, self.nodes),
            self.leaves: (self.trees, self.ends),
        }
        missing = {n: s for n, s in wanted.items() if n not in state}
        changed: dict[str, tuple[object, object]] = {
            n: (s, tuple(state[n].shape))
            for n, s in wanted.items()
            if n in state and tuple(state[n].shape[:2]) != s
        }
        if missing or changed:
            raise StateMismatch(
                missing=missing,
                changed=changed,
                a=str(self),
                b=name,
                remedy="Trees are aligned where their number, depth and architecture are the same.",
            )

    def plain(self) -> dict[str, Any]:
        """Its form in a file."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.trees} {self.kind} trees of depth {self.depth}"
