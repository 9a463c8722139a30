"""Named, stable streams of random numbers.

A stream is addressed by a seed and a name, through BLAKE2, so that ``stream(0, "order")``
is the same sequence in every process and on every machine, and adding a stream never moves
another. Python's `hash` is salted per process and is never used.
"""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["seed_of", "stream", "untouched"]


def seed_of(seed: int, *names: object) -> int:
    """The 63-bit seed of a named stream.

    Args:
        seed: The experiment's seed.
        names: What the stream is for, from general to particular; compared by their `repr`.

    Returns:
        A non-negative integer below 2**63, the same on every machine.
    """
    text = "\x1f".join([str(seed), *map(repr, names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


def stream(seed: int, *names: object, device: str | torch.device = "cpu") -> torch.Generator:
    """A generator of its own for one named purpose; torch's global generator is untouched.

    Args:
        seed: The experiment's seed.
        names: What the stream is for, from general to particular.
        device: Where the numbers are drawn.

    Returns:
        A freshly seeded generator.
    """
    return torch.Generator(device=device).manual_seed(seed_of(seed, *names))


@contextmanager
def untouched() -> Iterator[None]:
    """Leave the global generators of torch, numpy and Python as they were found.

    User code that runs inside (a data set's augmentation, a model's dropout) may draw from them.
    """
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002 (saved, not drawn from)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)  # noqa: NPY002 (the global generator itself is meant)
