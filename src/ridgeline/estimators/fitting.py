"""Training of an estimator's network: weighted rows, and an end before the last epoch."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from ridgeline.data import Split
from ridgeline.errors import UsageError
from ridgeline.state import State
from ridgeline.training import Adam, Keep, Recipe, train

__all__ = ["Fitted", "Rows", "fit", "held_out"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a table, scaled, in float64."""

    x: Tensor
    """Shape (N, F)."""
    y: Tensor
    """Class numbers (N,), or values (N, C)."""
    weight: Tensor | None = None
    """Shape (N,), of mean 1; None where all are alike."""

    def take(self, rows: NDArray[np.intp]) -> "Rows":
        """Return some of them."""
        which = torch.from_numpy(rows)
        weight = None if self.weight is None else self.weight[which]
        return Rows(self.x[which], self.y[which], weight)

    @property
    def loss(self) -> "str | Callable[[Tensor, Tensor], Tensor]":
        """Return the loss that takes `targets`."""
        if self.weight is not None:
            return _weighted_squares if self.y.ndim == 2 else _weighted_entropy
        return "squared_error" if self.y.ndim == 2 else "cross_entropy"

    @property
    def targets(self) -> Tensor:
        """Return what the loss is told: with weights, beside each target its row's weight."""
        if self.weight is None:
            return self.y
        values = self.y if self.y.ndim == 2 else self.y[:, None]
        return torch.cat([values.to(self.x.dtype), self.weight[:, None]], 1)


def _weighted_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    labels, weight = targets[:, 0].long(), targets[:, 1]
    return (nn.functional.cross_entropy(outputs, labels, reduction="none") * weight).mean()


def _weighted_squares(outputs: Tensor, targets: Tensor) -> Tensor:
    values, weight = targets[:, :-1], targets[:, -1]
    return ((outputs - values).square().mean(1) * weight).mean()


@dataclass
class Fitted:
    """A trained state, and how far it was trained."""

    state: State
    epochs: int
    """Epochs that were trained, those after the best one among them."""
    losses: list[float] = field(default_factory=list)
    """On the rows held out, after each epoch; empty if none were."""


class _Stop(Exception):
    """Ends training: the rows held out have not been fitted better for a while."""


def fit(
    net: nn.Module,
    rows: Rows,
    held: Rows | None,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    patience: int,
    seed: int,
) -> Fitted:
    """Train a network by Adam.

    Args:
        net: Where it starts; left as it is.
        rows: What it is trained on.
        held: Rows of which the loss is watched; None to train for all epochs.
        epochs: Passes over the rows.
        batch_size: Rows of a step; where there are fewer, all are in each step.
        learning_rate: Adam's.
        patience: Epochs without a lower loss on `held` after which training ends. The state
            is that of the lowest.
        seed: Of the order of rows.

    Returns:
        The state, in the network's type.

    Raises:
        UsageError: If the loss ceases to be finite.
    """
    recipe = Recipe(
        length=f"{epochs}ep",
        batch_size=min(batch_size, len(rows.x)),
        optimiser=Adam(learning_rate=learning_rate),
        loss=rows.loss,
        assess=None,
        keep=Keep() if held is None else Keep(every="1ep"),
    )
    data = Split(rows.x, rows.targets)
    if held is None:
        run = train(net, data, recipe, seed=seed)
        _check_finite(run.diverged, learning_rate)
        return Fitted(run.final, epochs)
    per_epoch = -(-len(rows.x) // recipe.batch_size)
    best = Fitted({}, 0)
    lowest, since = float("inf"), 0

    def keeper(_: int, step: int, state: State) -> None:
        nonlocal lowest, since
        if not step:
            return
        best.epochs = step // per_epoch
        best.losses.append(_loss(net, state, held))
        since += 1
        if best.losses[-1] < lowest:
            lowest, since, best.state = best.losses[-1], 0, state
        if since >= patience:
            raise _Stop

    with suppress(_Stop):
        train(net, data, recipe, seed=seed, keeper=keeper)
    _check_finite(not best.state, learning_rate)
    return best


def _check_finite(diverged: bool, learning_rate: float) -> None:
    if diverged:
        raise UsageError(
            "The training loss stays finite.",
            got=f"one that does not, at learning_rate={learning_rate}",
            remedy="Take a smaller learning rate, and look for columns of enormous values.",
        )


def _loss(net: nn.Module, state: State, rows: Rows) -> float:
    outputs = functional_call(net, state, (rows.x,))
    weight = torch.ones(len(rows.x), dtype=rows.x.dtype) if rows.weight is None else rows.weight
    packed = Rows(rows.x, rows.y, weight)
    loss = packed.loss
    assert callable(loss)
    return float(loss(outputs, packed.targets) / weight.mean())


def held_out(
    labels: NDArray[np.intp] | None, count: int, fraction: float, draws: np.random.RandomState
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows to train on and rows held out; of classes the same share of each.

    Args:
        labels: Class numbers (N,); None where targets are no classes.
        count: How many rows there are.
        fraction: Share of rows that is held out.
        draws: Chooses them.

    Raises:
        UsageError: If the share leaves none on one side.
    """
    if not 0 < fraction < 1:
        raise UsageError("`validation_fraction` is between 0 and 1.", got=repr(fraction))
    classes = np.zeros(count, dtype=np.intp) if labels is None else labels
    out = np.zeros(count, dtype=bool)
    for number in np.unique(classes):
        rows = draws.permutation(np.flatnonzero(classes == number))
        out[rows[: min(round(fraction * len(rows)), len(rows) - 1)]] = True
    if not out.any():
        raise UsageError(
            "Early stopping needs rows to hold out.",
            got=f"none, as validation_fraction={fraction} of {count} rows",
            remedy="Give more rows or a larger fraction, or leave early_stopping out.",
        )
    return np.flatnonzero(~out), np.flatnonzero(out)
