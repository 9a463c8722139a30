"""Cutting a traced network into what is done once, J times and K times."""

from dataclasses import dataclass
from typing import Any

from torch import fx

from ridgeline.engine.degrees import CONSTANT, GENERAL, Degree
from ridgeline.graph import Trace

__all__ = ["Program", "Programs", "cut"]


@dataclass(frozen=True)
class Program:
    """A piece of a network: a callable and the values that it takes and gives, as nodes."""

    run: fx.GraphModule
    takes: tuple[fx.Node, ...]
    gives: tuple[fx.Node, ...]

    def __call__(self, values: dict[fx.Node, Any]) -> None:
        """Compute what the piece gives from what stands in `values`, and put it there."""
        for node, value in zip(
            self.gives, self.run(*[values[node] for node in self.takes]), strict=True
        ):
            values[node] = value


@dataclass(frozen=True)
class Programs:
    """A network in three pieces, each taking what those before it give."""

    constant: Program
    affine: Program
    general: Program
    output: fx.Node
    trace: Trace
    degrees: dict[fx.Node, Degree]

    @property
    def names(self) -> dict[fx.Node, str]:
        """Input node to name in the state."""
        return {node: name for name, node in self.trace.tensors.items()}


def cut(trace: Trace, degrees: dict[fx.Node, Degree]) -> Programs | None:
    """Cut a graph by the degrees of its values.

    Args:
        trace: A graph with a single tensor as its output.
        degrees: Of every node.

    Returns:
        Three programs, or None if nothing is saved: no operation is constant or affine.
    """
    (end,) = (n for n in trace.graph.nodes if n.op == "output")
    outputs = end.all_input_nodes
    if len(outputs) != 1:
        return None
    (output,) = outputs
    steps = [n for n in trace.graph.nodes if n.op in ("call_function", "get_attr")]
    constants = [n for n in steps if degrees[n] == CONSTANT]
    affine = [n for n in steps if degrees[n] not in (CONSTANT, GENERAL)]
    general = [n for n in steps if degrees[n] == GENERAL]
    if not affine and all(n.op == "get_attr" for n in constants):
        return None
    needed = {output}
    third = _program(trace, general, needed)
    second = _program(trace, affine, needed)
    first = _program(trace, constants, needed)
    return Programs(first, second, third, output, trace, degrees)


def _program(trace: Trace, steps: list[fx.Node], needed: set[fx.Node]) -> Program:
    """The piece made of some steps; adds to `needed` what it takes from elsewhere."""
    inside = set(steps)
    gives = tuple(n for n in steps if n in needed)
    live = set(gives)
    for node in reversed(steps):  # what only later pieces could have used is dropped
        if node in live:
            live |= {n for n in node.all_input_nodes if n in inside}
    graph = fx.Graph()
    copied: dict[fx.Node, fx.Node] = {}
    takes: list[fx.Node] = []
    for node in (n for n in steps if n in live):
        for used in node.all_input_nodes:
            if used not in copied:
                copied[used] = graph.placeholder(used.name)
                takes.append(used)
        copied[node] = graph.node_copy(node, lambda n: copied[n])
    graph.output(tuple(copied[n] for n in gives))
    _inputs_first(graph)
    needed |= set(takes)
    return Program(fx.GraphModule(trace.owner, graph), tuple(takes), gives)


def _inputs_first(graph: fx.Graph) -> None:
    """Placeholders stand before all else, in the order they were made."""
    nodes = list(graph.nodes)
    first = next((n for n in nodes if n.op != "placeholder"), None)
    for node in nodes:
        if node.op == "placeholder" and first is not None:
            first.prepend(node)
