"""A look at a pickle of tensors before torch reads it. Nothing that it names is imported or run.

torch takes the sizes in such a file on trust: a tensor said to be larger than its values is made
of what lies behind them in memory. Here every name is a stand-in that keeps what it was given, so
that sizes can be compared with the file's.
"""

import pickle
import pickletools
from collections.abc import Callable, Iterable
from math import prod
from typing import IO, Any

import torch

__all__ = ["Malformed", "Storage", "Survey"]

LARGEST_MEMO = 2**20
"""Numbers of remembered objects below it are taken as they are: pickle's own table grows to it."""

ITEMSIZES = {
    f"{name}Storage": size
    for size, names in {
        1: "Untyped Byte Char Bool QInt8 QUInt8 QUInt4x2 QUInt2x4",
        2: "Short Half BFloat16",
        4: "Int Float QInt32",
        8: "Long Double ComplexFloat",
        16: "ComplexDouble",
    }.items()
    for name in names.split()
}
"""Bytes of a value in each class of storage that torch has had."""

LARGEST_EXPANDED = 2**28
"""Values of a tensor that repeats those of its storage."""


class Malformed(Exception):
    """A pickle says what cannot be."""


class Storage:
    """Values that a pickle says to lie elsewhere in the file.

    Args:
        key: Its name.
        count: How many values.
        itemsize: Bytes of each.
    """

    def __init__(self, key: str, count: int, itemsize: int) -> None:
        self.key, self.count, self.itemsize = key, count, itemsize

    @property
    def nbytes(self) -> int:
        """Bytes that it takes."""
        return self.count * self.itemsize


class _StandIn:
    """In the place of whatever a pickle names: takes everything, does nothing."""

    name = ""

    def __new__(cls, *args: Any, **_: Any) -> "_StandIn":
        if (check := CALLED.get(cls.name)) is not None:
            check(*args)
        elif cls.name.endswith("Tensor") and any(isinstance(x, int) for x in args):
            raise Malformed("a tensor of a size, without values")
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and state and isinstance(state[0], Storage):
            _check_inside(*state[:4])

    def __setitem__(self, key: Any, value: Any) -> None:
        hash(key)

    def append(self, value: Any) -> None:
        """Take a value of a list."""

    def extend(self, values: Iterable[Any]) -> None:
        """Take values of a list."""

    def add(self, value: Any) -> None:
        """Take a value of a set."""


def _check_inside(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> None:
    """Refuse a tensor that reaches beyond its storage."""
    if not isinstance(storage, Storage):
        return
    whole = [offset, *size, *stride]
    if not all(isinstance(n, int) and 0 <= n < 2**62 for n in whole) or len(size) != len(stride):
        raise Malformed(f"a tensor of shape {tuple(size)} with strides {tuple(stride)}")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if prod(size) and last >= storage.count:
        raise Malformed(f"a tensor of {last + 1} values in a storage of {storage.count}")
    if prod(size) > max(storage.count, LARGEST_EXPANDED):
        raise Malformed(f"a tensor of {prod(size)} values made of {storage.count}")


def _check_bytes(storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> None:
    """As `_check_inside`, of a type that is given beside a storage of bytes."""
    dtype = getattr(torch, str(getattr(rest[2], "name", "")).rpartition(".")[2], None)
    if not isinstance(storage, Storage) or not isinstance(dtype, torch.dtype):
        raise Malformed("a tensor of no type that is known")
    count = storage.nbytes // dtype.itemsize
    _check_inside(Storage(storage.key, count, dtype.itemsize), offset, size, stride)


def _check_subclass(function: Any, _: Any, args: Any, *__: Any) -> None:
    """A tensor with attributes of its own is a plain one first."""
    function(*args)


def _check_bytearray(*args: Any) -> None:
    if any(isinstance(x, int) for x in args):
        raise Malformed("bytes of a size, without values")


CALLED: dict[str, Callable[..., None]] = {
    "torch._utils._rebuild_tensor": _check_inside,
    "torch._utils._rebuild_tensor_v2": _check_inside,
    "torch._utils._rebuild_tensor_v3": _check_bytes,
    "torch._utils._rebuild_qtensor": _check_inside,
    "torch._tensor._rebuild_from_type_v2": _check_subclass,
    "builtins.bytearray": _check_bytearray,
    "__builtin__.bytearray": _check_bytearray,
}
"""Checks of the arguments of functions that torch may call."""


class Survey:
    """Survey of what the pickles of a file ask for.

    Attributes:
        storages: Name of each storage to what is said of it.
    """

    def __init__(self) -> None:
        self.storages: dict[str, Storage] = {}
        self._standing: dict[str, type[_StandIn]] = {}

    def read(self, stream: IO[bytes]) -> object:
        """One pickle; the stream is left behind it.

        Args:
            stream: At the pickle's first byte.

        Returns:
            What it holds, with stand-ins for all that is no plain value.

        Raises:
            Malformed: If tensors do not lie within their values, or a pickle cannot be so.
            Exception: Whatever `pickle` raises on what is no pickle.
        """
        start = stream.tell()
        for count, (operation, argument, _) in enumerate(pickletools.genops(stream)):
            # pickle makes room for the largest number that is remembered under, at once.
            if "PUT" in operation.name and int(argument or 0) > max(LARGEST_MEMO, 2 * count):
                raise Malformed(f"{argument} remembered objects")
        stream.seek(start)
        reader = _Reader(stream, encoding="latin1")
        reader.survey = self
        return reader.load()

    def stand_in(self, name: str) -> type[_StandIn]:
        """The stand-in for a name, always the same."""
        if name not in self._standing:
            self._standing[name] = type("StandIn", (_StandIn,), {"name": name})
        return self._standing[name]

    def storage(self, place: Any) -> Storage:
        """A storage by what the pickle says of it: its type, name, device and number of values."""
        word, kind, key, _, count, *view = place
        if word not in ("storage", b"storage") or not isinstance(count, int) or count < 0:
            raise Malformed(f"values that lie at {place!r}"[:200])
        itemsize = _itemsize(getattr(kind, "name", ""))
        found = self.storages.setdefault(str(key), Storage(str(key), count, itemsize))
        if (found.count, found.itemsize) != (count, itemsize):
            raise Malformed(f"two sizes of the storage {key!r}")
        if not view or view[0] is None:
            return found
        name, offset, size = view[0]
        if not (offset >= 0 and size >= 0 and offset + size <= count):
            raise Malformed(f"a part of the storage {key!r} that is not within it")
        return Storage(str(name), size, itemsize)


class _Reader(pickle.Unpickler):
    survey: Survey

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        return self.survey.stand_in(f"{module_name}.{global_name}")

    def persistent_load(self, pid: Any, /) -> Storage:
        return self.survey.storage(pid)


def _itemsize(name: str) -> int:
    module, _, kind = name.rpartition(".")
    if kind not in ITEMSIZES or module.partition(".")[0] != "torch":
        raise Malformed(f"values in {name or 'no storage'}")
    return ITEMSIZES[kind]
