"""Flat vectors of the tensors that a point moves by, for operators of scipy."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator
from torch import Tensor

from ridgeline import state as states
from ridgeline.errors import NonFinite, UsageError
from ridgeline.objective.derivable import check_twice
from ridgeline.objective.point import Point
from ridgeline.state import State

__all__ = ["Vectors"]


class Vectors(LinearOperator):
    """An operator whose vectors hold the tensors that a state moves by, one after another.

    They are numpy's, in double precision for an objective in float64 and in single precision
    otherwise; complex tensors are pairs of real numbers.
    """

    def __init__(self, point: Point, rows: int | None = None) -> None:
        self.point = point
        named = point.state_of(point.leaves)
        self._like, self._checked = {n: named[n] for n in point.names}, False
        size = sum(x.numel() for x in point.leaves)
        wide = any(x.dtype == torch.float64 for x in point.leaves)
        dtype = np.dtype(np.float64 if wide else np.float32)
        super().__init__(dtype, (size if rows is None else rows, size))

    @property
    def names(self) -> tuple[str, ...]:
        """Tensors that a vector holds, in its order."""
        return tuple(self._like)

    def flatten(self, state: Mapping[str, Tensor]) -> NDArray[Any]:
        """The vector of a state, or of a gradient.

        Args:
            state: With a tensor for each of `names`; others are not looked at.

        Returns:
            Shape (D,).

        Raises:
            StateMismatch: If one is missing or has another shape.
        """
        given = {m: state[n] for n, m in self.point.aliases.items() if n in state} | dict(state)
        own = {n: given[n].detach().to(x) for n, x in self._like.items() if n in given}
        states.check_same(self._like, own, names=("the operator", "what is to be a vector"))
        own = {n: x.clone() for n, x in own.items()}  # each in a place of its own
        return self._numpy(states.flatten(own))

    def unflatten(self, vector: NDArray[Any]) -> State:
        """The tensors that a vector of shape (D,) holds, by name; the inverse of `flatten`.

        Raises:
            UsageError: If the vector has another length.
        """
        found = states.unflatten(torch.tensor(vector, device=self._device), self._like)
        return found | {n: found[m] for n, m in self.point.aliases.items()}

    def columns(self, matrix: NDArray[Any]) -> list[list[Tensor]]:
        """Columns of a matrix (D, K) as values for the leaves of the point.

        Raises:
            UsageError: If they are complex.
        """
        if np.iscomplexobj(matrix):
            raise UsageError(
                "Vectors are real; a complex tensor's entries in one are pairs of real numbers.",
                got=f"a vector of {np.asarray(matrix).dtype}",
                remedy="Multiply real and imaginary part apart.",
            )
        columns = torch.tensor(np.ascontiguousarray(matrix.T), device=self._device)
        found = [states.as_real(states.unflatten(x, self._like)) for x in columns]
        return [list(x.values()) for x in found]

    def stacked(self, products: Sequence[Sequence[Tensor]]) -> NDArray[Any]:
        """The matrix (D, K) of K lists of values for the leaves.

        Raises:
            NonFinite: If a value is not finite.
        """
        for each in products:
            if found := states.non_finite(dict(zip(self.names, each, strict=True))):
                raise NonFinite("a product with a vector", found)
        columns = [torch.cat([x.reshape(-1) for x in each]) for each in products]
        return self._numpy(torch.stack(columns, 1))

    def check(self, derivatives: Sequence[Tensor], *, again: bool = False) -> None:
        """Refuse derivatives that cannot be differentiated again; the first that are seen."""
        if again or not self._checked:
            check_twice(derivatives)
        self._checked = True

    def _numpy(self, x: Tensor) -> NDArray[Any]:
        return x.detach().cpu().double().numpy().astype(self.dtype)

    @property
    def _device(self) -> torch.device:
        return self.point.leaves[0].device
