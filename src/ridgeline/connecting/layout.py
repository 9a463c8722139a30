"""States of one objective as rows of a matrix: what moves, and where it stands in a row."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.objective import Objective
from ridgeline.state import State

__all__ = ["Layout"]


class Layout:
    """The parameters of a network, one after another, as the entries of a row.

    A row holds what trains: real and complex parameters, these as pairs of reals. Left out are
    parameters that are frozen (``requires_grad=False``) and alike in all states, and those that
    hold the infinities of a mask. Buffers, labels and statistics are no part of a row.

    Args:
        objective: Whose network it is.
        points: States of it.

    Raises:
        StateMismatch: If a state is not one of the model.
        UsageError: If there is nothing to move.
    """

    def __init__(self, objective: Objective, points: Sequence[State]) -> None:
        self.objective = objective
        with torch.inference_mode(False):
            self.points = tuple(_ordinary(objective.tensors(point)) for point in points)
        """The states as the network takes them, in the objective's type and on its device."""
        own = dict(objective.network.module.named_parameters())
        self.names = [n for n in objective.network.tensors if n in own and self._moves(n, own[n])]
        """Names of what a row holds, in its order."""
        if not self.names:
            raise UsageError(
                "What is trained has parameters of real or complex numbers that may move.",
                got="a model without any",
            )
        first = states.as_real({n: self.points[0][n] for n in self.names})
        self.shapes = {n: x.shape for n, x in first.items()}
        self.sizes = [x.numel() for x in first.values()]
        self.size = sum(self.sizes)
        """Entries of a row."""
        self.spectral = states.spectral_vectors(objective.network.tensors)
        """Vectors of spectral normalisation, which follow from their weight."""
        moving = {*self.names, *self.spectral, *self._recomputed()}
        still = [n for n in objective.network.tensors if n not in moving]
        self.carried = [n for n in still if not self._alike(n)]
        """Names of what differs between states and does not train."""
        tied = states.ties(states.tensors_of(objective.network.module))
        self._aliases = {n: next((g for g in tied if n in g), [n]) for n in self.names}

    def _moves(self, name: str, parameter: Tensor) -> bool:
        held = [point[name] for point in self.points]
        finite = all(bool(x.isfinite().all()) for x in held) if states.is_continuous(held[0]) else 0
        return bool(finite) and (parameter.requires_grad or not self._alike(name))

    def _alike(self, name: str) -> bool:
        first, *rest = (point[name] for point in self.points)
        return all(states.equal(first, x) for x in rest)

    def _recomputed(self) -> set[str]:
        if self.objective.statistics != "recompute":
            return set()
        return {n for n in self.objective.network.tensors if states.is_statistic(n)}

    def matrix(self) -> Tensor:
        """The states as rows, (J, D), a copy."""
        return torch.stack([self.row(point) for point in self.points])

    def row(self, state: Mapping[str, Tensor]) -> Tensor:
        """A state's row, (D,).

        Args:
            state: With the network's tensors.
        """
        real = states.as_real({n: state[n] for n in self.names})
        like = self.points[0][self.names[0]]
        kind = self.objective.dtype
        return torch.cat([x.detach().to(like.device, kind).reshape(-1) for x in real.values()])

    def views(self, row: Tensor) -> dict[str, Tensor]:
        """The tensors that a row (D,) holds, by name: they share its memory."""
        found = {}
        for name, part in zip(self.names, row.split(self.sizes), strict=True):
            real = part.view(self.shapes[name])
            found[name] = torch.view_as_complex(real) if self.points[0][name].is_complex() else real
        return found

    def state(self, row: Tensor, like: State) -> State:
        """The state whose parameters are a row's, and whose other tensors are another state's.

        Args:
            row: Shape (D,).
            like: Gives the other tensors, and the types of all; names that are tied stay so.
        """
        found = dict(like)
        for name, x in self.views(row).items():
            known = [n for n in self._aliases[name] if n in like]
            made = x.detach().to(like[known[0]]).clone()
            found.update(dict.fromkeys(known, made))
        return states.renewed(found, like)


def _ordinary(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors that may be part of a graph, whatever mode they were made in."""
    return {n: x.detach().clone() if x.is_inference() else x.detach() for n, x in tensors.items()}
