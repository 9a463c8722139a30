"""Running a traced network value by value, over all samples, with values set on the way."""

from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor

from ridgeline.graph import Trace
from ridgeline.graph.values import Change, Values
from ridgeline.objective import Objective, Samples
from ridgeline.state import cast

__all__ = ["HELD", "Graphs", "Run"]

HELD = 2**30
"""Bytes of values that may be held, of all samples at once."""


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
        self._values = [Values(graphs.of(i), c.inputs) for i, c in enumerate(graphs.chunks)]

    def at(self, value: str) -> Iterator[Tensor]:
        """A value, chunk by chunk.

        Args:
            value: Name of a node, not before one that was asked for earlier.
        """
        for i, (chunk, kept) in enumerate(zip(self.graphs.chunks, self._values, strict=True)):
            values = kept if self.held else Values(self.graphs.of(i), chunk.inputs)
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
        running = [Values(graphs.of(i), chunk.inputs) for _ in states]
        for value in values:
            yield value, [r.to(value, s) for r, s in zip(running, states, strict=True)]


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
