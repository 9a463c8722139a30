"""The tensors of many networks of one shape, stacked: what a population is made of."""

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from ridgeline.errors import UsageError
from ridgeline.state import State, check_same, tensors_of

__all__ = ["Stack"]


class Stack:
    """Tensors of K networks with the same names and shapes, each (K, *shape).

    Args:
        models: One for each member; left as they are. What they do apart from their tensors
            must be the same: the first one's code runs for all.
        device: Where the stack lives.

    Raises:
        UsageError: If no parameter needs a gradient.
        StateMismatch: If names or shapes differ.
    """

    def __init__(self, models: Sequence[nn.Module], device: str | torch.device) -> None:
        first = _tensors(models[0])
        for model in models[1:]:
            check_same(first, _tensors(model))
        trained = {name for name, p in models[0].named_parameters() if p.requires_grad}
        if not trained:
            raise UsageError("A model must have a parameter that needs a gradient to be trained.")
        stacked = {
            name: torch.stack([x.to(device) for x in of_all])
            for name, of_all in _by_name([_tensors(model) for model in models])
        }
        self.parameters = {name: x for name, x in stacked.items() if name in trained}
        """What is trained."""
        self.fixed = {name: x for name, x in stacked.items() if name not in trained}
        """Buffers, and parameters that need no gradient."""
        self._written = _names(models[0])

    def __len__(self) -> int:
        return len(next(iter(self.parameters.values())))

    @property
    def device(self) -> torch.device:
        """Return where the stack lives."""
        return next(iter(self.parameters.values())).device

    @property
    def size(self) -> int:
        """Coordinates of one member that are trained."""
        return sum(math.prod(x.shape[1:]) for x in self.parameters.values())

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Everything, trained or not."""
        return self.parameters | self.fixed

    def state(self, row: int, instead: Mapping[str, Tensor] | None = None) -> State:
        """A copy of one member's state, sharing nothing but its own ties.

        Args:
            row: Which member.
            instead: Stacked tensors that stand in for those of the same name, as an average does.
        """
        tensors = self.tensors | dict(instead or {})
        copies = {name: tensors[name][row].clone() for name in set(self._written.values())}
        return {name: copies[first] for name, first in self._written.items()}

    def load(self, row: int, state: Mapping[str, Tensor]) -> None:
        """Put a state in a member's place.

        Raises:
            StateMismatch: If it is not a state of this network.
        """
        check_same({name: self.tensors[first][row] for name, first in self._written.items()}, state)
        for name, first in self._written.items():
            self.tensors[first][row].copy_(state[name])

    def select(self, rows: Sequence[int]) -> None:
        """Keep some members only, in this order."""
        which = torch.tensor(rows, device=self.device)
        self.parameters = {name: x.index_select(0, which) for name, x in self.parameters.items()}
        self.fixed = {name: x.index_select(0, which) for name, x in self.fixed.items()}


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Each parameter and buffer once, shared ones under their first name."""
    held = [*model.named_parameters(), *model.named_buffers()]
    return {name: x.detach() for name, x in held}


def _names(model: nn.Module) -> dict[str, str]:
    """Each name of a state to the first name of its tensor."""
    first: dict[int, str] = {}
    for name, x in [*model.named_parameters(), *model.named_buffers()]:
        first[id(x)] = name
    return {name: first[id(x)] for name, x in tensors_of(model).items()}


def _by_name(states: Sequence[Mapping[str, Tensor]]) -> Iterator[tuple[str, list[Tensor]]]:
    for name in states[0]:
        yield name, [state[name] for state in states]
