"""Named, stable streams of random numbers.

A stream is addressed by a seed and a name, through BLAKE2, so that ``stream(0, "order")``
is the same sequence in every process and on every machine, and adding a stream never moves
another. Python's `hash` is salted per process and is never used.
"""

import hashlib

import torch

__all__ = ["seed_of", "stream"]


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
