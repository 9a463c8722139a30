"""The verb: a spec's runs, all of them in the store when it is done.

Nothing is trained twice: what the store holds is left alone, what another process is at work on
is waited for, and what was killed goes on from where it was.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from ridgeline.study.config import RunConfig
from ridgeline.study.executors import Executor, Failure, InProcess, Workers
from ridgeline.study.members import Sources
from ridgeline.study.names import names_of
from ridgeline.study.plan import Group, Machine, Plan, closure, plan_for
from ridgeline.study.store import Store

__all__ = ["Population", "Watcher", "populate"]

WORK = "ridgeline.study.work:train_group"
PATIENCE = 1.0
"""Seconds between two looks at runs that another process trains."""


class Watcher:
    """Told what happens while a population is trained; does nothing, to be overridden."""

    def planned(self, plan: Plan, names: Mapping[str, str], found: int) -> None:
        """A plan is made or read: all runs' hashes and names; so many are in the store."""

    def progress(self, names: Sequence[str], said: Mapping[str, Any]) -> None:
        """The named members of a group are so far; see `training.TrainingStatus`."""

    def ended(self, names: Sequence[str], failure: Failure | None) -> None:
        """A group is done, or has failed."""

    def waiting(self, names: Sequence[str], who: str) -> None:
        """All that is left is trained by others."""


@dataclass(frozen=True)
class Population:
    """Outcome of a spec's runs."""

    runs: tuple[RunConfig, ...]
    """In the order of the spec, but parents before their children."""
    names: Mapping[str, str]
    """Of each hash, no two alike."""
    plan: Plan
    found: frozenset[str]
    """Hashes of runs that were in the store before."""
    trained: frozenset[str]
    """Hashes of runs trained now, by this process."""
    failures: tuple[Failure, ...] = ()
    """Groups that failed; the names of their runs are under ``names`` of the task."""
    steps: int = 0
    """Taken now, by all members."""
    seconds: float = 0.0


def populate(
    runs: Sequence[RunConfig],
    store: Store,
    *,
    machine: Machine | None = None,
    sources: Sources | None = None,
    executor: Executor | None = None,
    watcher: Watcher | None = None,
    snapshot_seconds: float = 60.0,
) -> Population:
    """Train the runs that the store lacks.

    The same call after a kill at any moment ends with the same results, bit for bit, on the same
    machine. Two calls at once share the work. Parents are trained before their children.

    Args:
        runs: Of a spec.
        store: Where they are kept.
        machine: What to train on; measured where not given.
        sources: Of data.
        executor: Where groups are trained; by default this process for one worker, and worker
            processes with pinned threads for more.
        watcher: Told what happens.
        snapshot_seconds: Time between snapshots of a group: how much a kill may cost.

    Returns:
        What became of them. A group's error is among `Population.failures` and stops no other.

    Raises:
        RidgelineError: If no plan can be made: data are missing, or a network cannot be built.
    """
    machine, sources, watcher = machine or Machine(), sources or Sources(), watcher or Watcher()
    begun = time.perf_counter()
    store.sweep()
    configs = closure(runs)
    found = frozenset(store.find_all(config.hash for config in configs))
    plan = plan_for(configs, store, machine, sources=sources)
    names = names_of(configs)
    watcher.planned(plan, names, len(found))
    work = _Work(
        store=store,
        configs={config.hash: config for config in configs},
        names=names,
        common={
            "store": store.place.url,
            "plan": plan.key,
            "device": machine.device,
            "threads": plan.threads,
            "root": sources.root,
            "download": sources.download,
            "snapshot_seconds": snapshot_seconds,
        },
        watcher=watcher,
    )
    with ExitStack() as stack:
        if executor is None and plan.workers > 1 and work.open(plan.groups):
            executor = stack.enter_context(Workers(plan.workers, threads=plan.threads))
        executor = executor or InProcess(threads=plan.threads)
        for wave in plan.waves:
            work.do(wave, executor)
    return Population(
        runs=tuple(configs),
        names=names,
        plan=plan,
        found=found,
        trained=frozenset(work.trained),
        failures=tuple(work.failures),
        steps=work.steps,
        seconds=time.perf_counter() - begun,
    )


@dataclass
class _Work:
    """Groups on their way through an executor, and what came of them."""

    store: Store
    configs: Mapping[str, RunConfig]
    names: Mapping[str, str]
    common: Mapping[str, Any]
    watcher: Watcher
    trained: set[str] = field(default_factory=set)
    failures: list[Failure] = field(default_factory=list)
    steps: int = 0

    def open(self, groups: Sequence[Group]) -> list[Group]:
        """Groups with a run that the store lacks; what a kill has left of the others goes."""
        found: list[Group] = []
        there = self.store.find_all(name for group in groups for name in group.runs)
        for group in groups:
            if any(name not in there for name in group.runs):
                found.append(group)
            else:
                self.store.discard_scratch(self._key(group))
        return found

    def do(self, groups: Sequence[Group], executor: Executor) -> None:
        """Train groups until all are in the store or have failed.

        A group that another process is at work on is put off, and asked for again when
        nothing else is left.
        """
        left = self.open(groups)
        while left:
            busy = self._once(left, executor)
            if len(busy) == len(left):
                self.watcher.waiting(self._names(next(iter(busy))), next(iter(busy.values())))
                time.sleep(PATIENCE)
            left = self.open(list(busy))

    def _once(self, groups: Sequence[Group], executor: Executor) -> dict[Group, str]:
        """Try each group; those that others are at work on, with who."""
        tasks = [self._task(group) for group in groups]
        busy: dict[Group, str] = {}

        def told(_: int, said: Mapping[str, Any]) -> None:
            self.watcher.progress(said["names"], said)

        for outcome in executor.map(WORK, tasks, told=told):
            group, value = groups[outcome.index], outcome.value
            if outcome.failure is not None:
                self.failures.append(outcome.failure)
            elif value["busy"]:
                busy[group] = value["busy"]
                continue
            else:
                self.trained |= set(value["trained"])
                self.steps += value["steps"]
            self.watcher.ended(self._names(group), outcome.failure)
        return busy

    def _task(self, group: Group) -> dict[str, Any]:
        return {
            **self.common,
            "key": self._key(group),
            "names": self._names(group),
            "configs": [self.configs[name].full() for name in group.runs],
        }

    def _key(self, group: Group) -> str:
        return group.key(self.common["device"], self.common["threads"])

    def _names(self, group: Group) -> list[str]:
        return [self.names[name] for name in group.runs]
