"""States, and what the names of their tensors say."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from ridgeline.state.kinds import is_continuous, matching
from ridgeline.state.sharing import place
from ridgeline.state.spectral import spectral_vectors

__all__ = [
    "STATISTICS",
    "State",
    "capture",
    "cast",
    "coordinates",
    "is_extra",
    "is_statistic",
    "layers",
    "tensors_of",
]

State = dict[str, Tensor]
"""Names to tensors."""

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
"""Last parts of the names that normalisation layers give to their statistics."""


def is_statistic(name: str) -> bool:
    """True if a tensor of this name holds normalisation statistics."""
    return name.rpartition(".")[2] in STATISTICS


def tensors_of(model: torch.nn.Module) -> State:
    """A module's own tensors, each under all of its names: its state, not copied.

    What layers keep as extra state (`get_extra_state`) is no tensor of the network and left out.

    Args:
        model: Any module.
    """
    given = model.state_dict(keep_vars=True)
    return {n: x for n, x in given.items() if isinstance(x, Tensor) and not is_extra(n)}


def is_extra(name: str) -> bool:
    """True if a name is that of a layer's extra state."""
    return name.rpartition(".")[2] == "_extra_state"


def capture(model: torch.nn.Module) -> State:
    """A copy of a module's state, sharing nothing with it but preserving its ties.

    Args:
        model: Any module.

    Returns:
        Every parameter and persistent buffer under each of its names; names that share
        a tensor in the module share one in the copy.
    """
    copies: dict[object, Tensor] = {}
    state: State = {}
    for name, tensor in tensors_of(model).items():
        if place(tensor) not in copies:
            copies[place(tensor)] = tensor.detach().clone()
        state[name] = copies[place(tensor)]
    return state


def cast(
    state: Mapping[str, Tensor],
    dtype: torch.dtype | None = None,
    device: str | torch.device | None = None,
) -> State:
    """The state with floating tensors in `dtype`, complex ones in its twin, all on `device`.

    Labels keep their type.
    """
    made: dict[object, Tensor] = {}  # names that share a tensor share its conversion
    for x in state.values():
        if place(x) not in made:
            made[place(x)] = x.to(device=device, dtype=matching(dtype, x))
    return {name: made[place(x)] for name, x in state.items()}


def coordinates(state: Mapping[str, Tensor], *, statistics: bool = False) -> Iterator[str]:
    """Names of the tensors that place a state: real or complex, and no statistics unless asked.

    Vectors of spectral normalisation follow from their weight and place nothing.
    Of names that share one tensor only the first is given: a tied weight is one coordinate.
    """
    seen: set[object] = set()
    vectors = spectral_vectors(state)
    for name, x in state.items():
        counts = is_continuous(x) and (statistics or not is_statistic(name))
        counts = counts and name not in vectors
        if counts and place(x) not in seen:
            seen.add(place(x))
            yield name


def layers(state: Mapping[str, Tensor]) -> dict[str, list[str]]:
    """The logical layers of a state, in its order.

    A layer is all tensors of one module: the names that share a prefix, weight and bias
    together (Adilova et al. 2023). Tensors of the root module bear their own name.

    Args:
        state: Names to tensors.

    Returns:
        Layer name to the names of its tensors; layers without a floating tensor are left out.
    """
    found: dict[str, list[str]] = {}
    for name in state:
        found.setdefault(name.rpartition(".")[0] or name, []).append(name)
    return {
        layer: names
        for layer, names in found.items()
        if any(is_continuous(state[name]) for name in names)
    }
