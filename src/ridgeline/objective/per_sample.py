"""Gradients of the losses of single samples, and products with the matrix that they are."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import grad, vmap
from torch.utils import _pytree as pytree

from ridgeline.graph.looping import looping_quietly
from ridgeline.objective.derivable import differentiating, twice
from ridgeline.objective.minibatches import check_reached
from ridgeline.objective.objective import Objective
from ridgeline.objective.point import Names, Part, Point, accumulate, gradients
from ridgeline.objective.samples import Samples
from ridgeline.objective.vectors import Vectors
from ridgeline.state import State

__all__ = ["PerSample", "SampleGradients", "per_sample_gradients"]

BUDGET = 2**26
"""Bytes of the gradients that are held at a time."""


def per_sample_gradients(
    objective: Objective,
    state: Mapping[str, Tensor],
    *,
    names: Names = None,
    batch: Samples | None = None,
) -> "SampleGradients":
    """The gradients of the losses of single samples, as a matrix with a row for each.

    It is never held as a whole: `SampleGradients.chunks` gives some rows at a time, and as a
    linear operator of scipy it multiplies vectors. A sample's loss is its own number, whatever it
    weighs in the mean; a sample that does not count has a row of zeros. So the gradient of the
    mean is ``weights @ rows / weights.sum()`` where weights do not depend on the state.

    Args:
        objective: What is differentiated; as in `value_and_gradient`.
        state: Where.
        names: By which tensors; by all coordinates by default.
        batch: Some samples; all of the objective's by default.

    Returns:
        An operator of shape (N, D), its rows in the order of the samples.

    Raises:
        StateMismatch: If the state is not one of the model.
        NonFinite: If it holds NaN, or infinity other than that of a mask.
        UnknownName: If the model has no tensor of a name.
        UsageError: When it is first asked, if network or loss let no derivative through.
    """
    return SampleGradients(Point(objective, state, names, batch))


class SampleGradients(Vectors):
    """The matrix of gradients of single samples; see `per_sample_gradients`.

    ``operator @ v`` is the derivative of every sample's loss along v, shape (N,), and
    ``operator.T @ u`` the gradient of the sum of losses with the factors u, shape (D,).
    """

    def __init__(self, point: Point) -> None:
        given = point.objective.samples if point.batch is None else point.batch
        super().__init__(point, len(given))

    def chunks(self) -> Iterator[tuple[State, Tensor]]:
        """Some rows at a time: name to gradients of shape (B, ...), and weights of shape (B,)."""
        work = PerSample(self.point)
        criterion = self.point.objective.metrics["loss"]
        for part in self.point.chunks(work.rows):
            with torch.no_grad():
                weights = criterion.scores(work.forward(part), part.targets).weights
            found = work.each(part, part.targets, criterion)
            if weights is None:
                weights = torch.ones(len(part), device=found[0].device, dtype=found[0].dtype)
            yield self.point.state_of(found), weights

    def gram(self) -> NDArray[np.float64]:
        """Inner products of all pairs of rows, shape (N, N), in float64.

        Rows are made anew for every chunk that they meet, so that no more than two chunks are
        held: with all rows in one chunk, 64 MiB, each is made once.
        """
        found = np.zeros((self.shape[0], self.shape[0]))
        for start, rows in self._rows():
            for other, columns in self._rows():
                if other <= start:
                    block = (rows @ columns.T).cpu().numpy()
                    found[start : start + len(rows), other : other + len(columns)] = block
                    found[other : other + len(columns), start : start + len(rows)] = block.T
        return found

    def _rows(self) -> Iterator[tuple[int, Tensor]]:
        """Chunks of the matrix in float64, each with the number of rows before it."""
        done, work = 0, PerSample(self.point)
        for part in self.point.chunks(work.rows):
            found = work.each(part, part.targets, self.point.objective.metrics["loss"])
            yield done, torch.cat([x.double().reshape(len(part), -1) for x in found], 1)
            done += len(part)

    def _matvec(self, x: NDArray[Any]) -> NDArray[Any]:
        return self._matmat(x.reshape(-1, 1))[:, 0]

    def _rmatvec(self, x: NDArray[Any]) -> NDArray[Any]:
        return self._rmatmat(x.reshape(-1, 1))[:, 0]

    def _matmat(self, X: NDArray[Any]) -> NDArray[Any]:
        directions, found = self.columns(X), list[Tensor]()

        def look(part: Part) -> None:
            values = _numbers(part)
            # J'u is linear in u, and its derivative by u along v is Jv: no forward rules needed.
            u = torch.zeros_like(values).requires_grad_()
            pulled = gradients([values], self.point.leaves, [u], again=True)
            self.check(pulled)
            found.append(
                torch.stack([gradients(pulled, [u], v, keep=True)[0] for v in directions], 1)
            )

        with twice():
            self.point.visit("differentiating the losses of samples", look)
        return self._numpy(torch.cat(found))

    def _rmatmat(self, X: NDArray[Any]) -> NDArray[Any]:
        leaves, done = self.point.leaves, 0
        weights = torch.tensor(np.asarray(X, self.dtype), device=leaves[0].device)
        sums = [self.point.zeros() for _ in range(weights.shape[1])]

        def look(part: Part) -> None:
            nonlocal done
            values = _numbers(part)
            own = weights[done : done + len(values)].to(values.dtype)
            for into, u in zip(sums, own.unbind(1), strict=True):
                accumulate(into, gradients([values], leaves, [u], keep=True))
            done += len(values)

        self.point.visit("differentiating the losses of samples", look)
        return self.stacked(sums)


def _numbers(part: Part) -> Tensor:
    """The losses of samples, 0 where one does not count."""
    values, weights = part.scores
    return values if weights is None else values.masked_fill(weights == 0, 0)


class PerSample:
    """Gradients of single samples, many at a time where the network lets itself be mapped.

    Args:
        point: The state, and what moves.
    """

    def __init__(self, point: Point) -> None:
        self.point, self.network = point, point.objective.network
        size = sum(x.nbytes for x in point.leaves)
        self.rows = max(1, min(point.objective.rows, BUDGET // max(size, 1)))
        self.mapped, self._seen = True, False

    def forward(self, part: Samples) -> Any:
        """The outputs."""
        with torch.no_grad():
            return self.network(self.point.tensors, part.inputs)

    def squares(
        self, part: Samples, targets: Any, weight: Tensor, loss: Callable[[Any, Any], Tensor]
    ) -> list[Tensor]:
        """The weighted sum over samples of squared gradients, for each leaf, in float64."""
        found = self.each(part, targets, loss)
        return [torch.tensordot(weight, g.double().square(), 1) for g in found]

    def each(self, part: Samples, targets: Any, loss: Callable[[Any, Any], Tensor]) -> list[Tensor]:
        """The gradients of all samples by each leaf, shape (B, ...).

        Args:
            part: Gives the inputs.
            targets: Of them.
            loss: ``(outputs, targets)`` to one number per sample.

        Raises:
            UsageError: If no derivative reaches the loss.
            ForwardFailed: If the model or its loss raises.
        """

        def one(leaves: list[Tensor], inputs: Any, target: Any, network: Any = None) -> Tensor:
            placed = network or partial(self.network, self.point.placed(leaves))
            outputs = placed(_alone(inputs))
            number = loss(outputs, _alone(target))[0]
            if not self._seen:
                check_reached(leaves, outputs, number, "the loss")
            return number

        with differentiating(self.point.objective, "taking gradients of single samples"):
            if not self._seen:
                # Mapped over samples, what no derivative reaches has zeros; alone it is refused.
                self._plain(one, _row(part.inputs, 0), _row(targets, 0))
                self._seen = True
            if self.mapped:
                leaves = [x.detach() for x in self.point.leaves]
                try:
                    with looping_quietly():
                        return list(
                            vmap(grad(one), in_dims=(None, 0, 0))(leaves, part.inputs, targets)
                        )
                except Exception:  # a recurrence, packed sequences, a branch on values
                    self.mapped = False
            each = [
                self._plain(one, _row(part.inputs, i), _row(targets, i)) for i in range(len(part))
            ]
            return [torch.stack(column) for column in zip(*each, strict=True)]

    def _plain(self, one: Callable[..., Tensor], inputs: Any, target: Any) -> list[Tensor]:
        """The gradients of one sample, as training takes them: nothing is wrapped."""
        with self.point.holding() as network:
            return gradients(one(self.point.leaves, inputs, target, network), self.point.leaves)


def _row(tree: Any, i: int) -> Any:
    return pytree.tree_map_only(Tensor, lambda x: x[i], tree)


def _alone(tree: Any) -> Any:
    return pytree.tree_map_only(Tensor, lambda x: x[None], tree)
