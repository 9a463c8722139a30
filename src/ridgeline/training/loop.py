"""The one loop: every training of the library goes through it, alone or in a population."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ridgeline.data.sets import Split
from ridgeline.objective import collect
from ridgeline.rng import untouched
from ridgeline.training.arrangement import measure, preferred
from ridgeline.training.durations import Duration
from ridgeline.training.grouping import likeness
from ridgeline.training.population import Population
from ridgeline.training.recipe import Recipe
from ridgeline.training.runs import Keeper, Member, Origin, Run, Snapshot, TrainingStatus
from ridgeline.training.snapshots import restore, snapshot_of

__all__ = ["train", "train_many", "train_together"]


def train(
    model: nn.Module,
    data: Any,
    recipe: Recipe,
    *,
    seed: int = 0,
    test: Any = None,
    origin: Origin | None = None,
    device: str | torch.device | None = None,
    keeper: Keeper | None = None,
    watch: Callable[[TrainingStatus], None] | None = None,
) -> Run:
    """Train a copy of a network; the network itself is left as it is.

    The same arguments give the same run bit for bit on one machine with one number of threads.

    Args:
        model: Where the run starts. Parameters that need no gradient stay in place.
        data: A `Split`, or one split of what an objective takes: arrays ``(inputs, targets)``, a
            `Dataset`, a `DataLoader`, a list of batches.
        recipe: How it is trained.
        seed: Names the order of batches, the augmentation, and whatever the model draws,
            dropout for example. The model's weights are where they are: their seed is another.
        test: What the network is assessed on as it trains.
        origin: Where to go on from, for a child of another run.
        device: Where to train; the model's own by default.
        keeper: Takes the states that are kept, in place of `Run.states`.
        watch: Told after each epoch, and some times a second.

    Returns:
        The run. One whose loss is not finite stops and says `diverged`.

    Raises:
        UsageError: If the recipe asks for what cannot be.
        DataError: If there are no samples, or not one target for each.
        NotDeterministic: If another reading of the data would give other samples.
        ForwardFailed: If the model raises.
    """
    if device is None:
        device = next((p.device for p in model.parameters()), "cpu")
    member = Member(model, recipe, seed=seed, origin=origin)
    (run,) = train_together([member], data, test=test, device=device, keeper=keeper, watch=watch)
    return run


def train_together(
    members: Sequence[Member],
    data: Any,
    *,
    test: Any = None,
    device: str | torch.device = "cpu",
    keeper: Keeper | None = None,
    watch: Callable[[TrainingStatus], None] | None = None,
    resume: Snapshot | None = None,
    snapshot: Callable[[Snapshot], None] | None = None,
    snapshot_seconds: float = 60.0,
) -> list[Run]:
    """Train members that are alike in one stack, step by step together.

    Each has its own weights, seed, order of samples, targets, learning rate and optimiser state.
    A member equals the same run trained alone but for rounding: to 1e-9, relative, over 50
    steps in float64, which a test holds for every network of `ridgeline.nets`.

    Args:
        members: Runs to be, of equal `likeness`.
        data: A `Split`, or one split of what an objective takes.
        test: What they are assessed on.
        device: Where to train.
        keeper: Takes the states that are kept, in place of `Run.states`.
        watch: Told after each epoch, and some times a second.
        resume: Go on from here, to the same end as without a break. The members and the data
            must be those of the snapshot.
        snapshot: Given all that is needed to go on, now and then and at the end.
        snapshot_seconds: Time between snapshots.

    Returns:
        One run for each member, in order.

    Raises:
        NotStackable: If they do not go through one stacked step.
        UsageError: If members are not alike, or the recipe asks for what cannot be.
        DataError: If there are no samples, or not one target for each.
        NotDeterministic: If another reading of the data would give other samples.
        ForwardFailed: If the model raises.
    """
    data, test = _split(data), None if test is None else _split(test)
    with torch.no_grad(), untouched():
        population = Population(members, data, test, torch.device(device), keeper)
        if resume is not None:
            restore(population, resume)
        clock = _Clock(population, watch)
        while population.running and population.clock < population.planned:
            population.step()
            ended = population.clock == population.planned or not population.running
            if ended or population.clock % population.orders.per_epoch == 0:
                _end_epoch(population, clock, ended)
            clock.tell(ended)
            if snapshot is not None and clock.due(snapshot_seconds) and not ended:
                snapshot(snapshot_of(population, clock.spent))
        if snapshot is not None:
            snapshot(snapshot_of(population, clock.spent))
        return [_run(population, i, clock.spent) for i in range(len(members))]


def train_many(
    members: Sequence[Member],
    data: Any,
    *,
    test: Any = None,
    device: str | torch.device = "cpu",
    together: int | None = None,
    keeper: Keeper | None = None,
    watch: Callable[[TrainingStatus], None] | None = None,
) -> list[Run]:
    """Train any runs in this process, in stacks of those that are alike.

    Args:
        members: Runs to be.
        data: A `Split`, or one split of what an objective takes.
        test: What they are assessed on.
        device: Where to train.
        together: Largest size of a stack; measured by default.
        keeper: Takes the states that are kept, in place of `Run.states`.
        watch: Told of each stack as it trains.

    Returns:
        One run for each member, in order.

    Raises:
        UsageError: If a recipe asks for what cannot be.
        DataError: If there are no samples, or not one target for each.
        NotDeterministic: If another reading of the data would give other samples.
        ForwardFailed: If a model raises.
    """
    data = _split(data)
    alike: dict[object, list[int]] = {}
    for i, member in enumerate(members):
        alike.setdefault(likeness(member, len(data)), []).append(i)
    runs: dict[int, Run] = {}
    for group in alike.values():
        size = together
        if size is None:
            rates = measure([members[i] for i in group], data, device=device)
            size = preferred(rates)
        for start in range(0, len(group), size):
            stack = group[start : start + size]
            done = train_together(
                [members[i] for i in stack],
                data,
                test=test,
                device=device,
                keeper=_renumbered(keeper, stack),
                watch=watch,
            )
            runs |= dict(zip(stack, done, strict=True))
    return [runs[i] for i in range(len(members))]


def _renumbered(keeper: Keeper | None, stack: Sequence[int]) -> Keeper | None:
    if keeper is None:
        return None
    return lambda i, step, state: keeper(stack[i], step, state)


def _split(data: Any) -> Split:
    if not isinstance(data, Split):
        held = collect(data)
        data = Split(held.inputs, held.targets, held.left_out)
    given = data.of_one_input()
    y = given.targets
    whole = not (y.is_floating_point() or y.is_complex() or y.dtype in (torch.bool, torch.int64))
    return replace(given, targets=y.to(torch.int64)) if whole else given


def _end_epoch(population: Population, clock: "_Clock", ended: bool) -> None:
    """Note the epoch, assess, stop whoever has learnt enough, and end the run at its end."""
    recipe = population.recipe
    running = population.running
    for row in running:
        population.note(row)
    stopping = (
        []
        if recipe.stop_below is None
        else [row for row in running if _log(population, row)["loss"][-1] < recipe.stop_below]
    )
    epoch = population.clock // population.orders.per_epoch
    every = Duration.parse(recipe.assess).epochs if recipe.assess else 0
    due = bool(every) and epoch % every == 0
    ending = running if ended else stopping
    if population.test is not None and running and (due or ending):
        found = population.assess("test")
        for row in running:
            if due or row in ending:
                _log(population, row)["test_loss"][-1] = found[row]["loss"]
                _log(population, row)["test_error"][-1] = found[row]["error"]
    for row in running:
        _log(population, row)["seconds"][-1] = clock.spent
    for row in ending:
        population.end(row, "stopped" if row in stopping else "done")
    if ending:
        _measure(population, ending)
    population.epoch_begins()


def _measure(population: Population, rows: Sequence[int]) -> None:
    """The final loss and error of members that end now, on every split."""
    for name in ("train", "test") if population.test is not None else ("train",):
        found = population.assess(name)
        for row in rows:
            population.records[population.rows[row]].measured[name] = found[row]


def _log(population: Population, row: int) -> dict[str, list[float]]:
    return population.records[population.rows[row]].log


def _run(population: Population, i: int, seconds: float) -> Run:
    record = population.records[i]
    assert record.final is not None
    initial = population.initial[i]
    return Run(
        initial=initial,
        final=record.final,
        states=record.states | {population.start: initial, record.steps: record.final},
        slots=record.slots,
        log=record.log,
        steps=record.steps,
        planned=population.planned,
        diverged=record.outcome == "diverged",
        stopped=record.outcome == "stopped",
        average=record.average,
        measured=record.measured,
        seconds=seconds,
        together=len(population.members),
    )


class _Clock:
    """Wall time: what was spent, when to tell, when to take a snapshot."""

    def __init__(
        self, population: Population, watch: Callable[[TrainingStatus], None] | None
    ) -> None:
        self.population, self.watch = population, watch
        self.begun = self.told = self.taken = time.perf_counter()
        self.first = population.clock
        self.before = population.spent

    @property
    def spent(self) -> float:
        """Seconds since the start, those before a kill included."""
        return self.before + time.perf_counter() - self.begun

    def due(self, seconds: float) -> bool:
        """True if so much time has passed since the last snapshot; counts from now if so."""
        now = time.perf_counter()
        if now - self.taken < seconds:
            return False
        self.taken = now
        return True

    def tell(self, ended: bool) -> None:
        """Say how far it is, four times a second at most."""
        now = time.perf_counter()
        if self.watch is None or (now - self.told < 0.25 and not ended):
            return
        self.told = now
        population = self.population
        records, members = population.records, population.members

        def last(name: str) -> list[float]:
            return [r.log[name][-1] if r.log[name] else math.nan for r in records]

        factor = population.rate_factor
        self.watch(
            TrainingStatus(
                step=population.clock,
                planned=population.planned,
                epoch=population.clock / population.orders.per_epoch,
                loss=last("loss"),
                error=last("error"),
                test_error=last("test_error"),
                learning_rate=[m.recipe.optimiser.learning_rate * factor for m in members],
                finished=[r.outcome for r in records],
                rate=(population.clock - self.first) / max(now - self.begun, 1e-9),
            )
        )
