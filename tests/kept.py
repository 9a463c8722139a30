"""Numbers of what a store keeps, beside those that were recorded at the same versions.

``python tests/kept.py tao2024 ...`` measures the smoke scales of studies and records them anew:
after a version was raised, or a measurement was added.
"""

import json
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from ridgeline.studies import catalogue, matched
from ridgeline.studies.lucas2021 import counting
from ridgeline.studies.pairs import Pair
from ridgeline.study import lines
from ridgeline.study.bench import Bench
from ridgeline.study.measured import Measurements
from ridgeline.study.plan import Machine
from ridgeline.study.populations import populate
from ridgeline.study.reproduction import reproduce
from ridgeline.study.scales import load_scale
from ridgeline.study.store import Store

MACHINE = Machine(workers=1, threads=1, together=16)
RECORDS = Path(__file__).parent / "studies" / "measured"


def numbers_of(store):
    """Of each measurement: its version, how many there are, and two numbers of each array.

    They are the mean over all arrays of the name, and the mean weighted by the place in the array,
    which tells orders apart.
    """
    found, values = {}, {}
    for key, arrays in Measurements(store):
        line, goal = key["line"] or {}, key["objective"] or {}
        parts = [key, line, *goal.get("metrics", {}).values()]
        name = " / ".join(part["name"] for part in parts if part)
        version = "/".join(part["version"] for part in parts if part)
        one = found.setdefault(name, {"version": version, "count": 0, "arrays": {}})
        assert one["version"] == version, f"{name} is kept at two versions"
        one["count"] += 1
        for array, x in arrays.items():
            if x.dtype.kind in "biuf":
                values.setdefault((name, array), []).append(_two(x.astype(np.float64).ravel()))
    for (name, array), pairs in sorted(values.items()):
        found[name]["arrays"][array] = [float(f"{x:.8g}") for x in np.mean(pairs, axis=0)]
    return dict(sorted(found.items()))


def _two(x):
    x = np.where(np.isfinite(x), x, 0.0)
    return (x.mean(), (x * np.linspace(0, 1, len(x))).mean()) if len(x) else (0.0, 0.0)


def check(store, study):
    """Compare with the record; a difference at an unchanged version is a failure."""
    recorded = json.loads((RECORDS / f"{study}.json").read_text(encoding="utf-8"))
    now = numbers_of(store)
    assert {n: x["version"] for n, x in now.items()} == {
        n: x["version"] for n, x in recorded.items()
    }, f"Another set of measurements or versions: record them by `python tests/kept.py {study}`."
    for name, one in now.items():
        was = recorded[name]
        assert (one["count"], list(one["arrays"])) == (was["count"], list(was["arrays"])), name
        for array, numbers in one["arrays"].items():
            assert numbers == pytest.approx(was["arrays"][array], rel=1e-3, abs=1e-6), (
                f"{name!r} gives other numbers ({array}) at version {one['version']}: raise it, "
                "for stores hold the old ones."
            )


SMALL = """
paper = "nobody1999"
seeds = 2
[measure]
points = 5
samples = 20
[base.net]
kind = "fcn"
widths = [64, 8, 8, 10]
[base.data]
set = "digits?train=120&test=60"
[base.training]
length = "4ep"
batch_size = 20
optimiser = { kind = "sgd", learning_rate = 0.1, momentum = 0.9 }
keep = { every = "2ep" }
[populations.plain]
"""


def small(folder):
    """A store with some measurements of two networks that train in a moment."""
    bench = Bench(load_scale(SMALL), Store(folder))
    populate(bench.scale.populations["plain"].runs, bench.store, machine=MACHINE)
    runs = bench.runs("plain")
    for run in runs:
        bench.profile(run, splits=("train", "test"))
        bench.profile(run, lines.from_noise)
    rows = bench.frame("plain").derive(counts=True)
    counting.strayed(bench, counting.bent(bench, counting.gone(bench, rows), "turning"))
    for way in (matched.NAIVE, matched.WEIGHTS):
        matched.between(bench, Pair(*runs), way)
    return bench.store


def record(study):
    """Measure a study's smoke scale, or what is `small`, and write what it keeps."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        if study == "small":
            small(folder)
        else:
            scale = catalogue.scale(study, "smoke")
            reproduce(catalogue.paper(study), scale, store, machine=MACHINE)
        text = json.dumps(numbers_of(store), indent=1)
    text = re.sub(r"\[\s+(\S+),\s+(\S+)\s+\]", r"[\1, \2]", text)
    RECORDS.mkdir(exist_ok=True)
    (RECORDS / f"{study}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    for study in sys.argv[1:]:
        record(study)
