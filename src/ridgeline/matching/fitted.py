"""Fitted estimators in the place of states: aligned by their networks, and given back fitted."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self, TypeGuard, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from ridgeline.errors import UsageError
from ridgeline.state import State
from ridgeline.symmetry import Symmetry, symmetries

__all__ = ["E", "Fitted", "are_fitted", "states_in_one", "symmetry_of"]


@runtime_checkable
class Fitted(Protocol):
    """An estimator with scikit-learn's interface around a network, as `SoftTreeClassifier`."""

    @property
    def network_(self) -> nn.Module:
        """The network, of inputs as the estimator scales them."""
        ...

    @property
    def n_features_in_(self) -> int:
        """Number of columns that it takes."""
        ...

    @property
    def state_(self) -> State:
        """The network's state."""
        ...

    def state_in(self, other: Any) -> State:
        """Return the state that does in another estimator's place what this one does."""
        ...

    def with_state(self, state: Mapping[str, Tensor]) -> Self:
        """Return a fitted copy with another state."""
        ...


E = TypeVar("E", bound=Fitted)


def are_fitted(given: Sequence[object]) -> TypeGuard[Sequence[Fitted]]:
    """True of estimators, False of states.

    Raises:
        UsageError: If some are the one and some the other.
    """
    found = [hasattr(x, "state_in") and hasattr(x, "with_state") for x in given]
    if any(found) and not all(found):
        other = next(type(x).__name__ for x, own in zip(given, found, strict=True) if not own)
        raise UsageError(
            "Estimators go with estimators, and states with states.",
            got=f"{type(given[found.index(True)]).__name__} and {other}",
            remedy="Take an estimator's state by `state_`, or give a fitted estimator.",
        )
    return bool(found) and all(found)


def states_in_one(given: Sequence[Fitted]) -> list[State]:
    """The states of estimators, each as it is in the scaling of the first.

    Args:
        given: Fitted.

    Raises:
        UsageError: If they are not comparable; it names what differs.
    """
    first, *others = given
    return [first.state_, *(x.state_in(first) for x in others)]


def symmetry_of(estimator: Fitted) -> Symmetry:
    """The symmetry of an estimator's network.

    Args:
        estimator: Fitted.
    """
    return symmetries(
        estimator.network_, torch.zeros(2, estimator.n_features_in_, dtype=torch.float64)
    )
