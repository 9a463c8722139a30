"""Squared gradients of linear layers without the gradients themselves.

The gradient of one sample's loss by a linear layer's weight is ``g h^T``, with h what the layer
took in and g the gradient by what it gave. Its square, entry by entry, is ``g^2 (h^2)^T``, so
that the sum over samples is one matrix product.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from ridgeline.engine.strategies import trace_for
from ridgeline.errors import NotTraceable
from ridgeline.objective import Objective
from ridgeline.objective.samples import Samples
from ridgeline.tracing import Trace, arguments, operation
from ridgeline.values import Seen, observe

__all__ = ["Layers"]

Tensors = dict[str, Tensor]


class Layers:
    """Networks all of whose coordinates are weights and biases of linear layers, used once.

    Each layer has one row for each sample. Rows that are positions of a sequence do not serve: the
    gradient of a sample is then a sum over its rows, whose square is not the sum of squares.

    Args:
        objective: Gives network and data.
        tensors: The state.
    """

    def __init__(self, objective: Objective, tensors: Tensors) -> None:
        self.objective, self.tensors, self.rows = objective, tensors, objective.rows
        self._owners: dict[str, tuple[str, str | None]] = {}
        self._seen: dict[str, Seen] = {}
        self._outputs: Any = None

    @classmethod
    def of(cls, objective: Objective, tensors: Tensors, names: list[str]) -> "Layers | None":
        """The network so, or None if it is another."""
        rows = min(objective.rows, len(objective))
        try:
            # At one size alone rows of another kind may be as many as samples.
            owners, _ = (_owners(trace_for(objective, n), n) for n in (rows, rows + 1))
        except NotTraceable:
            return None
        held = [n for pair in owners.values() for n in pair if n is not None]
        return cls(objective, tensors) if held and sorted(held) == sorted(names) else None

    def forward(self, part: Samples) -> Tensor:
        """The outputs; what each layer took in and gave is kept, with its graph."""
        trace = trace_for(self.objective, len(part))
        self._owners, self._seen = _owners(trace, len(part)), {}
        last = _output(trace)
        given: dict[str, Tensor] = {}

        def see(name: str, seen: Seen) -> None:
            given[name] = seen.value
            if name in self._owners:
                self._seen[name] = seen

        wanted = {*self._owners, last}
        moving = {
            n: x.detach().requires_grad_(x.is_floating_point()) for n, x in self.tensors.items()
        }
        with torch.enable_grad():
            observe(trace, moving, part.inputs, wanted.__contains__, see)
        self._outputs = given[last]
        return self._outputs

    def squares(
        self, part: Samples, targets: Any, weight: Tensor, loss: Callable[[Any, Any], Tensor]
    ) -> Iterator[tuple[str, Tensor]]:
        """Name to the weighted sum over samples of squared gradients."""
        del part
        with torch.enable_grad():
            total = loss(self._outputs, targets).sum()  # samples do not meet: each has its own
        made = [seen.value for seen in self._seen.values()]
        slopes = torch.autograd.grad(total, made, retain_graph=True)
        for (name, seen), g in zip(self._seen.items(), slopes, strict=True):
            squares = g.double().square() * weight[:, None]
            matrix, bias = self._owners[name]
            yield matrix, squares.T @ seen.args[0].detach().double().square()
            if bias is not None:
                yield bias, squares.sum(0)


def _owners(trace: Trace, samples: int) -> dict[str, tuple[str, str | None]]:
    """Name of each linear operation on (N, in) to the names of its weight and bias.

    Args:
        trace: Of the network.
        samples: N, at which it was taken.

    Raises:
        NotTraceable: If a layer takes in more axes, or other rows than samples, or if its weight
            or bias is no tensor of the state.
    """
    names = {node: name for name, node in trace.tensors.items()}
    found: dict[str, tuple[str, str | None]] = {}
    for node in trace.graph.nodes:
        if operation(node) != "linear":
            continue
        given = arguments(node)
        weight, bias = given["weight"], given.get("bias")
        plain = weight in names and (bias is None or bias in names)
        shape = node.meta["val"].shape
        if not plain or len(shape) != 2 or shape[0] != samples:
            raise NotTraceable("A linear layer is of other tensors or axes.", got=node.name)
        if any(len(x.users) > 1 for x in (weight, bias) if x is not None):
            raise NotTraceable("A tensor is used elsewhere too.", got=names[weight])
        found[node.name] = names[weight], None if bias is None else names[bias]
    return found


def _output(trace: Trace) -> str:
    """The name of the value that the network gives."""
    (end,) = (n for n in trace.graph.nodes if n.op == "output")
    if len(end.all_input_nodes) != 1:
        raise NotTraceable("The network gives several values.", got=str(len(end.all_input_nodes)))
    return end.all_input_nodes[0].name
