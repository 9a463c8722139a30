"""Squared gradients of linear layers without the gradients themselves.

The gradient of one sample's loss by a linear layer's weight is ``g h^T``, with h what the layer
took in and g the gradient by what it gave. Its square, entry by entry, is ``g^2 (h^2)^T``, so
that the sum over samples is one matrix product.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.graph import disable_saved_tensors_hooks
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from ridgeline.errors import RidgelineError
from ridgeline.objective.derivable import differentiating
from ridgeline.objective.point import Point
from ridgeline.objective.samples import Samples

__all__ = ["LinearLayers"]

SIZES = (2, 3)
"""Samples of which layers are watched first: at one size alone rows of another kind may be as
many as samples."""


class LinearLayers:
    """Networks in which all that moves are weights and biases of linear layers, used once.

    Each layer has one row for each sample. Rows that are positions of a sequence do not serve: the
    gradient of a sample is then a sum over its rows, whose square is not the sum of squares.

    Args:
        point: The state.
    """

    def __init__(self, point: Point) -> None:
        self.point, self.rows = point, point.objective.rows
        self._calls: list[_Call] = []
        self._outputs: Any = None

    @classmethod
    def of(cls, point: Point) -> "LinearLayers | None":
        """The network so, or None if it is another."""
        made, first = cls(point), next(point.chunks(1))
        for size in SIZES:
            try:
                with disable_saved_tensors_hooks("what is computed again is not watched"):
                    made.forward(first[torch.zeros(size, dtype=torch.long)])
            except RidgelineError:
                return None
            known = [call for call in made._calls if call.out.ndim == 2 and len(call.out) == size]
            moved = [x for call in known for x in (call.weight, call.bias) if x is not None]
            if made._elsewhere or len(known) < len(made._calls):
                return None
            if sorted(map(id, moved)) != sorted(map(id, point.leaves)):
                return None
        return made

    def forward(self, part: Samples) -> Any:
        """The outputs; what each layer took in and gave is kept, with its graph."""
        objective = self.point.objective
        differentiable = differentiating(objective, "taking gradients of single samples")
        with differentiable, _Watch(self.point.leaves) as watch:
            self._outputs = objective.network(self.point.placed(), part.inputs)
        self._calls, self._elsewhere = watch.calls, watch.elsewhere
        return self._outputs

    def squares(
        self, part: Samples, targets: Any, weight: Tensor, loss: Callable[[Any, Any], Tensor]
    ) -> list[Tensor]:
        """The weighted sum over samples of squared gradients, for each leaf, in float64."""
        del part
        objective, made = self.point.objective, [call.out for call in self._calls]
        with differentiating(objective, "taking gradients of single samples"):
            total = loss(self._outputs, targets).sum()  # samples do not meet: each has its own
            slopes = torch.autograd.grad(total, made, retain_graph=True, materialize_grads=True)
        found: dict[int, Tensor] = {}
        for call, g in zip(self._calls, slopes, strict=True):
            squares = g.double().square() * weight[:, None]
            found[id(call.weight)] = squares.T @ call.given.detach().double().square()
            if call.bias is not None:
                found[id(call.bias)] = squares.sum(0)
        return [found[id(x)] for x in self.point.leaves]


class _Call:
    """One call of a linear layer."""

    def __init__(self, given: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor) -> None:
        self.given, self.weight, self.bias, self.out = given, weight, bias, out


class _Watch(TorchFunctionMode):
    """Calls of linear layers with tensors that move, and whether these go anywhere else."""

    def __init__(self, leaves: Sequence[Tensor]) -> None:
        super().__init__()
        self.known = {id(x) for x in leaves}
        self.calls: list[_Call] = []
        self.elsewhere = False

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = dict(kwargs or {})
        out = func(*args, **named)
        used = [x for x in pytree.tree_leaves((args, named)) if id(x) in self.known]
        if not used:
            return out
        if func is F.linear:
            given, weight, bias = _linear(*args, **named)
            both = id(weight) in self.known and (bias is None or id(bias) in self.known)
            if both and id(given) not in self.known:
                self.calls.append(_Call(given, weight, bias, out))
                return out
        self.elsewhere |= any(isinstance(x, Tensor) for x in pytree.tree_leaves(out))
        return out


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> tuple[Any, Any, Any]:
    return input, weight, bias
