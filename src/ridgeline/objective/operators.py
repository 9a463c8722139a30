"""Curvature of a mean loss as linear operators on the flat vector of a state's tensors."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import jvp
from torch.utils import _pytree as pytree

from ridgeline import state as states
from ridgeline.objective.derivable import twice
from ridgeline.objective.gradients import Ratio, counted, ratio, total
from ridgeline.objective.objective import Objective
from ridgeline.objective.point import Names, Part, Point, accumulate, gradients
from ridgeline.objective.samples import Samples
from ridgeline.objective.vectors import Vectors
from ridgeline.objective.weighted import Weighted
from ridgeline.state import State

__all__ = ["Curvature", "GaussNewton", "Hessian", "gauss_newton", "hessian"]


def hessian(
    objective: Objective,
    state: Mapping[str, Tensor],
    *,
    names: Names = None,
    batch: Samples | None = None,
) -> "Hessian":
    """The Hessian of the mean loss at a state, as a linear operator.

    It is never formed: a product costs about as much as two gradients, over all data. What
    `scipy.sparse.linalg` does with operators works::

        top = scipy.sparse.linalg.eigsh(rl.hessian(objective, line(0.5)), k=3, which="LA")

    Args:
        objective: What is differentiated; as in `value_and_gradient`, its own mean, in evaluation
            mode, with statistics of normalisation as constants.
        state: Where.
        names: By which tensors; by all coordinates by default. One layer's give its own block.
        batch: The samples that the mean is over; all of the objective's by default.

    Returns:
        A symmetric operator of shape (D, D).

    Raises:
        StateMismatch: If the state is not one of the model.
        NonFinite: If it holds NaN, or infinity other than that of a mask.
        UnknownName: If the model has no tensor of a name.
        UsageError: When it is first applied, if there is no second derivative.
    """
    return Hessian(Point(objective, state, names, batch))


def gauss_newton(
    objective: Objective,
    state: Mapping[str, Tensor],
    *,
    names: Names = None,
    batch: Samples | None = None,
) -> "GaussNewton":
    """The generalised Gauss-Newton matrix of the mean loss, as a linear operator.

    ``mean_i J_i' H_i J_i``, with J_i the derivative of the network's outputs of sample i and H_i
    the second derivative of the loss by them (Schraudolph 2002): the part of the Hessian that is
    not the network's own curvature. For a loss that is convex in the outputs it has no negative
    eigenvalue, and for the cross entropy of logits it is the Fisher information.

    Args:
        objective: As for `hessian`.
        state: Where.
        names: By which tensors.
        batch: The samples that the mean is over.

    Returns:
        A symmetric operator of shape (D, D).

    Raises:
        StateMismatch: As for `hessian`, and the others with it.
    """
    return GaussNewton(Point(objective, state, names, batch))


Leaves = Sequence[Tensor]


class Curvature(Vectors):
    """A symmetric operator on the tensors of a state: `Hessian` or `GaussNewton`.

    It is applied as scipy's operators are: ``operator @ vector`` with shape (D,), and with (D, K)
    for K at once, which share the pass through the network.
    """

    def product(self, direction: Mapping[str, Tensor]) -> State:
        """The operator times a direction that is given, and returned, as tensors by name.

        Args:
            direction: With a tensor for each of `names`.

        Raises:
            StateMismatch: If one is missing or has another shape.
        """
        return self.unflatten(self._matvec(self.flatten(direction)))

    def _rmatvec(self, x: NDArray[Any]) -> NDArray[Any]:
        return self._matvec(x)  # it is symmetric

    def _rmatmat(self, X: NDArray[Any]) -> NDArray[Any]:
        return self._matmat(X)

    def _matvec(self, x: NDArray[Any]) -> NDArray[Any]:
        return self._matmat(x.reshape(-1, 1))[:, 0]

    def _matmat(self, X: NDArray[Any]) -> NDArray[Any]:
        directions = self.columns(X)
        sums, held = [self.point.zeros() for _ in directions], 0.0

        def add(part: Part) -> None:
            nonlocal held
            held += float(total(part.scores)[1].detach())
            for into, products in zip(sums, self._products(part, directions), strict=True):
                accumulate(into, products)

        with twice():
            self.point.visit("differentiating the loss twice", add)
        weight = counted(self.point, held)
        found = [[x / weight for x in each] for each in sums]
        return self.stacked([self._whole(x, v) for x, v in zip(found, directions, strict=True)])

    @abstractmethod
    def _products(self, part: Part, directions: Sequence[Leaves]) -> Iterator[Leaves]:
        """The part of a chunk in the product with each direction, times the sum of weights."""

    @cached_property
    def _ratio(self) -> Ratio:
        return ratio(self.point)

    def _number(self, scores: Weighted) -> Tensor:
        """The number of a chunk whose second derivatives are summed: ``A``, or ``A - L B``."""
        number, weight = total(scores)
        return number - self._ratio.value * weight if weight.requires_grad else number

    def _whole(self, product: Leaves, direction: Leaves) -> Leaves:
        """With what the derivatives of a sum of weights add, where it depends on the state."""
        if "_ratio" not in vars(self) or self._ratio.of_weight is None:
            return product
        g, h = self._ratio.gradient, self._ratio.of_weight
        pairs = (zip(each, direction, strict=True) for each in (g, h))
        along = [sum((x * v).sum() for x, v in each) for each in pairs]
        return [
            p - (x * along[1] + y * along[0]) / self._ratio.weight
            for p, x, y in zip(product, g, h, strict=True)
        ]


class Hessian(Curvature):
    """The second derivative of the mean loss; see `hessian`."""

    def _products(self, part: Part, directions: Sequence[Leaves]) -> Iterator[Leaves]:
        leaves = self.point.leaves
        slopes = gradients(self._number(part.scores), leaves, again=True)
        self.check(slopes)
        for v in directions:
            yield gradients(slopes, leaves, v, keep=True)


class GaussNewton(Curvature):
    """The generalised Gauss-Newton matrix of the mean loss; see `gauss_newton`."""

    def _products(self, part: Part, directions: Sequence[Leaves]) -> Iterator[Leaves]:
        leaves, (given, spec) = self.point.leaves, pytree.tree_flatten(part.outputs)
        at = [k for k, x in enumerate(given) if isinstance(x, Tensor) and x.requires_grad]
        made = list(states.as_real({str(k): given[k] for k in at}).values())
        cut = [x.detach().requires_grad_() for x in made]
        again = states.as_complex(
            {str(k): x for k, x in zip(at, cut, strict=True)}, {str(k): given[k] for k in at}
        )
        outputs = [again.get(str(k), x) for k, x in enumerate(given)]
        scores = self.point.objective.metrics["loss"].scores(
            pytree.tree_unflatten(outputs, spec), part.samples.targets
        )
        slopes = gradients(self._number(scores), cut, again=True)
        self.check(slopes)
        push = self._forward(part, at) or self._backward(made, cut)
        for v in directions:
            try:
                pushed = push(v)
            except Exception:  # the network itself has run: it has no forward derivative
                self._forwards, push = False, self._backward(made, cut)
                pushed = push(v)
            yield gradients(made, leaves, gradients(slopes, cut, pushed, keep=True), keep=True)

    _forwards = True

    def _forward(self, part: Part, at: Sequence[int]) -> Callable[[Leaves], Leaves] | None:
        """Products ``J v`` by forward differentiation, twice the cost of a forward pass."""

        def outputs(*moved: Tensor) -> tuple[Tensor, ...]:
            network = self.point.objective.network
            given = pytree.tree_leaves(network(self.point.placed(moved), part.samples.inputs))
            return tuple(states.as_real({str(k): given[k] for k in at}).values())

        def push(v: Leaves) -> Leaves:
            with torch.no_grad():
                return jvp(outputs, tuple(x.detach() for x in self.point.leaves), tuple(v))[1]

        return push if self._forwards else None

    def _backward(self, made: Leaves, cut: Leaves) -> Callable[[Leaves], Leaves]:
        """The same backwards: ``J'u`` is linear in u, and its derivative by u along v is J v."""
        u = [torch.zeros_like(x).requires_grad_() for x in cut]
        pulled = gradients(made, self.point.leaves, u, again=True)
        self.check(pulled, again=True)
        return lambda v: gradients(pulled, u, v, keep=True)
