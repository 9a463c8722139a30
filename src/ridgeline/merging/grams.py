"""Gram matrices of what linear layers take in."""

from torch import Tensor

from ridgeline.engine.evaluation import sample_order
from ridgeline.engine.strategies import trace_for
from ridgeline.errors import UsageError
from ridgeline.graph import Trace, arguments, operation
from ridgeline.graph.values import Seen, observe
from ridgeline.objective import Objective
from ridgeline.objective.samples import Samples
from ridgeline.state import State

__all__ = ["fed_by", "gram_matrices", "some"]


def gram_matrices(
    objective: Objective, state: State, *, samples: int | None = None, seed: int = 0
) -> dict[str, Tensor]:
    """The Gram matrices of what the linear layers take in, summed over samples.

    ``sum_x h h^T`` in float64, of the inputs h of each layer in the network with this state;
    positions of a sequence count as samples. Layers are those whose weight enters the network
    through `torch.nn.functional.linear`.

    Args:
        objective: Gives model, data and statistics policy.
        state: Where.
        samples: How many inputs, in a random order; all by default.
        seed: Names the order.

    Returns:
        Name of the weight, of shape (out, in), to its matrix of shape (in, in).

    Raises:
        NotTraceable: If the network cannot be traced.
        StateMismatch: If the state is not one of the model.
    """
    tensors = objective.tensors(state)
    found: dict[str, Tensor] = {}
    with objective.computing():
        tensors |= objective.recomputed(tensors)
        for part in some(objective, samples, seed).chunks(objective.rows):
            trace = trace_for(objective, len(part))
            fed = fed_by(trace)

            def see(name: str, seen: Seen, fed: dict[str, str] = fed) -> None:
                h = seen.args[0].flatten(0, -2).double()
                found[fed[name]] = found.get(fed[name], 0) + h.T @ h

            observe(trace, tensors, part.inputs, fed.__contains__, see)
    return {n: x.clone() for n, x in found.items()}


def fed_by(trace: Trace) -> dict[str, str]:
    """Name of each linear operation in a trace to the name of its weight in the state."""
    owner = {node: name for name, node in trace.tensors.items()}
    return {
        node.name: owner[arguments(node)["weight"]]
        for node in trace.graph.nodes
        if operation(node) == "linear" and arguments(node).get("weight") in owner
    }


def some(objective: Objective, samples: int | None, seed: int) -> Samples:
    """The first samples of a random order; all of them, as they are, by default."""
    if samples is not None and samples < 1:
        raise UsageError("There must be one sample at least.", got=f"{samples}")
    if samples is None or samples >= len(objective):
        return objective.samples
    order = sample_order(len(objective), seed, None)[:samples]
    return objective.samples[order.to(objective.device)]
