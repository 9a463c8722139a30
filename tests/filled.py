"""Runs for tests of the store: what is published of one, and a store of many."""

from ridgeline.nets import fcn
from ridgeline.study.store import Identity
from ridgeline.study.store.records import state_name

HASH = "0123456789abcdef"


def content(seed=0, steps=(0, 5, 10)):
    net = fcn(4, 3, 2, norm="batch", seed=seed)
    states = {
        state_name(step): {k: x + step for k, x in net.state_dict().items()} for step in steps
    }
    return {
        "config": {"seed": seed},
        "full": {"seed": seed, "net": {"kind": "fcn", "widths": [4, 3, 2]}},
        "provenance": {"host": "here"},
        "states": states,
        "log": {"epoch": [1.0, 2.0], "loss": [0.5, float("nan")]},
        "summary": {"steps": 10, "final": {"train": {"loss": 0.25}}},
    }


def hash_of(seed):
    return f"{seed:016x}"


def fill(store, count):
    for seed in range(count):
        store.publish(Identity(f"run-{seed}", hash_of(seed)), **content(seed))
    return store
