"""Runs that train in a tenth of a second, and what a store holds of them."""

import hashlib
from pathlib import Path

from ridgeline.study.config import RunConfig
from ridgeline.study.store.claims import is_stale

STEPS = 24
"""Of a run: four epochs of 120 samples."""


def config(
    seed=0,
    *,
    widths=(64, 8, 10),
    data="digits?train=120&test=60",
    rule="sgd",
    rate=0.1,
    every="5it",
    spawn=None,
    child_seed=None,
    optimiser="kept",
    length="fixed",
    differ="both",
    **more,
):
    """A run; a child if it is given a seed as one."""
    rules = {"sgd": {"momentum": 0.9}, "adam": {}}
    values = {
        "net": {"kind": "fcn", "options": {"widths": list(widths)}},
        "data": {"set": data},
        "training": {
            "length": "4ep",
            "batch_size": 20,
            "optimiser": {"kind": rule, "learning_rate": rate, **rules[rule]},
            "keep": {"every": every, "spawn": [spawn] if spawn else []},
        },
        "seed": seed,
    }
    if child_seed is not None:
        values["spawn"] = {
            "at": spawn,
            "seed": child_seed,
            "optimiser": optimiser,
            "length": length,
            "differ": differ,
        }
    for path, value in more.items():
        table, _, name = path.partition("__")
        values[table][name] = value
    return RunConfig.from_dict(values)


def specs(count, *, children=0, child_seed=100, **words):
    """Parents of several seeds, each followed by its children."""
    if children:
        words = {"spawn": "8it", **words}
    parent_words = {k: v for k, v in words.items() if k not in ("optimiser", "length")}
    runs = []
    for seed in range(count):
        runs.append(config(seed, **parent_words))
        runs += [config(seed, child_seed=child_seed + j, **words) for j in range(children)]
    return runs


def contents(store, runs):
    """All that must not depend on how often a population was interrupted."""
    return {config.hash: _content(store.find(config.hash)) for config in runs}


def _content(run):
    folder = Path(run.path) / "states"
    files = {name: (folder / f"{name}.safetensors").read_bytes() for name in run.states}
    return {
        "states": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        "log": {k: repr(column) for k, column in run.log().items() if k != "seconds"},
        "summary": {k: v for k, v in run.summary.items() if k != "seconds"},
        "together": run.provenance["together"],
        "config": run.config,
    }


def litter(store):
    """What is left of unfinished work."""
    claims = (store.path / ".claims").glob("*.json")
    living = [path for path in claims if not is_stale(store.place, path.stem)]
    return [*living, *(store.path / ".scratch").glob("*")]
