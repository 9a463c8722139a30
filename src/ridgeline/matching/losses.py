"""States on the line between two networks, for matching that descends the loss there."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from ridgeline.objective import Objective, Samples, minibatches

__all__ = ["batches_of", "mixed", "parameters"]


def parameters(objective: Objective, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state's tensors as the objective's network takes them; outside of inference mode."""
    return {n: x.detach() for n, x in objective.tensors(dict(state)).items()}


def batches_of(objective: Objective, rows: int, seed: int) -> Iterator[Samples]:
    """Minibatches from the stream of matching; see `minibatches`."""
    return minibatches(objective, rows, seed=seed, purpose="matching batches")


def mixed(
    a: Mapping[str, Tensor], b: Mapping[str, Tensor], t: float | Tensor = 0.5
) -> dict[str, Tensor]:
    """The tensors (1 - t) a + t b, differentiable; labels are those of a."""
    return {n: torch.lerp(x, b[n], t) if x.is_floating_point() else x for n, x in a.items()}
