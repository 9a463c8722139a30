"""CIFAR-10 and CIFAR-100 as their authors publish them: python or binary, unpacked or not.

The python version is pickled. It is read by an unpickler that knows numpy arrays and nothing
else, so that a file in its place cannot execute code.
"""

import io
import pickle
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ridgeline.data.sets import Split
from ridgeline.errors import DataError

__all__ = ["LAYOUTS", "Layout", "find", "read_split"]

PIXELS = 3 * 32 * 32
Reader = Callable[[str], bytes]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Layout:
    """Layout of one version of the data."""

    folder: str
    archive: str
    members: dict[str, tuple[str, ...]]
    """Files of each split."""
    labels: str | int
    """Key of the labels in a pickle, or the number of label bytes, of which the last counts."""


LAYOUTS: dict[str, tuple[Layout, Layout]] = {
    "cifar10": (
        Layout(
            "cifar-10-batches-py",
            "cifar-10-python.tar.gz",
            {"train": tuple(f"data_batch_{i}" for i in range(1, 6)), "test": ("test_batch",)},
            "labels",
        ),
        Layout(
            "cifar-10-batches-bin",
            "cifar-10-binary.tar.gz",
            {
                "train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
                "test": ("test_batch.bin",),
            },
            1,
        ),
    ),
    "cifar100": (
        Layout(
            "cifar-100-python",
            "cifar-100-python.tar.gz",
            {"train": ("train",), "test": ("test",)},
            "fine_labels",
        ),
        Layout(
            "cifar-100-binary",
            "cifar-100-binary.tar.gz",
            {"train": ("train.bin",), "test": ("test.bin",)},
            2,
        ),
    ),
}


def find(name: str, folder: Path) -> tuple[Layout, Path] | None:
    """Layout that lies in a folder, with its own folder or archive; None if there is none."""
    for layout in LAYOUTS[name]:
        files = [file for files in layout.members.values() for file in files]
        if all((folder / layout.folder / file).is_file() for file in files):
            return layout, folder / layout.folder
        if (folder / layout.archive).is_file():
            return layout, folder / layout.archive
    return None


def read_split(layout: Layout, place: Path, split: str) -> Split:
    """Read one split.

    Args:
        layout: As `find` gives it.
        place: As `find` gives it.
        split: ``"train"`` or ``"test"``.

    Returns:
        Inputs uint8 (N, 3, 32, 32); targets int64.

    Raises:
        DataError: If a file is torn, or is a pickle of anything but arrays.
    """
    decode = _from_pickle if isinstance(layout.labels, str) else _from_binary
    try:
        if place.is_dir():
            read: Reader = lambda file: (place / file).read_bytes()  # noqa: E731 (a name for a short function that is read in place)
            parts = [decode(read, file, layout, place / file) for file in layout.members[split]]
        else:
            with tarfile.open(place, "r:*") as archive:
                read = lambda file: _member(archive, f"{layout.folder}/{file}")  # noqa: E731 (a name for a short function that is read in place)
                parts = [decode(read, file, layout, place) for file in layout.members[split]]
    except (tarfile.TarError, EOFError, zlib.error, KeyError, OSError) as error:
        raise _torn(place, f"{type(error).__name__}: {error}") from error
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    inputs = torch.from_numpy(images.reshape(-1, 3, 32, 32))
    return Split(inputs, torch.from_numpy(labels.astype(np.int64)))


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    # Read in memory and never unpacked: no name in the archive can reach the disk.
    file = archive.extractfile(name)
    if file is None:
        raise KeyError(f"{name} is not a file")
    return file.read()


def _from_binary(read: Reader, file: str, layout: Layout, place: Path) -> tuple[Bytes, Bytes]:
    assert isinstance(layout.labels, int)
    content = read(file)
    record = layout.labels + PIXELS
    if not content or len(content) % record:
        raise _torn(place, f"{file} has {len(content)} bytes, not a multiple of {record}")
    table = np.frombuffer(content, np.uint8).reshape(-1, record)
    return table[:, layout.labels :], table[:, layout.labels - 1]


def _from_pickle(read: Reader, file: str, layout: Layout, place: Path) -> tuple[Bytes, Any]:
    try:
        # The files were written by Python 2, whose strings latin1 maps byte by byte.
        batch = _ArrayUnpickler(io.BytesIO(read(file)), encoding="latin1").load()
        images, labels = batch["data"], np.asarray(batch[layout.labels], dtype=np.int64)
    except _Refused as error:
        raise DataError(
            "Reading a data set must not execute code.",
            got=f"'{place}', whose {file} needs {error}; nothing was run",
            remedy="It is not the published file: do not trust it, fetch it again.",
        ) from None
    except Exception as error:  # a torn pickle can fail in any way
        raise _torn(place, f"{file}: {type(error).__name__}: {error}") from error
    if (
        not isinstance(images, np.ndarray)
        or images.dtype != np.uint8
        or images.shape != (len(labels), PIXELS)
    ):
        raise _torn(place, f"{file} holds no bytes of shape ({len(labels)}, {PIXELS})")
    return images, labels


class _Refused(Exception):
    """The pickle asked for something that is not an array."""


class _ArrayUnpickler(pickle.Unpickler):
    """Builds numbers, strings, lists, dicts and numpy arrays; refuses everything else."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        name = f"{module_name}.{global_name}"
        if name not in _ALLOWED:
            raise _Refused(name)
        return _ALLOWED[name]


def _empty_array(kind: object, shape: object, _code: object) -> NDArray[Any]:
    """Return what numpy pickles as the start of an array; its values follow as the state."""
    if kind is not _ARRAY or shape != (0,):
        raise _Refused(f"an array of {kind} with shape {shape}")
    return np.empty(0, np.uint8)


def _latin1(text: str, encoding: str) -> bytes:
    """Return how Python 3 writes bytes in old protocols."""
    if encoding != "latin1":
        raise _Refused(f"encoding {encoding}")
    return text.encode("latin1")


_ARRAY = "numpy.ndarray"
_ALLOWED: dict[str, Any] = {
    "numpy.core.multiarray._reconstruct": _empty_array,
    "numpy._core.multiarray._reconstruct": _empty_array,
    "numpy.ndarray": _ARRAY,
    "numpy.dtype": np.dtype,
    "_codecs.encode": _latin1,
}


def _torn(place: Path, reason: str) -> DataError:
    return DataError(
        "A CIFAR file must be whole.",
        got=f"'{place}' ({reason})",
        remedy="It is truncated, corrupt or another file: fetch it again.",
    )
