"""The work of a population: train one group and publish its runs.

What a kill leaves behind is a folder of the group's own: who is in it, the states kept so far,
and the last snapshot. Whoever holds the claims of the missing runs goes on from there with the
same members, so that every run comes out as if nothing had happened.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from ridgeline import training
from ridgeline.errors import DataError
from ridgeline.state import State, coordinates
from ridgeline.study.config import RunConfig
from ridgeline.study.members import Parents, Sources, prepare
from ridgeline.study.scratch import Scratch
from ridgeline.study.store import Identity, Store, provenance
from ridgeline.study.store.records import state_name

__all__ = ["slots_name", "summary", "train_group"]

Tell = Callable[[Mapping[str, Any]], None]


def slots_name(step: int) -> str:
    """Return what the optimiser's slots at a spawn point are called, beside the states."""
    return f"slots-{step:08d}"


def train_group(task: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Train the runs of a group that the store lacks, and publish them.

    Args:
        task: ``store``: its place. ``configs`` and ``names`` of the members, in order. ``key`` of
            the group. ``plan``, ``device``, ``root``, ``download``, ``snapshot_seconds``.
        tell: Given how far the members are, as `training.TrainingStatus` says it, with their
            ``names``.

    Returns:
        ``trained``: hashes of the runs that were. ``busy``: who else is at work on a member,
        if that is why there are none. ``steps`` of all members.

    Raises:
        RidgelineError: If training refuses; nothing is published.
    """
    store = Store(task["store"])
    configs = [RunConfig.from_dict(config) for config in task["configs"]]
    with _claimed(store, [config.hash for config in configs]) as busy:
        if busy:
            return {"trained": [], "busy": busy, "steps": 0}
        # Another process may have published between this one's plan and its claim.
        there = store.find_all(config.hash for config in configs)
        missing = [config.hash for config in configs if config.hash not in there]
        steps = _train(store, configs, missing, task, tell) if missing else 0
        store.discard_scratch(task["key"])
        return {"trained": missing, "busy": "", "steps": steps}


def _train(
    store: Store,
    configs: Sequence[RunConfig],
    missing: Sequence[str],
    task: Mapping[str, Any],
    tell: Tell,
) -> int:
    """Train and publish; the number of steps that were taken."""
    scratch = Scratch(Path(store.scratch(task["key"])))
    members = scratch.begin(missing)
    by_hash = {config.hash: config for config in configs}
    chosen = [by_hash[name] for name in members]
    label = dict(zip([config.hash for config in configs], task["names"], strict=True))
    names = [label[name] for name in members]
    sources = Sources(root=task["root"], download=task["download"])
    prepared = [prepare(c, parents=_parents(store), sources=sources) for c in chosen]
    resume = scratch.snapshot()
    runs = training.train_together(
        [one.member for one in prepared],
        prepared[0].data,
        test=prepared[0].test,
        device=task["device"],
        keeper=lambda i, step, state: scratch.keep(members[i], step, state),
        watch=lambda status: tell(asdict(status) | {"names": names}),
        resume=resume,
        snapshot=scratch.write,
        snapshot_seconds=task["snapshot_seconds"],
    )
    about = provenance(
        device=task["device"],
        wall_seconds=runs[0].seconds,
        data=prepared[0].fingerprint,
        plan=task["plan"],
        together=members,
    )
    for config, one, run in zip(chosen, prepared, runs, strict=True):
        if config.hash in missing:
            member = one.member
            draws = member.seed if member.draws is None else member.draws
            seeds = {"run": config.seed, "order": member.seed, "draws": draws}
            _publish(store, config, run, scratch.kept(config.hash), about | {"seeds": seeds})
    taken = 0
    for one, run in zip(prepared, runs, strict=True):
        start = one.member.origin.step if one.member.origin else 0
        taken += max(0, run.steps - (resume.facts["clock"] if resume else start))
    return taken


def _publish(
    store: Store,
    config: RunConfig,
    run: training.Run,
    kept: Mapping[str, Path],
    about: Mapping[str, Any],
) -> None:
    states: dict[str, State | Path] = {state_name(step): s for step, s in run.states.items()}
    last = state_name(run.steps)
    states |= {name: path for name, path in kept.items() if name <= last}
    if run.average is not None:
        states["average"] = run.average
    for step, slots in run.slots.items():
        flat = {f"{slot}/{name}": x for slot, held in slots.items() for name, x in held.items()}
        if flat:
            states[slots_name(step)] = flat
    store.publish(
        Identity(config.name, config.hash),
        config=config.defining(),
        full=config.full(),
        provenance=about,
        states=states,
        log=run.log,
        summary=summary(run),
    )


def summary(run: training.Run) -> dict[str, Any]:
    """Return what is said of a run in a table: JSON values, null for what is not finite."""
    return {
        "steps": run.steps,
        "planned": run.planned,
        "diverged": run.diverged,
        "stopped": run.stopped,
        "seconds": _finite(run.seconds),
        "together": run.together,
        "parameters": sum(run.final[name].numel() for name in coordinates(run.final)),
        "final": {
            split: {name: _finite(value) for name, value in measured.items()}
            for split, measured in run.measured.items()
        },
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _parents(store: Store) -> Parents:
    """Looks up where a child starts: in the parent's run, which has to be in the store."""

    @lru_cache
    def read(name: str, step: int, remembers: bool) -> tuple[State, dict[str, State]]:
        stored = store.find(name)
        assert stored is not None
        flat = stored.state(slots_name(step)) if remembers else {}
        slots: dict[str, State] = {}
        for key, x in flat.items():
            slot, _, parameter = key.partition("/")
            slots.setdefault(slot, {})[parameter] = x
        return stored.state(step), slots

    def look_up(parent: RunConfig, step: int, remembers: bool) -> tuple[State, dict[str, State]]:
        if store.find(parent.hash) is None:
            raise DataError(
                "A child starts from its parent's run, which must be in the store.",
                got=f"none of {parent.name} ({parent.hash})",
                remedy="See why the parent was not trained; the same command tries again.",
            )
        return read(parent.hash, step, remembers)

    return look_up


@contextmanager
def _claimed(store: Store, names: Sequence[str]) -> Iterator[str]:
    """Claim all runs that are missing or none; who else is at work, or an empty text.

    Sorted, so that two processes cannot each hold what the other one wants.
    """
    with ExitStack() as held:
        for name in sorted(names):
            if store.find(name) is not None:
                continue
            claim = store.try_claim(name)
            if claim is None:
                holder = store.holder(name)
                held.close()
                yield holder or "another process"
                return
            held.callback(claim.release)
        yield ""
