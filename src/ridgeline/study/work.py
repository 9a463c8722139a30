"""The work of a population: train one group and publish its runs.

What a kill leaves behind is a folder of the group's own: who is in it, the states kept so far,
and the last snapshot. Whoever holds the claims of the missing runs goes on from there with the
same members, so that every run comes out as if nothing had happened.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ridgeline import training
from ridgeline.study.config import RunConfig
from ridgeline.study.members import Sources, prepare
from ridgeline.study.store import Store

__all__ = ["train_group"]

MEMBERS = "group.json"
SNAPSHOT = "snapshot.safetensors"
Tell = Callable[[Mapping[str, Any]], None]


def train_group(task: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Train the runs of a group that the store lacks, and publish them.

    Args:
        task: ``store``: its place. ``configs``: of the members, in order. ``key``: of the group.
            ``plan``, ``device``, ``root``, ``download``, ``snapshot_seconds``.
        tell: Given how far the members are, as `training.Progress` says it.

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
        missing = {c.hash for c in configs if store.find(c.hash) is None}
        steps = 0
        if missing:
            steps = _train(store, configs, missing, task, tell)
        store.discard_scratch(task["key"])
        return {"trained": sorted(missing), "busy": "", "steps": steps}


def _train(
    store: Store,
    configs: Sequence[RunConfig],
    missing: set[str],
    task: Mapping[str, Any],
    tell: Tell,
) -> int:
    folder = _Folder(Path(store.scratch(task["key"])))
    members = folder.members()
    if members is None:  # nobody has begun: the runs that another plan has made are left out
        members = [config.hash for config in configs if config.hash in missing]
        folder.begin(members)
    by_hash = {config.hash: config for config in configs}
    chosen = [by_hash[name] for name in members]
    sources = Sources(root=task["root"], download=task["download"])
    prepared = [prepare(c, parents=_parents(store), sources=sources) for c in chosen]
    resume = folder.snapshot()
    before = resume.facts["clock"] if resume else None
    runs = training.train_together(
        [one.member for one in prepared],
        prepared[0].data,
        test=prepared[0].test,
        device=task["device"],
        keeper=lambda i, step, state: folder.keep(members[i], step, state),
        progress=lambda progress: tell(asdict(progress) | {"members": members}),
        resume=resume,
        snapshot=folder.write,
        snapshot_seconds=task["snapshot_seconds"],
    )
    for config, one, run in zip(chosen, prepared, runs, strict=True):
        if config.hash in missing:
            _publish(store, config, one, run, folder, task, members)
    starts = [one.member.origin.step if one.member.origin else 0 for one in prepared]
    return sum(
        max(0, run.steps - (start if before is None else before))
        for run, start in zip(runs, starts, strict=True)
    )
