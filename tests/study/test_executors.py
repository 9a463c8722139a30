"""Executors: outcomes, errors, deaths, pinned threads, and nobody left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ridgeline.errors import UsageError
from ridgeline.study.executors import InProcess, Workers, _Worker


@pytest.fixture(scope="module")
def workers():
    with Workers(2) as made:
        yield made


@pytest.fixture(params=["in process", "workers"])
def executor(request, workers):
    return InProcess() if request.param == "in process" else workers


def test_every_task_has_one_outcome(executor):
    said = {}
    tasks = [{"x": x} for x in range(7)]
    found = list(executor.map("study.tasks:square", tasks, told=said.__setitem__))
    assert {o.index: o.value for o in found} == {x: x * x for x in range(7)}
    assert all(o.failure is None for o in found)
    assert said == {x: {"half": x / 2} for x in range(7)}
    assert list(executor.map("study.tasks:square", [])) == []


def test_one_error_among_many_is_told_with_its_task_and_stops_no_other(executor):
    tasks = [{"x": x, "fails": x == 2, "name": f"run {x}"} for x in range(5)]
    found = {o.index: o for o in executor.map("study.tasks:square", tasks)}
    assert {i: o.value for i, o in found.items()} == {0: 0, 1: 1, 2: None, 3: 9, 4: 16}
    failure = found[2].failure
    assert failure.kind == "ValueError" and failure.text == "2 cannot be squared today"
    assert failure.task == tasks[2] and "tasks.py" in failure.traceback
    (unknown,) = executor.map("study.tasks:nothing", [{}])
    assert unknown.failure.kind == "AttributeError"


def test_the_order_of_completion_does_not_matter(workers):
    tasks = [{"x": x, "seconds": 0.2 if x == 0 else 0} for x in range(4)]
    found = list(workers.map("study.tasks:square", tasks))
    assert found[-1].index == 0  # the slow one ends last, and has its own value
    assert {o.index: o.value for o in found} == {0: 0, 1: 1, 2: 4, 3: 9}


@pytest.mark.slow
def test_a_worker_that_dies_fails_its_task_alone_and_is_replaced():
    deaths = [0, signal.SIGKILL, 0, signal.SIGSEGV, 0]
    tasks = [{"dies": number} for number in deaths]
    with Workers(1) as one:
        found = list(one.map("study.tasks:die", tasks))
    assert [o.value for o in found] == ["alive", None, "alive", None, "alive"]
    for number, outcome in zip(deaths, found, strict=True):
        if number:
            assert outcome.failure.kind == "WorkerDied" and outcome.failure.task == {"dies": number}
            assert number.name in outcome.failure.text


def test_threads_are_pinned_before_and_after_torch_is_imported(workers):
    (found,) = workers.map("study.tasks:threads", [{}])
    count, pools, running = found.value
    assert count == 1 and set(pools.values()) == {"1"}
    assert running == 2  # the one that works and the one that waits for the parent's end
    before = torch.get_num_threads()
    (found,) = InProcess(threads=2).map("study.tasks:threads", [{}])
    assert found.value[0] == 2 and torch.get_num_threads() == before


def test_workers_are_processes_that_are_kept_between_maps(workers):
    pids = {o.value for o in workers.map("study.tasks:who", [{"seconds": 0.1}] * 4)}
    again = {o.value for o in workers.map("study.tasks:who", [{"seconds": 0.1}] * 4)}
    assert pids == again and len(pids) == 2 and os.getpid() not in pids
    (blocked,) = workers.map("study.tasks:signals", [{}])
    assert blocked.value  # Ctrl-C on a terminal reaches them too, and is the parent's to decide


def test_an_abandoned_map_stops_its_workers():
    with Workers(2) as two:
        pids = {o.value for o in two.map("study.tasks:who", [{"seconds": 0.1}] * 2)}
        outcomes = two.map("study.tasks:who", [{}, {"seconds": 60}])
        idle = next(outcomes).value
        outcomes.close()
        (busy,) = pids - {idle}
        assert alive(idle) and not alive(busy)
        assert idle in {o.value for o in two.map("study.tasks:who", [{}])}
    assert not alive(idle)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.slow
def test_no_worker_outlives_its_parent(tmp_path, number):
    """Ctrl-C lets them tidy up; a parent that is killed takes them along all the same."""
    code = (
        "from ridgeline.study.executors import Workers\n"
        f"list(Workers(2).map('study.tasks:linger', [dict(folder={str(tmp_path)!r})] * 2))\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
        start_new_session=True,  # a group of its own, as a shell gives it
    )
    until(lambda: len(list(tmp_path.glob("*.pid"))) == 2)
    os.killpg(parent.pid, number) if number == signal.SIGINT else parent.kill()
    parent.communicate(timeout=60)
    pids = [int(p.stem) for p in tmp_path.glob("*.pid")]
    until(lambda: not any(map(alive, pids)))
    tidied = len(list(tmp_path.glob("*.tidied")))
    assert tidied == (2 if number == signal.SIGINT else 0)


def test_numbers_out_of_range_are_refused():
    with pytest.raises(UsageError, match=r"`count` must be at least 1\. Got 0"):
        Workers(0)
    with pytest.raises(UsageError, match="`threads`"):
        Workers(1, threads=0)


def alive(pid):
    """Whether a process runs; one that has ended and not been waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def until(holds, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (3, "(code 3)"),
        (0, "(code 0)"),
        (-signal.SIGKILL, "(signal SIGKILL, perhaps for want of memory)"),
        (-signal.SIGSEGV, "(signal SIGSEGV)"),
    ],
)
def test_the_end_of_a_worker_is_told_by_its_code_or_signal(code, said):
    worker = object.__new__(_Worker)
    worker.line, worker.task = SimpleNamespace(close=lambda: None), {"x": 1}
    worker.process = SimpleNamespace(wait=lambda *_: code)
    failure = worker.obituary()
    assert failure.text == f"The worker process ended {said}."
    assert (failure.kind, failure.task) == ("WorkerDied", {"x": 1})
