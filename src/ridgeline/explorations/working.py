"""Lines measured one after the other, or by several processes.

Processes are forked, as those of torch's data loaders are: networks, objectives and functions need
not be pickled. Each computes with one thread.
"""

import multiprocessing
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any

import torch

from ridgeline.errors import UsageError
from ridgeline.explorations.measuring import Task

__all__ = ["measured"]

_tasks: list[Sequence[Task]] = []
"""Tasks of the exploration that is being forked: children find theirs here."""


def measured(
    tasks: Sequence[Task], workers: int, told: Callable[[int], None]
) -> list[dict[str, Any]]:
    """Measure lines, and return their arrays in the order of the tasks.

    Args:
        tasks: What to measure.
        workers: Processes; with 1 it is this one.
        told: How many are done.

    Raises:
        UsageError: If several processes are asked for where they cannot be forked.
    """
    if workers < 1:
        raise UsageError("`workers` must be at least 1.", got=str(workers))
    found: list[dict[str, Any]] = [{}] * len(tasks)
    told(0)
    done = _alone(tasks) if workers == 1 or len(tasks) < 2 else _forked(tasks, workers)
    for count, (i, arrays) in enumerate(done, 1):
        found[i] = arrays
        told(count)
    return found


def _alone(tasks: Sequence[Task]) -> Iterator[tuple[int, dict[str, Any]]]:
    for i, task in enumerate(tasks):
        yield i, task.arrays()


def _forked(tasks: Sequence[Task], workers: int) -> Iterator[tuple[int, dict[str, Any]]]:
    _check_forkable(tasks)
    for task in tasks:  # read once, here, and shared by all
        _ = task.a.state, task.b.state
        if task.by is not None:
            task.setting.symmetry()
    context = multiprocessing.get_context("fork")
    _tasks.append(tasks)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
            pool = ProcessPoolExecutor(
                min(workers, len(tasks)), context, initializer=torch.set_num_threads, initargs=(1,)
            )
            with pool:
                yield from _collected(pool, tasks)
    finally:
        _tasks.pop()


def _collected(
    pool: ProcessPoolExecutor, tasks: Sequence[Task]
) -> Iterator[tuple[int, dict[str, Any]]]:
    running: dict[Future[Any], int] = {pool.submit(_one, i): i for i in range(len(tasks))}
    try:
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                i = running.pop(future)
                arrays = future.result()
                # What failed there is measured here, so that its error is the real one.
                yield i, tasks[i].arrays() if arrays is None else arrays
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _one(i: int) -> dict[str, Any] | None:
    try:
        return _tasks[-1][i].arrays()
    except Exception:
        return None


def _check_forkable(tasks: Sequence[Task]) -> None:
    if "fork" not in multiprocessing.get_all_start_methods():
        raise UsageError(
            "Several processes are forked, which this system cannot.",
            got="workers above 1",
            remedy="Use workers=1.",
        )
    devices = {str(g.device) for task in tasks for g in task.setting.objectives.values()}
    if other := sorted(devices - {"cpu"}):
        raise UsageError(
            "Several processes measure on the CPU: a GPU cannot be used in a forked process.",
            got=f"objectives on {', '.join(other)}",
            remedy="Use workers=1.",
        )
