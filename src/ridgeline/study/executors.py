"""Where work runs: in this process, or in worker processes with pinned threads.

A task is a mapping of plain values, and what is done with it is a function by name,
``module:function``, called as ``function(task, tell)``. An error of one task is reported with
the task and stops no other.

A worker is a Python of its own that this one starts: its threads are pinned in its environment
before any library reads it, a script without ``if __name__ == "__main__"`` is not run again,
and nothing is shared that a killed worker could leave locked, as each has a socket to itself.
On two cores, one or two workers are ready after 0.9 s, as with `multiprocessing`'s spawn and its
fork server with torch preloaded: torch is imported once in any case. Only with more workers than
cores is the fork server faster (four: 0.95 s, against 2.0).

No pool of `concurrent.futures` or loky is in its place, for those end all tasks when one worker is
killed, as by want of memory: of six tasks, the second of which is killed, the standard pool gives
back none, and these five. Nor could a task say how far it is.
"""

import importlib
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from ridgeline.errors import UsageError

__all__ = ["Executor", "Failure", "InProcess", "Outcome", "Workers"]

Task = Mapping[str, Any]
Told = Callable[[int, Mapping[str, Any]], None]
"""Called with the index of a task and what it says while it runs."""

POOLS = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM", "BLIS")
PATIENCE = 5.0
"""Seconds that a worker has to put its things in order when it is told to stop."""


@dataclass(frozen=True)
class Failure:
    """Failure of a task, with its reason."""

    kind: str
    """The exception's class; ``WorkerDied`` if its process ended."""
    text: str
    traceback: str
    task: Task


@dataclass(frozen=True)
class Outcome:
    """Outcome of a task: a value, or a failure."""

    index: int
    """Which of the tasks."""
    value: Any = None
    failure: Failure | None = None


class Executor(Protocol):
    """Executor: runs tasks, here or in other processes."""

    def map(
        self, function: str, tasks: Sequence[Task], *, told: Told | None = None
    ) -> Iterator[Outcome]:
        """Do all tasks; outcomes come as they are known, in any order.

        Args:
            function: ``module:function``, called with a task and with a function that it may
                give plain values to while it runs.
            tasks: Mappings of plain values.
            told: Is given those values.
        """
        ...


@dataclass(frozen=True)
class InProcess:
    """One task after the other, in this process."""

    threads: int | None = None
    """Of torch while a task runs; None to leave them."""

    def map(
        self, function: str, tasks: Sequence[Task], *, told: Told | None = None
    ) -> Iterator[Outcome]:
        """See `Executor`."""
        for index, task in enumerate(tasks):

            def tell(said: Mapping[str, Any], index: int = index) -> None:
                if told is not None:
                    told(index, said)

            with _pinned(self.threads):
                found = _attempt(function, task, tell)
            yield Outcome(index, **found)


@dataclass
class Workers:
    """Several tasks at a time, each in a process of its own.

    Processes start with the first task and are kept for the next `map` until `close`, or the
    end of a ``with`` block. One that dies is replaced. All end when this process does, however
    it ends.
    """

    count: int
    threads: int = 1
    """Of torch and of every linear algebra library, in each worker."""
    _idle: "list[_Worker]" = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        for name in ("count", "threads"):
            if getattr(self, name) < 1:
                raise UsageError(f"`{name}` must be at least 1.", got=str(getattr(self, name)))

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def map(
        self, function: str, tasks: Sequence[Task], *, told: Told | None = None
    ) -> Iterator[Outcome]:
        """See `Executor`."""
        queue = list(enumerate(tasks))[::-1]
        busy: dict[Connection, _Worker] = {}
        try:
            while queue or busy:
                while queue and len(busy) < self.count:
                    worker = self._idle.pop() if self._idle else _Worker(self.threads)
                    busy[worker.line] = worker
                    worker.give(*queue.pop(), function)
                for line in wait(list(busy)):
                    assert isinstance(line, Connection)
                    worker = busy[line]
                    message = worker.receive()
                    if message is None:
                        del busy[line]
                        yield Outcome(worker.index, failure=worker.obituary())
                    elif message[0] == "said":
                        if told is not None:
                            told(worker.index, message[1])
                    else:
                        self._idle.append(busy.pop(line))
                        yield Outcome(worker.index, **message[1])
        finally:
            _stop(list(busy.values()))  # only of a `map` that is abandoned

    def close(self) -> None:
        """End the processes."""
        _stop(self._idle)
        self._idle.clear()


class _Worker:
    """A process and the line to it."""

    def __init__(self, threads: int) -> None:
        ours, theirs = socket.socketpair()
        pinned = {f"{pool}_NUM_THREADS": str(threads) for pool in POOLS}
        code = f"from {__name__} import _serve; _serve({theirs.fileno()}, {threads})"
        # Ctrl-C goes to the whole group of a terminal. The signal is blocked while the child is
        # made, which inherits that: this process alone decides what stops.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"],
                env={**os.environ, **pinned},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()
        self.line = Connection(ours.detach())
        self.index, self.task = -1, {}

    def give(self, index: int, task: Task, function: str) -> None:
        self.index, self.task = index, dict(task)
        with suppress(OSError):  # it died while idle: its line says so when it is listened to
            self.line.send((function, self.task))

    def receive(self) -> Any:
        """A message, or None if the process is no more."""
        try:
            return self.line.recv()
        except (EOFError, OSError):
            return None

    def obituary(self) -> Failure:
        self.line.close()
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        how = f"code {code}"
        if code < 0:
            how = f"signal {signal.Signals(-code).name}"
            how += ", perhaps for want of memory" if code == -signal.SIGKILL else ""
        return Failure("WorkerDied", f"The worker process ended ({how}).", "", self.task)


def _stop(workers: "list[_Worker]") -> None:
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        try:
            worker.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()
        worker.line.close()


# --- in the worker ---------------------------------------------------------------------------


def _serve(descriptor: int, threads: int) -> None:
    """Do tasks until told to stop, or until nobody is left to tell."""
    import select
    import threading

    line = Connection(descriptor)

    def follow() -> None:
        gone = select.poll()
        gone.register(descriptor, 0)  # no data, the other end's closing alone
        gone.poll()
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=follow, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))

    import torch

    torch.set_num_threads(threads)
    code = 0
    try:
        while True:
            function, task = line.recv()
            found = _attempt(function, task, lambda said: line.send(("said", dict(said))))
            line.send(("done", found))
    except EOFError:
        pass
    except SystemExit as ended:  # the task has put its things in order on the way here
        code = int(ended.code or 0)
    sys.stdout.flush()
    os._exit(code)  # taking down all that torch has loaded takes up to two seconds


def _attempt(
    function: str, task: Task, tell: Callable[[Mapping[str, Any]], None]
) -> dict[str, Any]:
    """The fields of an outcome; an interruption is let through."""
    try:
        module, _, name = function.partition(":")
        return {"value": getattr(importlib.import_module(module), name)(task, tell)}
    except Exception as error:
        told = "".join(traceback.format_exception(error))
        return {"failure": Failure(type(error).__name__, str(error), told, dict(task))}


@contextmanager
def _pinned(threads: int | None) -> Iterator[None]:
    if threads is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
