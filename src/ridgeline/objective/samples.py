"""Data as resident arrays: read once, used at every position."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ridgeline.state import matching

__all__ = ["Samples", "checksum", "equal"]


@dataclass(frozen=True, eq=False)
class Samples:
    """N samples: inputs and targets, every tensor with N as its first axis."""

    inputs: Any
    """A tensor, or tensors in tuples and dicts; None, numbers, flags and words may stand beside
    them, the same for all samples."""
    targets: Any
    """A tensor, or several; ``None`` for data that only calibrate."""
    left_out: tuple[str, ...] = ()
    """Names of parts that were words for each sample, such as the paths of files."""

    def __len__(self) -> int:
        return len(next(x for x in pytree.tree_leaves(self.inputs) if isinstance(x, Tensor)))

    def map(self, function: Callable[[Tensor], Tensor]) -> "Samples":
        """The samples with a function applied to each tensor."""
        return Samples(
            pytree.tree_map_only(Tensor, function, self.inputs),
            pytree.tree_map_only(Tensor, function, self.targets),
            self.left_out,
        )

    def __getitem__(self, rows: slice | Tensor) -> "Samples":
        return self.map(lambda x: x[rows])

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> "Samples":
        """The samples on a device, floating tensors in `dtype`."""
        return self.map(lambda x: x.to(device=device, dtype=matching(dtype, x)))

    def chunks(self, rows: int) -> Iterator["Samples"]:
        """Consecutive pieces of at most `rows` samples."""
        for start in range(0, len(self), rows):
            yield self[start : start + rows]

    @property
    def nbytes(self) -> int:
        """Bytes held by all tensors."""
        leaves = pytree.tree_leaves((self.inputs, self.targets))
        return sum(x.nbytes for x in leaves if isinstance(x, Tensor))

    def fingerprint(self) -> str:
        """A short name for the samples in their order, the same on every machine."""
        digest = hashlib.blake2b(digest_size=8)
        for x in pytree.tree_leaves((self.inputs, self.targets)):
            if isinstance(x, Tensor):
                digest.update(f"{tuple(x.shape)}{x.dtype}".encode())
                flat = x.detach().cpu().contiguous().flatten()
                digest.update(flat.view(torch.uint8).numpy().data)
        return digest.hexdigest()


def equal(x: Tensor, y: Tensor) -> bool:
    """True if two readings of a tensor agree; a missing value (NaN) equals itself."""
    return x.shape == y.shape and bool(((x == y) | ((x != x) & (y != y))).all())


def checksum(samples: Samples) -> int:
    """A number that does not depend on the order of samples, but on each and how often it comes."""
    total = 0
    leaves = pytree.tree_leaves((samples.inputs, samples.targets))
    tensors = [x for x in leaves if isinstance(x, Tensor)]
    flat = [x.detach().cpu().reshape(len(x), -1).contiguous() for x in tensors]
    rows = [x.view(torch.uint8).numpy() for x in flat]
    for i in range(len(samples)):
        digest = hashlib.blake2b(b"".join(r[i].tobytes() for r in rows), digest_size=8).digest()
        total = (total + int.from_bytes(digest)) % 2**64
    return total
