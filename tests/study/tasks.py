"""What tests of executors have done; imported by name in the workers."""

import os
import signal
import time
from pathlib import Path


def square(task, tell):
    tell({"half": task["x"] / 2})
    time.sleep(task.get("seconds", 0))
    if task.get("fails"):
        raise ValueError(f"{task['x']} cannot be squared today")
    return task["x"] ** 2


def who(task, tell):
    time.sleep(task.get("seconds", 0))
    return os.getpid()


def threads(task, tell):
    import torch

    torch.rand(300, 300) @ torch.rand(300, 300)
    pools = {name: os.environ.get(f"{name}_NUM_THREADS") for name in ("OMP", "MKL", "OPENBLAS")}
    running = len(list(Path("/proc/self/task").iterdir()))
    return torch.get_num_threads(), pools, running


def die(task, tell):
    if task.get("dies"):
        os.kill(os.getpid(), task["dies"])
    return "alive"


def linger(task, tell):
    """Say who one is, then work for long; tidy up if told to stop."""
    here = Path(task["folder"])
    try:
        (here / f"{os.getpid()}.pid").touch()
        time.sleep(60)
    finally:
        (here / f"{os.getpid()}.tidied").touch()


def signals(task, tell):
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
