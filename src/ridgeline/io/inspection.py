"""What is in a checkpoint, told without refusing what is wrong with it."""

import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ridgeline.io.checkpoints import choose
from ridgeline.io.nesting import find
from ridgeline.io.places import read
from ridgeline.state import coordinates, ties

__all__ = ["Inspection", "TensorInfo", "inspect"]


@dataclass(frozen=True)
class TensorInfo:
    """One tensor of a checkpoint; numbers over its entries, in float64.

    A tensor with NaN has NaN for each number: the counts say how many there are. An empty one
    has norm 0 and NaN for the rest.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    norm: float
    """Euclidean."""
    mean: float
    std: float
    """Of the entries themselves: divided by their number, not by one less."""
    minimum: float
    maximum: float
    nans: int
    infs: int


@dataclass(frozen=True)
class Inspection:
    """Contents of a checkpoint."""

    path: Path
    """The file that was read: inside the folder, if a folder was given."""
    format: str
    size: int
    """Bytes on disk, shards included."""
    metadata: dict[str, str]
    tensors: tuple[TensorInfo, ...]
    ties: tuple[tuple[str, ...], ...]
    """Groups of names that share one tensor."""
    parameters: int
    """Floating entries, tied ones counted once, running statistics left out."""

    @property
    def non_finite(self) -> tuple[TensorInfo, ...]:
        """The tensors that hold NaN or infinity."""
        return tuple(t for t in self.tensors if t.nans or t.infs)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON: what is not finite becomes None."""
        return {
            "path": str(self.path),
            "format": self.format,
            "size": self.size,
            "metadata": dict(self.metadata),
            "parameters": self.parameters,
            "ties": [list(names) for names in self.ties],
            "tensors": [
                {k: _plain(v) for k, v in asdict(tensor).items()} for tensor in self.tensors
            ],
        }


def inspect(path: str | os.PathLike[str], *, key: str | None = None) -> Inspection:
    """Describe every tensor of a checkpoint. Never executes code; NaN is counted, not refused.

    Args:
        path: A file or a folder, as for `load`.
        key: The place of the state in a nested checkpoint.

    Returns:
        What is in it, in the file's order.

    Raises:
        CheckpointError: If it is missing, torn, ambiguous, of no known format, or would execute
            code.
        UnknownName: If there is nothing at `key`.
    """
    content = read(Path(path))
    state = choose(find(content.tree, key=key, where=str(content.path)), where=str(content.path))
    return Inspection(
        path=content.path,
        format=content.format,
        size=content.size,
        metadata=content.metadata,
        tensors=tuple(_describe(name, x) for name, x in state.items()),
        ties=tuple(ties(state)),
        parameters=sum(state[name].numel() for name in coordinates(state)),
    )


def _describe(name: str, x: Tensor) -> TensorInfo:
    values = (torch.view_as_real(x) if x.is_complex() else x).double().flatten()
    some = values if values.numel() else torch.tensor([math.nan], dtype=torch.float64)
    return TensorInfo(
        name=name,
        shape=tuple(x.shape),
        dtype=str(x.dtype).removeprefix("torch."),
        norm=float(values.norm()),
        mean=float(some.mean()),
        std=float(some.std(correction=0)),
        minimum=float(some.min()),
        maximum=float(some.max()),
        nans=int(values.isnan().sum()),
        infs=int(values.isinf().sum()),
    )


def _plain(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return list(value) if isinstance(value, tuple) else value
