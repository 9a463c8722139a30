"""All that a population is, taken down and put back."""

import copy
from typing import Any

import torch
from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.state import State
from ridgeline.training.population import Population
from ridgeline.training.runs import Snapshot

__all__ = ["restore", "snapshot_of"]

FORMAT = 1


def snapshot_of(population: Population, seconds: float) -> Snapshot:
    """Take a population down at the present moment of its clock.

    Args:
        population: Between two steps.
        seconds: Spent so far.

    Returns:
        Tensors by name and JSON values (with NaN), sharing nothing with the population. What
        was given to its keeper is not in it.
    """
    tensors = {"total": population.total, "missed": population.missed, "seen": population.seen}
    for name, x in population.stack.tensors.items():
        tensors[f"stack/{name}"] = x
    for row in range(len(population.rows)):
        for slot, state in population.rules.state(row).items():
            _put(tensors, f"slots/{row}/{slot}", state)
    for i, x in enumerate(population.average):
        tensors[f"average/{i}"] = x
    members: list[dict[str, Any]] = []
    for i, record in enumerate(population.records):
        for step, state in record.states.items():
            _put(tensors, f"member/{i}/states/{step}", state)
        for step, slots in record.slots.items():
            for slot, state in slots.items():
                _put(tensors, f"member/{i}/slots/{step}/{slot}", state)
        for name, state in {"final": record.final, "average": record.average}.items():
            if state is not None:
                _put(tensors, f"member/{i}/{name}", state)
        members.append(
            {
                "log": record.log,
                "measured": record.measured,
                "steps": record.steps,
                "outcome": record.outcome,
                "states": sorted(record.states),
                "slots": {str(step): sorted(slots) for step, slots in record.slots.items()},
            }
        )
    facts = {
        "format": FORMAT,
        "clock": population.clock,
        "count": population.rules.count,
        "averaged": population.averaged,
        "rows": population.rows,
        "members": members,
        "seconds": seconds,
    }
    copies = {name: x.detach().cpu().clone() for name, x in tensors.items()}
    return Snapshot(copies, copy.deepcopy(facts))


def restore(population: Population, snapshot: Snapshot) -> None:
    """Put a population, freshly made of the same members and data, where it was.

    Raises:
        UsageError: If the snapshot is of other members, or of another version.
    """
    facts, tensors = snapshot.facts, snapshot.tensors
    if facts.get("format") != FORMAT or len(facts["members"]) != len(population.members):
        raise UsageError(
            "A population goes on from a snapshot of its own members.",
            got=f"format {facts.get('format')} and {len(facts.get('members', []))} members",
            remedy="Discard the snapshot to start anew.",
        )
    rows = [int(row) for row in facts["rows"]]
    if rows != population.rows:
        population.stack.select(rows)
        population.orders.select(rows)
        population.rules.select(rows)
        population.average = population.average and [x[: len(rows)] for x in population.average]
        population.rows = rows
        population._buffers = [x.clone() for x in population.stack.fixed.values()]
    for name, x in population.stack.tensors.items():
        x.copy_(tensors[f"stack/{name}"])
    for row in range(len(rows)):
        slots = {
            slot: _take(tensors, f"slots/{row}/{slot}") for slot in population.rules.state(row)
        }
        if slots:
            population.rules.load(row, slots)
    population.average = [tensors[f"average/{i}"].to(x) for i, x in enumerate(population.average)]
    population.total = tensors["total"].to(population.total)
    population.missed = tensors["missed"].to(population.missed)
    population.clock, population.rules.count = int(facts["clock"]), int(facts["count"])
    population.averaged = int(facts["averaged"])
    # Earlier snapshots had one number of samples for all members.
    seen = tensors["seen"] if "seen" in tensors else torch.full((len(rows),), facts["seen"])
    population.seen = seen.to(population.seen)
    population.spent = float(facts["seconds"])
    for i, (record, noted) in enumerate(zip(population.records, facts["members"], strict=True)):
        record.log, record.measured = noted["log"], noted["measured"]
        record.steps, record.outcome = int(noted["steps"]), noted["outcome"]
        record.states = {
            step: _take(tensors, f"member/{i}/states/{step}") for step in noted["states"]
        }
        record.slots = {
            int(step): {slot: _take(tensors, f"member/{i}/slots/{step}/{slot}") for slot in slots}
            for step, slots in noted["slots"].items()
        }
        record.final = _take(tensors, f"member/{i}/final") or None
        record.average = _take(tensors, f"member/{i}/average") or None


def _put(tensors: dict[str, Tensor], prefix: str, state: State) -> None:
    tensors.update({f"{prefix}/{name}": x for name, x in state.items()})


def _take(tensors: dict[str, Tensor], prefix: str) -> State:
    start = f"{prefix}/"
    return {
        name.removeprefix(start): x.clone() for name, x in tensors.items() if name.startswith(start)
    }
