"""Where a network can be repaired: the outputs of its layers, found in its trace.

A layer is an operation that is linear in a tensor of the state: a linear map, a matrix product, a
convolution. What it gives has channels, and a channel is multiplied and shifted by multiplying
and shifting numbers of the state: a row of the weight and a number of the bias.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, fx

from ridgeline.errors import UnknownName
from ridgeline.graph import Trace, arguments, operation
from ridgeline.repairs.layers import (
    added_bias,
    biases,
    layer_of,
    normalises,
    shape_of,
    source_of,
    users,
)

__all__ = ["Correctable", "Normaliser", "Site", "chosen", "hidden", "normalisers", "sites"]

Correctable = Literal["mean and deviation", "deviation", "statistics", "no"]
"""What of a layer's output can be set: both; the standard deviation alone, for want of a bias;
nothing here because running statistics that follow set it; nothing at all."""


@dataclass(frozen=True)
class Site:
    """The output of one layer.

    Args:
        value: Name of the node in the trace: the layer's output with its bias.
        weight: Name of the weight in the state.
        bias: Name of the bias; None if there is none that has a number for each channel.
        axis: The channels' axis of the value, counted from the end, so below zero.
        rows: The channels' axis of the weight. Of transposed convolutions in groups the channels
            stand on two axes, the first one cut into `groups`.
        channels: How many there are.
        groups: Of a transposed convolution; 1 for all others.
        can: What can be corrected.
        why: The reason, if not everything can.
    """

    value: str
    weight: str
    bias: str | None
    axis: int
    rows: int
    channels: int
    groups: int = 1
    can: Correctable = "mean and deviation"
    why: str = ""

    def scaled(self, weight: Tensor, scale: Tensor) -> Tensor:
        """The weight with each channel's part multiplied.

        Args:
            weight: Of the state.
            scale: Shape (C,).
        """
        scale = scale.to(dtype=weight.dtype, device=weight.device)
        shape = [1] * weight.ndim
        if self.groups == 1:
            shape[self.rows] = self.channels
            return weight * scale.view(shape)
        apart = weight.unflatten(0, (self.groups, -1))
        per = scale.view(self.groups, 1, -1, *shape[2:])
        return (apart * per).flatten(0, 1)


@dataclass(frozen=True)
class Normaliser:
    """A normalisation that uses running statistics of the state.

    Args:
        value: Name of its node in the trace.
        takes: Name of the node that it normalises.
        mean: Name of the running mean in the state.
        variance: Name of the running variance.
    """

    value: str
    takes: str
    mean: str
    variance: str


def sites(trace: Trace) -> tuple[Site, ...]:
    """The layers of a traced network, in the order in which they are computed.

    Args:
        trace: Of the network.

    Returns:
        A site for each operation that is linear in a tensor of the state with channels. Layers
        whose weight is computed from tensors of the state (weight normalisation), and operations
        that hide their products (recurrent ones), are none: the state holds no rows of theirs.
    """
    names = {node: name for name, node in trace.tensors.items()}
    found = []
    seen = set(trace.data)  # values that depend on the data
    for node in trace.graph.nodes:
        if not seen.isdisjoint(node.all_input_nodes):
            seen.add(node)
        if node not in seen or (layer := layer_of(node)) is None:
            continue
        weight, turned, rows, axis, bias, groups = layer
        source, rows = source_of(weight, rows) if turned else (weight, rows)
        if not isinstance(source, fx.Node) or source not in names:
            continue
        found.append(_site(trace, names, node, source, rows, axis, bias, groups))
    return tuple(found)


def normalisers(trace: Trace) -> tuple[Normaliser, ...]:
    """The batch normalisations with running statistics, in the order in which they are computed.

    Args:
        trace: Of the network.
    """
    names = {node: name for name, node in trace.tensors.items()}
    found = []
    for node in trace.graph.nodes:
        if operation(node) != "batch_norm":
            continue
        held = arguments(node)
        takes, mean, variance = (held.get(n) for n in ("input", "running_mean", "running_var"))
        if mean in names and variance in names and isinstance(takes, fx.Node):
            found.append(Normaliser(node.name, takes.name, names[mean], names[variance]))  # type: ignore[index]  # nodes, as just asked
    return tuple(found)


def chosen(found: Sequence[Site], at: Sequence[str] | None) -> tuple[Site, ...]:
    """Those sites whose weight is named, or stands in a module that is.

    Args:
        found: All sites.
        at: Names of weights, or of modules; all sites by default.

    Raises:
        UnknownName: If a name is of none of them.
    """
    if at is None:
        return tuple(found)
    for name in at:
        if not any(_inside(site, name) for site in found):
            raise UnknownName("layer", name, [site.weight for site in found])
    return tuple(site for site in found if any(_inside(site, name) for name in at))


def hidden(trace: Trace, found: Sequence[Site]) -> tuple[Site, ...]:
    """Those sites whose outputs go into another of them, by whatever way.

    Args:
        trace: Of the network.
        found: All sites.
    """
    values = {site.value for site in found}
    going: set[fx.Node] = set()  # values from which a site is reached
    for node in reversed(trace.graph.nodes):
        if any(user in going or user.name in values for user in node.users):
            going.add(node)
    named = {node.name for node in going}
    return tuple(site for site in found if site.value in named)


def _inside(site: Site, name: str) -> bool:
    return site.weight == name or site.weight.startswith(f"{name}.")


def _site(
    trace: Trace,
    names: Mapping[fx.Node, str],
    node: fx.Node,
    weight: fx.Node,
    rows: int,
    axis: int,
    bias: object,
    groups: int,
) -> Site:
    shape = shape_of(weight)
    matrix = operation(node) in ("linear", "addmm", "matmul", "mm")
    channels = shape[rows] * groups
    known = (matrix and len(shape) == 2) or not matrix
    last = node
    name = names.get(bias) if isinstance(bias, fx.Node) and bias in names else None
    if bias is None and (added := added_bias(node, names, axis, channels)) is not None:
        last, bias = added
        name = names[bias]
    own = {(channels,), *biases(axis, channels)}
    fits = name is None or shape_of(trace.tensors[name]) in own

    def site(can: Correctable, why: str = "") -> Site:
        return Site(last.name, names[weight], name, axis, rows, channels, groups, can, why)

    if not known:
        return site("no", "its weight is no matrix")
    if users(weight) > 1:
        return site("no", "its weight is used in several places")
    if isinstance(bias, fx.Node) and bias not in names:
        return site("no", "its bias is computed")
    if not fits:
        return site("no", "its bias has no number for each channel")
    if isinstance(bias, fx.Node) and users(bias) > 1:
        return site("no", "its bias is used in several places")
    if last.users and all(normalises(user, last) for user in last.users):
        return site("statistics", "running statistics follow")
    if name is None:
        return site("deviation", "it has no bias with a number for each channel")
    return site("mean and deviation")
