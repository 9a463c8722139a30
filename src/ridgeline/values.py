"""What a network computes on the way: the values of its trace.

Two ways to look, by what is wanted. `Values` computes up to a value and stops there, so that it
may be replaced and several states go side by side. `observe` runs through and shows each value
with the arguments of its operation, so that the operation can be applied to others.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from torch import Tensor, fx
from torch.utils import _pytree as pytree

from ridgeline.errors import UsageError
from ridgeline.tracing import Trace, flatten

__all__ = ["Change", "Seen", "Values", "observe"]

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
