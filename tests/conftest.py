"""One thread for each test process: pytest-xdist runs as many as there are cores."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # for commands that tests start

import torch

torch.set_num_threads(1)
