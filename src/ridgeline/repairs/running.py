"""Running a traced network value by value, over all samples, with values set on the way."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, fx
from torch.utils import _pytree as pytree

from ridgeline.errors import UsageError
from ridgeline.objective import Objective, Samples
from ridgeline.state import cast
from ridgeline.tracing import Trace, flatten

__all__ = ["HELD", "Graphs", "Run"]

HELD = 2**30
"""Bytes of values that may be held, of all samples at once."""

Change = Callable[[Tensor], Tensor]


class Graphs:
    """The graphs of a network at the sizes of the chunks that its samples are cut into.

    Args:
        objective: Gives the network, and the size of chunks.
        samples: On the objective's device and in its dtype.

    Raises:
        NotTraceable: If the network cannot be traced.
    """

    def __init__(self, objective: Objective, samples: Samples) -> None:
        self.chunks = list(samples.chunks(objective.rows))
        tensors = cast(objective.network.tensors, objective.dtype, objective.device)
        self._traces: dict[int, Trace] = {}
        for chunk in self.chunks:
            if len(chunk) not in self._traces:
                traced = objective.network.trace(chunk.inputs, tensors)
                self._traces[len(chunk)] = traced
        self.needed = _live(self.trace) * len(samples) // len(self.chunks[0])
        """Bytes of the values of all samples that a run holds at once, at most."""

    @property
    def trace(self) -> Trace:
        """That of the first chunk. Nodes bear the same names in all."""
        return self.of(0)

    def of(self, chunk: int) -> Trace:
        """The graph at the size of one chunk."""
        return self._traces[len(self.chunks[chunk])]


class Run:
    """One pass of a network over all samples, stopping at values to look at and to set.

    Values of all chunks are held while they are needed; where they would take more than `HELD`,
    each stop begins anew, with the same result.

    Args:
        graphs: Of the network.
        tensors: The state; what is set goes into a copy.
        held: Whether to hold values; by their size by default.
    """

    def __init__(
        self, graphs: Graphs, tensors: Mapping[str, Tensor], *, held: bool | None = None
    ) -> None:
        self.graphs, self.tensors = graphs, dict(tensors)
        self.held = graphs.needed <= HELD if held is None else held
        self.changes: dict[str, Change] = {}
        self._values = [_Values(graphs.of(i), c) for i, c in enumerate(graphs.chunks)]

    def at(self, value: str) -> Iterator[Tensor]:
        """A value, chunk by chunk.

        Args:
            value: Name of a node, not before one that was asked for earlier.
        """
        for i, (chunk, kept) in enumerate(zip(self.graphs.chunks, self._values, strict=True)):
            values = kept if self.held else _Values(self.graphs.of(i), chunk)
            yield values.to(value, self.tensors, self.changes)

    def change(self, value: str, change: Change) -> None:
        """Set a value to a function of itself, from here on.

        Args:
            value: Name of the node at which the run stands.
            change: The function.
        """
        self.changes[value] = change
        if self.held:
            for values in self._values:
                values.set(value, change)


def each(
    graphs: Graphs, states: Sequence[Mapping[str, Tensor]], values: Sequence[str]
) -> Iterator[tuple[str, list[Tensor]]]:
    """Values of several states in one pass over the samples.

    Args:
        graphs: Of the network.
        states: Their tensors.
        values: Names of nodes, in the order of the graph.

    Yields:
        Name of the node and its value in every state, on one chunk.
    """
    for i, chunk in enumerate(graphs.chunks):
        running = [_Values(graphs.of(i), chunk) for _ in states]
        for value in values:
            yield value, [r.to(value, s, {}) for r, s in zip(running, states, strict=True)]


def _live(trace: Trace) -> int:
    """The most bytes of computed values that are still needed after some step."""
    steps = [n for n in trace.graph.nodes if n.op == "call_function"]
    last = {used: i for i, n in enumerate(steps) for used in n.all_input_nodes}
    going: dict[int, int] = {}
    live = most = 0
    for i, node in enumerate(steps):
        value = node.meta.get("val")
        size = value.numel() * value.element_size() if isinstance(value, Tensor) else 0
        live += size - going.pop(i, 0)
        going[last.get(node, i)] = going.get(last.get(node, i), 0) + size
        most = max(most, live)
    return most


class _Values:
    """The values of one chunk, computed up to some node and let go when no longer needed."""

    def __init__(self, trace: Trace, chunk: Samples) -> None:
        self.trace = trace
        self.steps = [n for n in trace.graph.nodes if n.op in ("call_function", "get_attr")]
        self.place = {n.name: i for i, n in enumerate(self.steps)}
        self.data = {n.name: n for n in trace.data}
        self.names = {node: name for name, node in trace.tensors.items()}
        self.last: dict[fx.Node, int] = {}
        for i, node in enumerate(self.steps):
            for used in node.all_input_nodes:
                self.last[used] = i
        self.env: dict[fx.Node, Any] = dict(zip(trace.data, flatten(chunk.inputs), strict=True))
        self.done = 0

    def to(
        self, value: str, tensors: Mapping[str, Tensor], changes: Mapping[str, Change]
    ) -> Tensor:
        """Compute up to a node, and give its value."""
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
