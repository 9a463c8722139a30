"""Profiles against the obvious loop and other tools: ratios from one interleaved run.

python -m benchmarks.profiles [--repeats 5] [--threads 1,2] [--only WORD] [--json FILE]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

import ridgeline as rl
from benchmarks import contenders, memory, sampling
from benchmarks.harness import interleave, machine, matrix_rate, ratio
from benchmarks.works import Work, deep, works


def measure(work: Work, repeats: int) -> dict:
    """One work by everybody."""
    grid = np.linspace(0, 1, work.points)
    start = time.perf_counter()
    objective = rl.Objective(work.model, work.data, **(work.options or {}))
    construction = time.perf_counter() - start
    line = rl.Line(work.a, work.b)
    recomputed = objective.calibration is not None
    args = work.model, work.a, work.b, grid, work.data
    runs = {"ridgeline": lambda: rl.profile(line, objective, points=work.points)}
    if recomputed:
        runs["obvious loop"] = lambda: contenders.obvious_recomputed(*args)
    else:
        runs["obvious loop"] = lambda: contenders.obvious(*args)
        runs["resident loop"] = lambda: contenders.obvious_resident(*args, objective.rows)
        if "ResNet" not in work.name:
            runs |= contenders.peers(work.model, work.a, work.b, work.points, work.data)
    found = runs["ridgeline"]()
    expected = np.asarray(runs["obvious loop"]())
    off = float(np.abs(found.curve().mean - expected).max())
    if off > 1e-4 * max(1.0, float(expected.max())):
        raise AssertionError(f"{work.name}: the obvious loop differs by {off}")
    seconds = interleave(runs, repeats)
    about = found.provenance["splits"]["data"]
    row = {
        "work": work.name,
        "wanted": work.wanted,
        "seconds": {name: statistics.median(s) for name, s in seconds.items()},
        "range": {name: [min(s), max(s)] for name, s in seconds.items()},
        "ratios": {
            n: ratio(s, seconds["ridgeline"]) for n, s in seconds.items() if n != "ridgeline"
        },
        "largest difference": off,
        "strategy": about["strategy"],
        "construction": construction,
    }
    if work.flops:
        rate = matrix_rate(about["rows"], 256, 256)
        done = work.flops * len(objective) * work.points / 1e9
        row["share of matrix rate"] = done / row["seconds"]["ridgeline"] / rate
        row["matrix rate"] = rate
    return row


def layers(repeats: int) -> dict:
    """Every layer of a deep network, against the obvious loop run once per layer."""
    work = deep()
    objective = rl.Objective(work.model, work.data)
    names = rl.state.layers(work.a)
    grid = np.linspace(0, 1, work.points)

    def each() -> list:
        found = []
        for tensors in names.values():
            moved = {k: (work.b if k in tensors else work.a)[k] for k in work.a}
            found.append(contenders.obvious(work.model, work.a, moved, grid, work.data))
        return found

    runs = {
        "ridgeline": lambda: rl.layerwise(work.a, work.b, objective, points=work.points),
        "obvious loop": each,
    }
    ours = np.array([p.curve().mean for p in runs["ridgeline"]().values()])
    off = float(np.abs(ours - np.array(each())).max())
    seconds = interleave(runs, repeats)
    return {
        "work": work.name,
        "wanted": work.wanted,
        "seconds": {name: statistics.median(s) for name, s in seconds.items()},
        "range": {name: [min(s), max(s)] for name, s in seconds.items()},
        "ratios": {"obvious loop": ratio(seconds["obvious loop"], seconds["ridgeline"])},
        "largest difference": off,
        "strategy": "",
    }


def one_process(threads: int, repeats: int, only: str) -> list[dict]:
    """All works in this process."""
    torch.set_num_threads(threads)
    with contenders.installed() as notes:
        for note in notes:
            print(note, file=sys.stderr)
        rows = [measure(w, repeats) for w in works() if only.lower() in w.name.lower()]
        if only.lower() in deep().name.lower():
            rows.append(layers(max(2, repeats // 2)))
    return rows


def show(rows: list[dict], threads: int) -> None:
    """A table in Markdown."""
    print(f"\n### {threads} thread{'s' if threads > 1 else ''}\n")
    print("| work | wanted | seconds | strategy | times faster than |")
    print("|---|---|---|---|---|")
    for row in rows:
        ratios = ", ".join(f"{name} **{r:.2f}**" for name, r in row["ratios"].items())
        low, high = row["range"]["ridgeline"]
        took = f"{row['seconds']['ridgeline']:.3g} ({low:.3g} to {high:.3g})"
        print(f"| {row['work']} | {row['wanted']} | {took} | {row['strategy']} | {ratios} |")
    rates = [r for r in rows if "share of matrix rate" in r]
    for row in rates:
        share = row["share of matrix rate"]
        print(
            f"\n{row['work']}: the obvious loop's arithmetic at {share:.2f} of the rate of a plain "
            f"matrix product ({row['matrix rate']:.0f} GFLOP/s); above 1 is arithmetic not done."
        )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--threads", default="1,2")
    options.add_argument("--only", default="")
    options.add_argument("--json", type=Path)
    options.add_argument("--child", type=int, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.child:
        print(json.dumps(one_process(chosen.child, chosen.repeats, chosen.only)))
        return
    print(f"Measured on {machine()}; {chosen.repeats} interleaved repeats, medians.")
    found: dict[str, object] = {"machine": machine(), "repeats": chosen.repeats}
    for threads in map(int, chosen.threads.split(",")):
        pinned = {k: str(threads) for k in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        words = ["--child", str(threads), "--repeats", str(chosen.repeats), "--only", chosen.only]
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.profiles", *words],
            env={**os.environ, **pinned},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        rows = json.loads(done.stdout.splitlines()[-1])
        show(rows, threads)
        found[f"threads {threads}"] = rows
    if not chosen.only:
        found["sampling"] = sampling.main()
        found["memory"] = memory.main()
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
