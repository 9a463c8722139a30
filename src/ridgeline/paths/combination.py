"""Many states as affine combinations of a few: what every path and plane is to the engine.

A line, a polygonal chain, a Bezier curve and a plane differ only in coefficients. At
position k the tensor `name` is ``sum_j C[k, j] basis[j][name]`` with ``sum_j C[k, j] = 1``,
where the table C belongs to the tensor: most paths have one table for all, a line with
rates or with some layers held has one per rate. Because the sum is affine, a value of the
network that is affine in its moving tensors can be computed at the J basis states and
combined, instead of at all K positions; the engine lives on that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import isfinite
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.state import (
    Spectral,
    State,
    equal,
    finitely,
    is_continuous,
    matching,
    place,
    spectral_vectors,
    vectors_of,
    wide,
)

__all__ = ["Combination", "Table"]

Table = NDArray[np.float64]
"""Coefficients, shape (K positions, J basis states), rows summing to one."""


@dataclass(frozen=True, eq=False)
class Combination:
    """K states, each tensor an affine combination of J basis tensors.

    Args:
        basis: J states with the same tensors.
        tables: Distinct coefficient tables, each (K, J) with rows that sum to one.
        table_of: Which table a tensor follows; tensors not named follow the first.

    Raises:
        UsageError: If a table has the wrong shape or a row does not sum to one.
    """

    basis: tuple[State, ...]
    tables: tuple[Table, ...]
    table_of: Mapping[str, int]

    def __post_init__(self) -> None:
        for table in self.tables:
            if table.ndim != 2 or table.shape != (len(self), len(self.basis)):
                raise UsageError(
                    "A coefficient table must have a row per position and a column per state.",
                    got=f"shape {table.shape} for {len(self.basis)} states",
                )
            if not np.allclose(table.sum(1), 1, atol=1e-9):
                raise UsageError("Coefficients at a position must sum to one.", got=f"{table}")

    def __len__(self) -> int:
        return len(self.tables[0])

    def table(self, name: str) -> Table:
        """The coefficients of one tensor, shape (K, J); vectors follow those of their weight."""
        owner = self.spectral[name].weight if name in self.spectral else name
        return self.tables[self.table_of.get(owner, 0)]

    @cached_property
    def spectral(self) -> dict[str, Spectral]:
        """Vectors of spectral normalisation: between the basis states they are of the weight."""
        return spectral_vectors(self.basis[0])

    @cached_property
    def infinite(self) -> frozenset[str]:
        """Names of tensors that hold infinities, which stay where all basis states have them."""
        real = {n: x for n, x in self.basis[0].items() if x.is_floating_point()}
        return frozenset(n for n, x in real.items() if not isfinite(float(wide(x).sum())))

    @cached_property
    def moving(self) -> frozenset[str]:
        """Names whose value is not the same at all positions."""
        return frozenset(name for name in self.basis[0] if self._moves(name))

    def _moves(self, name: str) -> bool:
        table = self.table(name)
        if (table == table[0]).all():
            return False
        if name in self.spectral and self._moves(self.spectral[name].weight):
            return True
        used = [self.basis[j][name] for j in np.flatnonzero(table.any(0))]
        return not all(equal(x, used[0]) for x in used[1:])

    def tensor(self, name: str, k: int, *, dtype: torch.dtype | None = None) -> Tensor:
        """One tensor at one position; a basis tensor itself where the position is at it.

        Args:
            name: Which tensor.
            k: Which position.
            dtype: Type of a floating result; the basis tensor's own by default. The
                arithmetic is done in float32 or better either way.

        Returns:
            A tensor that must not be written to: it may be the basis' own.
        """
        row = self.table(name)[k]
        first = self.basis[0][name]
        if not is_continuous(first):
            return self.basis[_nearest(row)][name]
        wanted = matching(dtype, first) or first.dtype
        if (at := _vertex(row)) is not None:
            return self.basis[at][name].to(wanted)
        kind = wanted if wanted.itemsize >= 4 else torch.float32  # which no 8-bit float promotes to
        out = torch.empty(first.shape, dtype=kind, device=first.device)
        return self.write(name, k, out).to(wanted)

    def write(self, name: str, k: int, out: Tensor) -> Tensor:
        """Write one floating tensor at one position into `out`, in `out`'s dtype and device.

        The ends are copies, bit for bit; two terms are one fused lerp; more are summed.

        Args:
            name: Which tensor.
            k: Which position.
            out: Where to; any floating dtype of at least the accuracy wanted.

        Returns:
            `out`.
        """
        row = self.table(name)[k]
        if (at := _vertex(row)) is not None:
            return out.copy_(self.basis[at][name])
        if name in self.spectral:
            return out.copy_(self._vector(name, k))
        if name in self.infinite:
            held = [self.basis[j][name].to(out) for j in np.flatnonzero(row)]
            return out.copy_(finitely(partial(_sum, row[np.flatnonzero(row)]), *held))
        terms = np.flatnonzero(row)
        like = [self.basis[j][name].to(device=out.device, dtype=out.dtype) for j in terms]
        if len(terms) == 2:
            return torch.lerp(like[0], like[1], float(row[terms[1]]), out=out)
        torch.mul(like[0], float(row[terms[0]]), out=out)
        for j, x in zip(terms[1:], like[1:], strict=True):
            out.add_(x, alpha=float(row[j]))
        return out

    def _vector(self, name: str, k: int) -> Tensor:
        """A vector of spectral normalisation at a position that is no basis state's."""
        pair = self.spectral[name]
        if self._vectors.get("at") != (pair, k):
            nearest = self.basis[_nearest(self.table(name)[k])]
            weight = self.tensor(pair.weight, k, dtype=torch.float64)
            u, v = vectors_of(weight, nearest[pair.u], nearest[pair.v])
            self._vectors.update({"at": (pair, k), pair.u: u, pair.v: v})
        return self._vectors[name]

    @cached_property
    def _vectors(self) -> dict[str, Any]:
        """The pair that was asked for last."""
        return {}

    def state(self, k: int, *, dtype: torch.dtype | None = None) -> State:
        """The whole state at one position; names that are tied in every basis state stay tied."""
        made: dict[object, Tensor] = {}
        state: State = {}
        for name in self.basis[0]:
            key = (self.table_of.get(name, 0), *(place(point[name]) for point in self.basis))
            if key not in made:
                made[key] = self.tensor(name, k, dtype=dtype)
            state[name] = made[key]
        return state

    def take(self, positions: Sequence[int]) -> "Combination":
        """The same combination at some of its positions only."""
        chosen = list(positions)
        return Combination(self.basis, tuple(t[chosen] for t in self.tables), self.table_of)


def _vertex(row: Table) -> int | None:
    """The basis state that a row of coefficients picks out alone, if it does."""
    at = int(np.argmax(row))
    return at if row[at] == 1 and np.count_nonzero(row) == 1 else None


def _sum(row: Table, *tensors: Tensor) -> Tensor:
    total = tensors[0] * float(row[0])
    for c, x in zip(row[1:], tensors[1:], strict=True):
        total = total + float(c) * x
    return total


def _nearest(row: Table) -> int:
    """The basis state of the largest coefficient, the later of two equals.

    The rule for labels such as `num_batches_tracked`: they are never averaged.
    """
    return len(row) - 1 - int(np.argmax(row[::-1]))
