"""One thread for each test process: pytest-xdist runs as many as there are cores."""

import os
import signal

os.environ.setdefault("OMP_NUM_THREADS", "1")  # for commands that tests start

import torch

# Started in the background by a shell, as some runners do, tests would inherit that Ctrl-C is
# ignored, and so would the commands that they start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

torch.set_num_threads(1)
