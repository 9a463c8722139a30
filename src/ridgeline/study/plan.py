"""Which runs are missing, and which of them are trained together.

Rounding depends on who shares a stack, so the groups of a spec are decided once, from all of its
runs, and recorded in the store before any training. The same command finds the record, and a
kill cannot move anybody into another group.
"""

import hashlib
import json
import math
import os
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace

from ridgeline import training
from ridgeline.data import Split
from ridgeline.errors import RidgelineError, UsageError
from ridgeline.study.config import RunConfig
from ridgeline.study.members import Sources, prepare
from ridgeline.study.store import Store

__all__ = ["Group", "Machine", "Plan", "closure", "plan_for", "wave_of"]

FORMAT = 1
FOLDER = ".plans"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Machine that a population is trained on; None where it is to be measured."""

    device: str = "cpu"
    workers: int | None = None
    """Processes."""
    threads: int | None = None
    """That of each process."""
    together: int | None = None
    """Largest number of runs in one stack."""

    def __post_init__(self) -> None:
        for name in ("workers", "threads", "together"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"`{name}` must be at least 1.", got=str(value))


@dataclass(frozen=True)
class Group:
    """Runs that are trained in one stack."""

    runs: tuple[str, ...]
    """Their hashes, in order."""
    wave: int
    """0 for runs without a parent, 1 for their children, and so on."""
    steps: int
    """Of all members together."""

    def key(self, device: str, threads: int) -> str:
        """Names the group's unfinished work: results depend on the device and the threads."""
        return _digest([*self.runs, device, str(threads)])


@dataclass(frozen=True)
class Plan:
    """Stacks, and the processes that train them."""

    key: str
    groups: tuple[Group, ...]
    workers: int
    threads: int
    seconds: float | None
    """Estimated from measured steps; None if nothing was measured."""
    reasons: tuple[str, ...]
    """Why groups are as large as they are."""
    lasting: bool = True
    """True if it stays: one timed while others used the machine is made anew on a quiet one, but
    for the groups that were begun."""

    @property
    def waves(self) -> list[list[Group]]:
        """Groups in the order of their waves."""
        last = max((group.wave for group in self.groups), default=-1)
        return [[g for g in self.groups if g.wave == wave] for wave in range(last + 1)]


def closure(runs: Iterable[RunConfig]) -> list[RunConfig]:
    """The runs and all their ancestors, each once, parents before children."""
    found: dict[str, RunConfig] = {}

    def visit(config: RunConfig) -> None:
        if config.parent is not None:
            visit(config.parent)
        found.setdefault(config.hash, config)

    for config in runs:
        visit(config)
    return list(found.values())


def wave_of(config: RunConfig) -> int:
    """Number of ancestors of a run."""
    return 0 if config.parent is None else 1 + wave_of(config.parent)


def plan_for(
    runs: Sequence[RunConfig],
    store: Store,
    machine: Machine,
    *,
    sources: Sources | None = None,
    record: bool = True,
) -> Plan:
    """The recorded plan of these runs, or a new one for those that the store lacks.

    Args:
        runs: From `closure`.
        store: Where finished runs and plans are.
        machine: Another device, number of threads or size of groups makes another plan.
        sources: Of data.
        record: Whether a new plan is kept. If another process was faster, its plan is taken.

    Returns:
        The plan; without groups if nothing is missing.
    """
    settled = [machine.device, str(machine.threads), str(machine.together)]
    key = _digest([str(FORMAT), *settled, *(config.hash for config in runs)])
    plan = _read(store, key)
    if plan is not None and not plan.lasting and not training.busy():
        begun = [group for group in plan.groups if _begun(group, store, plan, machine)]
        plan = replace(plan, groups=tuple(begun))
    planned = {name for group in plan.groups for name in group.runs} if plan else set[str]()
    # Of a recorded plan too: a run that was there when it was made may have been deleted since.
    unplanned = [c for c in runs if c.hash not in planned]
    there = store.find_all(config.hash for config in unplanned)
    missing = [config for config in unplanned if config.hash not in there]
    if missing or plan is None:
        more = _made(key, missing, machine, sources)
        if plan is not None:
            more = replace(more, groups=tuple(sorted(plan.groups + more.groups, key=_wave)))
        if record and missing:
            more = _recorded(store, more, instead=plan is not None)
        plan = more
    return plan if machine.workers is None else replace(plan, workers=machine.workers)


def _made(key: str, runs: Sequence[RunConfig], machine: Machine, sources: Sources | None) -> Plan:
    groups: list[Group] = []
    reasons: dict[str, None] = {}
    shapes: list[tuple[float, int, int]] = []
    total: float | None = 0.0
    lasting = True
    for kind in _alike(runs, sources):
        size, workers, threads, rate, reason, quiet = _arranged(kind, machine)
        lasting = lasting and quiet
        parts = math.ceil(len(kind.members) / size)
        asked = min(machine.workers or 1, len(kind.runs))
        if machine.together is None and parts < asked:
            parts, reason = asked, f"{reason}; {asked} groups, for the processes asked for"
        for i in range(parts):  # as even as can be, so that no worker waits for one large group
            part = slice(i * len(kind.runs) // parts, (i + 1) * len(kind.runs) // parts)
            groups.append(Group(tuple(kind.runs[part]), kind.wave, sum(kind.steps[part])))
        steps = sum(kind.steps)
        total = total + steps / rate if rate and total is not None else None
        shapes.append((steps / (rate or 1.0), min(workers, parts), threads))
        reasons[reason] = None
    groups.sort(key=_wave)
    _, workers, threads = max(shapes, default=(0.0, 1, machine.threads or 1))
    return Plan(key, tuple(groups), workers, threads, total, tuple(reasons), lasting)


@dataclass
class _Kind:
    """Runs that may share a stack."""

    wave: int
    data: Split
    runs: list[str] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    members: list[training.Member] = field(default_factory=list)
    """To be measured: with weights and origin of the first, lest all be in memory at once."""


def _alike(runs: Sequence[RunConfig], sources: Sources | None) -> list[_Kind]:
    """Runs by what they may share, in the order in which they first occur."""
    found: dict[object, _Kind] = {}
    for config in runs:
        prepared = prepare(config, sources=sources)
        member, wave = prepared.member, wave_of(config)
        alike = training.likeness(member, len(prepared.data))
        kind = found.setdefault((wave, alike, prepared.key), _Kind(wave, prepared.data))
        first = kind.members[0] if kind.members else member
        kind.runs.append(config.hash)
        kind.steps.append(_steps(member, len(prepared.data)))
        kind.members.append(replace(member, model=first.model, origin=first.origin))
    return list(found.values())


def _arranged(kind: _Kind, machine: Machine) -> tuple[int, int, int, float | None, str, bool]:
    """Size of a group, workers, threads, steps a second, why, and whether it holds for good."""
    able, workers, threads = training.cores_here(), machine.workers, machine.threads
    if workers is not None:
        threads = threads or training.threads_here(max(1, able // workers))
        able = workers * threads
    if machine.together is not None:
        threads = threads or 1
        workers = max(1, able // threads) if machine.device == "cpu" else 1
        size, reason = machine.together, f"groups of up to {machine.together}, as asked for"
        try:
            fit = size == 1 or training.stackable(kind.members, kind.data, device=machine.device)
        except RidgelineError:
            fit = True  # whatever is wrong, training will say so
        if not fit:
            size, reason = 1, "one at a time: this kind of network cannot be stacked"
        return min(size, len(kind.runs)), workers, threads, None, reason, True
    try:
        found = training.arrange(kind.members, kind.data, device=machine.device, cores=able)
    except RidgelineError as error:  # its training will say so, and does not stop the others'
        reason = f"not measured ({type(error).__name__}), so one at a time"
        return 1, 1, threads or 1, None, reason, True
    chosen = workers or found.workers, threads or found.threads
    return found.size, *chosen, found.rate, found.reason, found.lasting


def _begun(group: Group, store: Store, plan: Plan, machine: Machine) -> bool:
    """True if a group has finished runs, or unfinished work on disk."""
    key = group.key(machine.device, plan.threads)
    return store.begun(key) or bool(store.find_all(group.runs))


def _steps(member: training.Member, samples: int) -> int:
    """Number of steps that a member takes."""
    samples = samples if member.rows is None else len(member.rows)
    per_epoch = math.ceil(samples / member.recipe.batch_size)
    planned = training.Duration.parse(member.recipe.length).count(per_epoch)
    return planned - (member.origin.step if member.origin else 0)


def _wave(group: Group) -> int:
    return group.wave


# --- the record ------------------------------------------------------------------------------


def _read(store: Store, key: str) -> Plan | None:
    """The recorded plan, if there is one."""
    try:
        told = json.loads(store.place.read(FOLDER, f"{key}.json"))
    except FileNotFoundError:
        return None
    groups = tuple(Group(tuple(g["runs"]), g["wave"], g["steps"]) for g in told["groups"])
    return Plan(**(told | {"groups": groups, "reasons": tuple(told["reasons"])}))


def _recorded(store: Store, plan: Plan, *, instead: bool) -> Plan:
    """Keep a plan, unless another process was faster; whichever is kept.

    Args:
        store: Where.
        plan: To be kept.
        instead: Whether it is kept in place of an older one, of which it is a longer form.
    """
    text = (json.dumps(asdict(plan), indent=1) + "\n").encode()
    name = f"{plan.key}.json"
    if instead or not store.place.local:  # of two at the same moment, the later one stays
        store.place.write(text, FOLDER, name)
    else:
        draft = f".{name}.{secrets.token_hex(4)}"
        store.place.write(text, FOLDER, draft)
        with suppress(FileExistsError):  # unlike a rename, a link does not replace
            os.link(store.place.path(FOLDER, draft), store.place.path(FOLDER, name))
        store.place.remove(FOLDER, draft)
    return _read(store, plan.key) or plan


def _digest(parts: Iterable[str]) -> str:
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=12).hexdigest()
