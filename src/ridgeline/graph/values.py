"""What a network computes on the way: the values of its trace.

Three ways to look, by what is wanted. `Values` computes up to a value and stops there, so that it
may be replaced and several states go side by side. `observe` runs through and shows each value
with the arguments of its operation, so that the operation can be applied to others. `values_of`
keeps all, of a small batch.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.node import map_arg
from torch.utils import _pytree as pytree

from ridgeline.errors import UsageError
from ridgeline.graph.calls import flatten
from ridgeline.graph.network import Trace
from ridgeline.graph.operations import operation

__all__ = ["Change", "Seen", "Values", "observe", "outputs_in", "run", "values_of"]

Change = Callable[[Tensor], Tensor]
NOTHING: Mapping[str, Change] = MappingProxyType({})


class Values:
    """The values of one batch, computed up to some node and let go when no longer needed.

    Args:
        trace: At the number of samples of the batch.
        inputs: The batch.
    """

    def __init__(self, trace: Trace, inputs: Any) -> None:
        self.trace = trace
        self.steps = [n for n in trace.graph.nodes if n.op in ("call_function", "get_attr")]
        self.place = {n.name: i for i, n in enumerate(self.steps)}
        self.data = {n.name: n for n in trace.data}
        self.names = {node: name for name, node in trace.tensors.items()}
        self.last: dict[fx.Node, int] = {}
        for i, node in enumerate(self.steps):
            for used in node.all_input_nodes:
                self.last[used] = i
        self.env: dict[fx.Node, Any] = dict(zip(trace.data, flatten(inputs), strict=True))
        self.done = 0

    def to(
        self, value: str, tensors: Mapping[str, Tensor], changes: Mapping[str, Change] = NOTHING
    ) -> Tensor:
        """Compute up to a node, and give its value.

        Args:
            value: The node's name, not before one that was asked for earlier.
            tensors: The state.
            changes: Name of a node to what its value is replaced by.

        Raises:
            UsageError: If the value was let go already.
        """
        if value in self.data:
            return self.env[self.data[value]]
        stop = self.place[value]
        for i in range(self.done, stop + 1):
            node = self.steps[i]
            out = self._step(node, tensors)
            if node.name in changes:
                out = changes[node.name](out)
            self.env[node] = out
            # Of this node's inputs, those that nothing later needs; a stop's value stays.
            for used in node.all_input_nodes:
                if self.last[used] == i and used not in self.names:
                    self.env.pop(used, None)
        self.done = max(self.done, stop + 1)
        node = self.steps[stop]
        if node not in self.env:
            raise UsageError("Values are asked for in the order of the graph.", got=value)
        return self.env[node]

    def set(self, value: str, change: Change) -> None:
        """Replace the value at which the computation stands."""
        node = self.steps[self.place[value]]
        self.env[node] = change(self.env[node])

    def _step(self, node: fx.Node, tensors: Mapping[str, Tensor]) -> Any:
        if node.op == "get_attr":
            owner: Any = self.trace.owner
            for part in str(node.target).split("."):
                owner = getattr(owner, part)
            return owner

        def given(used: fx.Node) -> Any:
            return tensors[self.names[used]] if used in self.names else self.env[used]

        args, kwargs = pytree.tree_map_only(fx.Node, given, (_plain(node.args), dict(node.kwargs)))
        assert callable(node.target)
        return node.target(*args, **kwargs)


def _plain(args: Any) -> Any:
    """Arguments with fx's own lists as plain ones, which operations and trees take."""
    if isinstance(args, tuple):
        return tuple(_plain(x) for x in args)
    return [_plain(x) for x in args] if isinstance(args, list) else args


@dataclass(frozen=True)
class Seen:
    """A value, and what it was computed from."""

    value: Any
    target: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def observe(
    trace: Trace,
    tensors: Mapping[str, Tensor],
    inputs: Any,
    wanted: Callable[[str], bool],
    see: Callable[[str, Seen], None],
) -> None:
    """Run a traced network and look at some of its values as they are computed.

    What nobody keeps is let go, as in a plain run.

    Args:
        trace: At the number of samples of `inputs`.
        tensors: The state.
        inputs: One batch.
        wanted: Whether to look at the value of this name in the trace.
        see: Told (name in the trace, the value and its arguments), in the order of computation.
    """
    given = [tensors[name] for name in trace.tensors]
    _Watching(trace, wanted, see).run(*given, *flatten(inputs), enable_io_processing=False)


class _Watching(fx.Interpreter):
    def __init__(
        self, trace: Trace, wanted: Callable[[str], bool], see: Callable[[str, Seen], None]
    ) -> None:
        super().__init__(trace.owner, graph=trace.graph)  # type: ignore[arg-type]  # a GraphModule
        self.wanted, self.see = wanted, see

    def run_node(self, n: fx.Node) -> Any:
        if n.op != "call_function" or not self.wanted(n.name):
            return super().run_node(n)
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        value = self.call_function(n.target, args, kwargs)
        self.see(n.name, Seen(value, n.target, args, kwargs))  # type: ignore[arg-type]  # a callable, by its op
        return value


def values_of(
    trace: Trace, given: Sequence[Tensor], *, through: bool = False
) -> dict[fx.Node, Any]:
    """Return what every node of a trace gives.

    Args:
        trace: Of a network.
        given: The tensors of its state and of its data, in order.
        through: Let derivatives through `detach`: those of the function, not of a training step.
    """
    values: dict[fx.Node, Any] = {}
    waiting = iter(given)
    for node in trace.graph.nodes:
        if node.op == "placeholder":
            values[node] = next(waiting)
        elif node.op == "get_attr":
            values[node] = operator.attrgetter(str(node.target))(trace.owner)
        elif through and operation(node) == "detach":
            values[node] = values[node.args[0]]  # type: ignore[index]  # a node
        elif node.op == "call_function":
            values[node] = run(node, values)
    return values


def run(node: fx.Node, values: Mapping[fx.Node, Any]) -> Any:
    """Return what one operation gives.

    Args:
        node: The operation.
        values: Of the nodes that it takes.
    """
    args, kwargs = map_arg((node.args, node.kwargs), lambda n: values[n])
    return node.target(*args, **kwargs)  # type: ignore[operator]  # an operation


def outputs_in(trace: Trace, values: Mapping[fx.Node, Any]) -> list[Tensor]:
    """The outputs that have a derivative, complex ones as two reals.

    Args:
        trace: Of a network.
        values: Of its nodes.
    """
    last = next(n for n in reversed(trace.graph.nodes) if n.op == "output")
    made = [y for n in last.all_input_nodes for y in pytree.tree_leaves(values[n])]
    found = [y for y in made if isinstance(y, Tensor) and y.requires_grad]
    return [torch.view_as_real(y.resolve_conj()) if y.is_complex() else y for y in found]
