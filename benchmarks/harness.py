"""Fair timing: contenders in turn, over and over, medians of their times."""

import statistics
import time
from collections.abc import Callable, Mapping

import torch

__all__ = ["interleave", "machine", "matrix_rate"]


def interleave(
    contenders: Mapping[str, Callable[[], object]], repeats: int
) -> dict[str, list[float]]:
    """Wall seconds of each contender, A B C A B C ..., after one run each that is not counted."""
    for run in contenders.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio(theirs: list[float], ours: list[float]) -> float:
    """Median over the turns of theirs over ours: drift of the machine is in both."""
    return statistics.median(t / o for t, o in zip(theirs, ours, strict=True))


def matrix_rate(rows: int, inner: int, columns: int, seconds: float = 0.5) -> float:
    """GFLOP/s of a plain matrix product of this shape, the best of repeated runs."""
    a, b = torch.randn(rows, inner), torch.randn(inner, columns)
    best, end = float("inf"), time.perf_counter() + seconds
    with torch.inference_mode():
        while time.perf_counter() < end:
            start = time.perf_counter()
            torch.mm(a, b)
            best = min(best, time.perf_counter() - start)
    return 2e-9 * rows * inner * columns / best


def machine() -> str:
    """What this was measured on."""
    with open("/proc/cpuinfo") as file:  # noqa: PTH123 (a pseudo-file)
        names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return f"{len(names)} cores of {names[0]}, torch {torch.__version__}"
