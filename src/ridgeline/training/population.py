"""Many runs in one stack, in lock-step: what they are at a moment of their clock.

Shapes: K members in the stack, B samples of a batch.
"""

# pyright: reportPrivateImportUsage=false
# (torch's foreach and fused kernels have no other name)

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ridgeline.data.sets import Split
from ridgeline.errors import DataError, UsageError
from ridgeline.objective.probe import check_labels
from ridgeline.rng import seed_of
from ridgeline.state import State
from ridgeline.training.durations import Duration
from ridgeline.training.grouping import likeness
from ridgeline.training.heads import counted, head_of
from ridgeline.training.kernels import Kernel
from ridgeline.training.memory import retain
from ridgeline.training.orders import Orders, augmented
from ridgeline.training.recipe import EMA, SWA
from ridgeline.training.rules import Rules
from ridgeline.training.runs import Keeper, Member
from ridgeline.training.stacks import Stack
from ridgeline.training.targets import Targets

__all__ = ["Population", "Record"]

ASSESSED = 2**22
"""Values of inputs, all members together, that are assessed at a time."""
COLUMNS = (
    *("epoch", "step", "loss", "error", "learning_rate"),
    *("test_loss", "test_error", "seconds"),
)


@dataclass
class Record:
    """Record of one member, as it trains."""

    log: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in COLUMNS})
    states: dict[int, State] = field(default_factory=dict)
    slots: dict[int, Mapping[str, State]] = field(default_factory=dict)
    final: State | None = None
    average: State | None = None
    measured: dict[str, dict[str, float]] = field(default_factory=dict)
    steps: int = 0
    outcome: str = ""
    """Empty while it runs; then ``done``, ``stopped`` or ``diverged``."""


class Population:
    """Members that are alike, trained together.

    Args:
        members: With one recipe's shape; see `likeness`.
        data: What they train on.
        test: What they are assessed on.
        device: Where; the data are moved there.
        keeper: Takes the states that are kept; they are held in memory without one.
    """

    def __init__(
        self,
        members: Sequence[Member],
        data: Split,
        test: Split | None,
        device: torch.device,
        keeper: Keeper | None = None,
    ) -> None:
        _check(members, data)
        if device.type == "cpu":
            retain()
        self.members, self.recipe = list(members), members[0].recipe
        self.data, self.test = data.to(device), test.to(device) if test is not None else None
        self.keeper = keeper
        self.stack = Stack([member.model for member in members], device)
        for row, member in enumerate(members):
            if member.origin is not None:
                self.stack.load(row, member.origin.state)
        self.initial = [self.stack.state(row) for row in range(len(members))]
        self.orders = Orders(members, len(data), self.recipe.batch_size, device)
        self.planned = Duration.parse(self.recipe.length).count(self.orders.per_epoch)
        self.kept = set(self.recipe.keep.steps(self.planned, self.orders.per_epoch))
        self.spawning = {
            Duration.parse(time).count(self.orders.per_epoch) for time in self.recipe.keep.spawn
        }
        self.start = self.clock = members[0].origin.step if members[0].origin else 0
        if self.start >= self.planned:
            raise UsageError(
                "A child goes on before the end of its run.",
                got=f"step {self.start} of {self.planned}",
            )
        self.rules = Rules(members, self.stack)
        self.targets = Targets(members, self.data.targets, self.planned, self.orders.per_epoch)
        self.head = head_of(self.recipe, self.targets.plain)
        plain = replace(self.recipe, label_smoothing=0.0)
        self.plain_head = head_of(plain, self.targets.plain)
        self.kernel = Kernel(members[0].model, self.stack, self.head)
        self._checked = False
        self.rows = list(range(len(members)))
        """Row of the stack to member."""
        self.records = [Record() for _ in members]
        self.average: list[Tensor] = []
        if self.recipe.average is not None:
            self.average = [x.clone() for x in self.stack.parameters.values()]
        self._buffers = [x.clone() for x in self.stack.fixed.values()]
        self.averaged = 0
        self.spent = 0.0
        """Seconds before a kill."""
        self.total, self.missed, self.seen = self._zeros()

    def _zeros(self) -> tuple[Tensor, Tensor, Tensor]:
        made = torch.zeros(len(self.stack), dtype=torch.float64, device=self.stack.device)
        return made, made.clone(), made.clone()

    @property
    def running(self) -> list[int]:
        """Rows of the members that have not ended."""
        return [row for row, i in enumerate(self.rows) if not self.records[i].outcome]

    @property
    def rate_factor(self) -> float:
        """Return what the schedule makes of learning rates now."""
        return self.recipe.schedule.factor(self.clock, self.planned, self.orders.per_epoch)

    def step(self) -> None:
        """One step of every member: batch, gradient, update, and what is noted of it."""
        if self.clock == self.start:
            self._check_labels()
            self.keep()
        indices = self.orders.at(self.clock)
        x, y = self._inputs(indices), self._chosen(indices, self.targets.at(self.clock))
        present = [self.members[i] for i in self.rows]
        seeds = [m.seed if m.draws is None else m.draws for m in present]
        if self.recipe.augment is not None:
            x = augmented(x, self.recipe.augment, seeds, self.clock)
        if self._buffers:
            torch._foreach_copy_(self._buffers, list(self.stack.fixed.values()))
        loss, missed, gradients = self.kernel.step(
            x,
            y,
            planned=self.orders.planned(self.clock, self.start, self.planned),
            seed=lambda: seed_of(seeds[0], "model", self.clock),
        )
        live = counted(self.head, y)
        self.total += torch.where(live > 0, loss.double() * live, 0)
        self.seen += live
        if not self._finite(loss):
            return
        self.missed += missed.double()
        self.rules.update(gradients, self.rate_factor, self.recipe.clip)
        self.clock += 1
        if self.average:
            self._average()
        if self.clock in self.kept:
            self.keep()

    def _check_labels(self) -> None:
        """Refuse labels beyond the outputs, of any sample, before the first step."""
        if self.recipe.loss != "cross_entropy" or self._checked:
            return
        outputs = self.kernel.example(self.data.inputs[:2])
        for split in filter(None, (self.data, self.test)):
            check_labels(outputs, split.targets)
        self._checked = True

    def _chosen(self, indices: Tensor, targets: Tensor) -> Tensor:
        if targets.ndim == self.data.targets.ndim:
            chosen = targets.index_select(0, indices.flatten())
        else:  # targets of each member's own
            own = torch.tensor(self.rows, device=indices.device)[:, None] * len(self.data)
            chosen = targets.flatten(0, 1).index_select(0, (indices + own).flatten())
        return chosen.view(*indices.shape, *chosen.shape[1:])

    def _finite(self, loss: Tensor) -> bool:
        """End the members whose loss is not finite; whether any is left to take the step."""
        if math.isfinite(float(loss.sum())):
            return True
        finite = loss.isfinite().tolist()
        for row in self.running:
            if not finite[row]:
                for buffer, before in zip(self.stack.fixed.values(), self._buffers, strict=True):
                    buffer[row].copy_(before[row])  # running statistics saw the step
                self.note(row)
                self.end(row, "diverged")
        return bool(self.running)

    def _average(self) -> None:
        parameters = list(self.stack.parameters.values())
        match self.recipe.average:
            case EMA(decay=decay):
                torch._foreach_lerp_(self.average, parameters, 1 - decay)
            case SWA(start=start, every=every):
                per_epoch = self.orders.per_epoch
                since = self.clock - Duration.parse(start).count(per_epoch)
                if since >= 0 and since % Duration.parse(every).count(per_epoch) == 0:
                    self.averaged += 1
                    torch._foreach_lerp_(self.average, parameters, 1 / self.averaged)

    def keep(self) -> None:
        """Keep the present state of every running member."""
        for row in self.running:
            i, state = self.rows[row], self.stack.state(row)
            if self.keeper is not None:
                self.keeper(i, self.clock, state)
            else:
                self.records[i].states[self.clock] = state
            if self.clock in self.spawning:
                self.records[i].slots[self.clock] = self.rules.state(row)

    def note(self, row: int) -> None:
        """Add a line to a member's log: the epoch so far."""
        log, i = self.records[self.rows[row]].log, self.rows[row]
        last = max(self.clock - 1, self.start)
        factor = self.recipe.schedule.factor(last, self.planned, self.orders.per_epoch)
        loss, missed = float(self.total[row]), float(self.missed[row])
        seen = max(float(self.seen[row]), 1.0)
        log["epoch"].append(self.clock / self.orders.per_epoch)
        log["step"].append(float(self.clock))
        log["loss"].append(loss / seen)
        log["error"].append(missed / seen if math.isfinite(loss) else math.nan)
        log["learning_rate"].append(self.members[i].recipe.optimiser.learning_rate * factor)
        for name in ("test_loss", "test_error", "seconds"):
            log[name].append(math.nan)

    def end(self, row: int, outcome: str) -> None:
        """A member's run is over: what it ended with."""
        record, state = self.records[self.rows[row]], self.stack.state(row)
        finite = all(bool(x[row].isfinite().all()) for x in self.stack.parameters.values())
        record.outcome = outcome if finite else "diverged"
        record.final, record.steps = state, self.clock
        if self.average:
            instead = dict(zip(self.stack.parameters, self.average, strict=True))
            record.average = self.stack.state(row, instead)

    def assess(self, split: str) -> dict[int, dict[str, float]]:
        """Loss and error of every row in evaluation mode.

        Args:
            split: ``"test"``, or ``"train"``: each member's own samples with its own targets.
        """
        own = split == "train" and any(
            self.members[i].rows is not None or self.members[i].targets is not None
            for i in self.rows
        )
        data = self.test if split == "test" else self.data
        assert data is not None
        batches = self._own_batches() if own else self._batches(data)
        loss, error = self.kernel.assess(batches, self.plain_head, own=own)
        pairs = zip(loss.tolist(), error.tolist(), strict=True)
        return {row: {"loss": a, "error": b} for row, (a, b) in enumerate(pairs)}

    def _batches(self, data: Split) -> Iterator[tuple[Tensor, Tensor]]:
        size = max(1, ASSESSED // (len(self.rows) * max(1, data.inputs[0].numel())))
        for start in range(0, len(data), size):
            chosen = slice(start, start + size)
            yield data.inputs[chosen], data.targets[chosen]

    def _own_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        every = torch.arange(len(self.data), device=self.stack.device)
        own = [self.members[i].rows for i in self.rows]
        indices = torch.stack([every if rows is None else rows.to(every) for rows in own])
        size = max(1, ASSESSED // (len(self.rows) * max(1, self.data.inputs[0].numel())))
        for chosen in indices.split(size, dim=1):
            yield self._inputs(chosen), self._chosen(chosen, self.targets.plain)

    def _inputs(self, indices: Tensor) -> Tensor:
        x = self.data.inputs.index_select(0, indices.flatten())
        return x.view(*indices.shape, *x.shape[1:])

    def epoch_begins(self) -> None:
        """Forget the sums of the last epoch, and let go of members that have ended.

        A smaller stack has to be traced anew, which is worth it when a quarter has ended.
        """
        running = self.running
        if running and len(running) <= 0.75 * len(self.rows):
            self.stack.select(running)
            which = torch.tensor(running, device=self.stack.device)
            self.average = [x.index_select(0, which) for x in self.average]
            self._buffers = [x.clone() for x in self.stack.fixed.values()]
            self.rows = [self.rows[row] for row in running]
            self.orders.select(running)
            self.rules.select(running)
        self.total, self.missed, self.seen = self._zeros()


def _check(members: Sequence[Member], data: Split) -> None:
    if not members:
        raise UsageError("A population has at least one member.", got="none")
    for member in members:
        if likeness(member, len(data)) != likeness(members[0], len(data)):
            raise UsageError(
                "Members of one population are alike but for seeds, weights and rates.",
                got=f"{member.recipe} and {members[0].recipe}",
                remedy="Train them with train_many, which sorts them into populations.",
            )
        if member.targets is not None and len(member.targets) != len(data):
            raise DataError(
                "A member's own targets are as many as the samples of the data.",
                got=f"{len(member.targets)} targets and {len(data)} samples",
            )
