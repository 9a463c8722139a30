"""Which values of a trace are the outputs of layers, and what the layers are called."""

from dataclasses import dataclass
from typing import Literal

from ridgeline.graph import Trace, operation

__all__ = ["LayerValue", "layer_values"]

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
class LayerValue:
    """A value that a layer computes.

    Args:
        name: Of the layer whose weight makes it, else of the value in the trace; different for
            each value.
        node: Its name in the trace, the same at any number of samples.
        operation: Such as ``linear``.
        kind: What sort of operation that is.
    """

    name: str
    node: str
    operation: str
    kind: Kind


def layer_values(trace: Trace) -> dict[str, LayerValue]:
    """The outputs of linear and convolutional layers, of normalisation, and of ReLU.

    Args:
        trace: Of a network.

    Returns:
        By name in the trace, in the order of computation.
    """
    owners = {node: name for name, node in trace.tensors.items()}
    found: dict[str, LayerValue] = {}
    taken: set[str] = set()
    for node in trace.graph.nodes:
        kind = KINDS.get(operation(node))
        if kind is None:
            continue
        held = [owners[n].rpartition(".")[0] for n in node.all_input_nodes if n in owners]
        name = next((n for n in held if n), node.name)
        name = name if name not in taken else f"{name} ({node.name})"  # a module called again
        taken.add(name)
        found[node.name] = LayerValue(name, node.name, operation(node), kind)
    return found
