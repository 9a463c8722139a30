"""What a network computes on the way: the values of its layers, seen through its trace."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, fx

from ridgeline.tracing import Trace, flatten, operation

__all__ = ["Seen", "Site", "observe", "sites"]

Kind = Literal["layer", "norm", "relu"]
KINDS: dict[str, Kind] = {
    **dict.fromkeys(("linear", "addmm", "convolution"), "layer"),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), "layer"),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), "layer"),
    **dict.fromkeys(("batch_norm", "layer_norm", "group_norm", "instance_norm"), "norm"),
    **dict.fromkeys(("rms_norm", "native_batch_norm"), "norm"),
    "relu": "relu",
}


@dataclass(frozen=True)
class Site:
    """A value that a layer computes.

    Args:
        name: Of the layer whose weight makes it, else of the value in the trace; different for
            each site.
        node: Its name in the trace, the same at any number of samples.
        operation: Such as ``linear``.
        kind: What sort of operation that is.
    """

    name: str
    node: str
    operation: str
    kind: Kind


@dataclass(frozen=True)
class Seen:
    """A value, and what it was computed from."""

    value: Any
    target: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def sites(trace: Trace) -> dict[str, Site]:
    """The outputs of linear and convolutional layers, of normalisation, and of ReLU.

    Args:
        trace: Of a network.

    Returns:
        Name in the trace to its site, in the order of computation.
    """
    owners = {node: name for name, node in trace.tensors.items()}
    found: dict[str, Site] = {}
    taken: set[str] = set()
    for node in trace.graph.nodes:
        kind = KINDS.get(operation(node))
        if kind is None:
            continue
        held = [owners[n].rpartition(".")[0] for n in node.all_input_nodes if n in owners]
        name = next((n for n in held if n), node.name)
        name = name if name not in taken else f"{name} ({node.name})"  # a module called again
        taken.add(name)
        found[node.name] = Site(name, node.name, operation(node), kind)
    return found


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
