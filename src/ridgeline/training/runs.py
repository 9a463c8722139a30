"""What goes into training and what comes out of it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from ridgeline.state import State
from ridgeline.training.recipe import Recipe

__all__ = ["Keeper", "Member", "Origin", "Run", "Snapshot", "TrainingStatus"]

Keeper = Callable[[int, int, State], None]
"""Told (which member, after how many steps, the state) of each state that is kept."""


@dataclass(frozen=True, eq=False)
class Origin:
    """Spawn point of a child: a state of its parent, with the optimizer state."""

    state: State
    slots: Mapping[str, State] = field(default_factory=dict)
    """Slot name to parameter name to tensor; empty to start with none."""
    step: int = 0
    """The child's clock: its first step has this number, in its schedule and its epochs."""
    count: int = 0
    """Steps that the slots have seen; 0 with empty slots."""


@dataclass(frozen=True, eq=False)
class Member:
    """One run to be: a network, a recipe, a seed, and perhaps data of its own."""

    model: nn.Module
    """Where it starts, unless it has an origin; left as it is."""
    recipe: Recipe
    seed: int = 0
    """Names the order of batches, the augmentation, what the model draws, and the labels of
    `Recipe.relabel` unless that has a seed."""
    draws: int | None = None
    """Names augmentation and the model's draws in place of `seed`, which is left the order."""
    rows: Tensor | None = None
    """Which samples it trains on, (n,) int64; all by default."""
    targets: Tensor | None = None
    """Its own targets for all samples, as with label noise; those of the data by default."""
    origin: Origin | None = None


@dataclass(frozen=True, eq=False)
class Run:
    """One trained network and what was kept of it."""

    initial: State
    """Before the first step."""
    final: State
    """After the last step taken; of a run that diverged, before the step that would have."""
    states: dict[int, State]
    """Number of steps taken to the state then, `initial` and `final` among them; these two alone
    if a keeper took the others."""
    slots: dict[int, Mapping[str, State]]
    """At each spawn point: slot name to parameter name to tensor."""
    log: dict[str, list[float]]
    """One value an epoch. `epoch` and `step`: how far it was at its end. `loss` and `error`:
    means over its samples, each as its batch met it in training mode, without any penalty.
    `learning_rate`: of its last step. `test_loss` and `test_error`: in evaluation mode; NaN where
    not measured. Errors are NaN where targets are not classes. `seconds`: since the start, shared
    by a population."""
    steps: int
    """The clock at the end: fewer than planned if the run diverged or stopped early."""
    planned: int
    diverged: bool = False
    """True if the loss, or a weight at the end, ceased to be finite; the run stopped there."""
    stopped: bool = False
    """True if the training loss fell below `Recipe.stop_below`."""
    average: State | None = None
    """The averaged network, if the recipe asks for one; buffers are those of `final`, so that
    BatchNorm statistics want recomputing."""
    measured: dict[str, dict[str, float]] = field(default_factory=dict)
    """``train`` and ``test`` to `loss` and `error` of the final state in evaluation mode, without
    label smoothing; ``train`` on the samples and the targets that it was trained on."""
    seconds: float = math.nan
    """Wall time of the population it was trained in."""
    together: int = 1
    """How many were trained in one stack with it."""


@dataclass(frozen=True, eq=False)
class TrainingStatus:
    """Progress of a population."""

    step: int
    """Of the population's clock."""
    planned: int
    epoch: float
    loss: list[float]
    """Each member's mean loss in the last whole epoch; NaN before."""
    error: list[float]
    test_error: list[float]
    learning_rate: list[float]
    finished: list[str]
    """Each member's state: ``""`` while it runs, ``"done"``, ``"diverged"``, ``"stopped"``."""
    rate: float
    """Steps a second, of the whole population."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All that a population needs to go on after a kill, exactly as if nothing had happened."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]
    """JSON values: the clock, logs, who is finished and how."""
