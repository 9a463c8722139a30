"""The IDX format of MNIST and Fashion-MNIST, plain or compressed.

Two zero bytes, a byte for the type, a byte for the number of axes, each axis as a big-endian
32-bit number, then the values in row-major order.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ridgeline.data.sets import Split
from ridgeline.errors import DataError

__all__ = ["FILES", "find", "read", "read_split"]

FILES: dict[str, tuple[str, str]] = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
"""Images and labels of each split; ``.gz`` may follow."""

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def find(folder: Path) -> dict[str, Path] | None:
    """The four files in a folder, plain before compressed; None if one is missing."""
    found: dict[str, Path] = {}
    for names in FILES.values():
        for name in names:
            places = [folder / name, folder / f"{name}.gz"]
            place = next((p for p in places if p.is_file()), None)
            if place is None:
                return None
            found[name] = place
    return found


def read_split(found: dict[str, Path], split: str) -> Split:
    """Read the images and labels of one split.

    Args:
        found: As `find` gives it.
        split: ``"train"`` or ``"test"``.

    Returns:
        Inputs uint8 (N, 1, H, W); targets int64.

    Raises:
        DataError: If a file is torn, or images and labels do not belong together.
    """
    images, labels = (read(found[name]) for name in FILES[split])
    for file, array, axes in zip(FILES[split], (images, labels), (3, 1), strict=True):
        if array.ndim != axes or array.dtype != torch.uint8:
            raise DataError(
                f"This IDX file has bytes along {axes} axes.",
                got=f"'{found[file]}' with {array.dtype} of shape {tuple(array.shape)}",
                remedy="It is another file under this name: fetch it again.",
            )
    if len(images) != len(labels):
        raise DataError(
            "Images and labels must be as many.",
            got=f"{len(images)} in '{found[FILES[split][0]]}', "
            f"{len(labels)} in '{found[FILES[split][1]]}'",
            remedy="The files come from different sets: fetch both again.",
        )
    return Split(images.unsqueeze(1), labels.to(torch.int64))


def read(path: Path) -> Tensor:
    """Read one IDX file.

    Args:
        path: The file; compressed if its name ends in ``.gz``.

    Returns:
        The array in its own type.

    Raises:
        DataError: If it is not IDX, or shorter or longer than its header says.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in TYPES or not head[3]:
                raise DataError(
                    "An IDX file starts with two zero bytes, a type and a number of axes.",
                    got=f"'{path}', starting {head!r}",
                    remedy="It is another format or damaged: fetch it again.",
                )
            axes = file.read(4 * head[3])
            if len(axes) < 4 * head[3]:
                raise _wrong_size(path, f"a header of {4 + 4 * head[3]} bytes", 4 + len(axes))
            shape = struct.unpack(f">{head[3]}I", axes)
            dtype = np.dtype(TYPES[head[2]])
            expected = math.prod(shape) * dtype.itemsize
            # Read what is there and no more than is told: a header cannot ask for memory.
            content = bytearray()
            while len(content) <= expected and (part := file.read(1 << 22)):
                content += part
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            "A compressed IDX file must be whole.",
            got=f"'{path}' of {path.stat().st_size} bytes ({error})",
            remedy="It is truncated or corrupt: fetch it again.",
        ) from error
    except OSError as error:
        raise DataError(
            "A data file must be readable.", got=f"'{path}' ({error.strerror or error})"
        ) from error
    if len(content) != expected:
        said = f"{expected} bytes for shape {shape}"
        received = f"more than {expected}" if len(content) > expected else len(content)
        raise _wrong_size(path, said, received)
    array = np.frombuffer(content, dtype).reshape(shape)
    return torch.from_numpy(array.astype(dtype.newbyteorder("="), copy=False))


def _wrong_size(path: Path, expected: str, received: object) -> DataError:
    return DataError(
        f"An IDX file holds what its header says: {expected}.",
        got=f"'{path}' with {received}",
        remedy="It is truncated or corrupt: fetch it again.",
    )
