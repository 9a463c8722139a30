"""Reading what `torch.save` writes. Never executes code, and believes no size that it is told."""

import mmap
import re
import warnings
import zipfile
from io import BytesIO
from pathlib import Path
from typing import IO, cast

import torch

from ridgeline.errors import CheckpointError
from ridgeline.io.pickles import Malformed, Survey

__all__ = ["read_torch"]

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
"""Number that a file in the format from before torch 1.6 begins with."""

EXPANSION, LARGEST = 100, 2**30
"""A compressed archive of more bytes than the second is not larger by more than the first."""

VALUES = (
    "argparse.Namespace",
    "builtins.slice",
    "collections.defaultdict",
    "datetime.",
    "numpy.",
    "omegaconf.",
    "pathlib.",
    "types.SimpleNamespace",
)
"""Types that trainers keep beside the weights, which hold values and do nothing."""


def read_torch(path: Path) -> object:
    """Read what `torch.save` wrote with an unpickler that builds tensors and plain containers.

    Args:
        path: An existing file.

    Returns:
        A state, or a nested mapping with one inside, or anything else that was saved.

    Raises:
        CheckpointError: If the file is truncated or corrupt, or reading it would execute code.
    """
    try:
        if zipfile.is_zipfile(path):
            _check_zip(path)
        else:
            _check_older(path)
    except CheckpointError:
        raise
    except Exception as error:  # zipfile and pickle let many kinds through on torn files
        raise _torn(path, str(error) or "it ends too early") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle protocols: nothing a reader can act on
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler lets KeyError, UnicodeError and others through
        text = str(error)
        if "Weights only load failed" in text:
            raise _refused(path, text) from None  # torch's text advises to turn the guard off
        reason = (text.splitlines() or [""])[0] or type(error).__name__
        raise _torn(path, reason) from error


def _check_zip(path: Path) -> None:
    """Check every record's checksum, which `torch.load` does not, and the sizes of storages."""
    with zipfile.ZipFile(path) as archive:
        records = {record.filename: record for record in archive.infolist()}
        if any(name.endswith("/constants.pkl") for name in records):
            raise _refused(path, "GLOBAL TorchScript")
        if len(records) < len(archive.infolist()):
            raise Malformed("two records of one name")
        whole = sum(record.file_size for record in records.values())
        if whole > max(LARGEST, EXPANSION * path.stat().st_size):
            raise Malformed(f"records of {whole} bytes")
        for record in records.values():
            if record.CRC == 0:  # torch can be told to leave checksums out
                continue
            with archive.open(record) as stream:
                while stream.read(1 << 22):
                    pass
        root = next(iter(records), "").partition("/")[0]
        if f"{root}/data.pkl" not in records:
            raise Malformed("an archive without data.pkl")
        survey = Survey()
        survey.read(BytesIO(_content(archive, records[f"{root}/data.pkl"])))
        for key, storage in survey.storages.items():
            record = records.get(f"{root}/data/{key}")
            if record is None or record.file_size != storage.nbytes:
                held = "no values" if record is None else f"{record.file_size} bytes"
                raise Malformed(f"{held} where storage {key!r} has {storage.nbytes}")


def _content(archive: zipfile.ZipFile, record: zipfile.ZipInfo) -> bytes:
    if record.CRC == 0:
        del record.CRC  # none was written, so that none is compared
    with archive.open(record) as stream:
        return stream.read()


def _check_older(path: Path) -> None:
    """Check the sizes of storages in a file of the format from before torch 1.6."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        if mapped[:4] == b"PK\x03\x04":
            raise Malformed("the zip archive has no end")
        stream = cast(IO[bytes], mapped)  # it gives no more than there is, whatever is asked for
        survey = Survey()
        if survey.read(stream) != MAGIC_NUMBER:
            return  # a bare pickle, which torch refuses
        for _ in ("protocol", "system", "tree", "keys"):
            survey.read(stream)
        # Before the values of each storage stands how many they are.
        need = stream.tell() + sum(8 + storage.nbytes for storage in survey.storages.values())
        if need > len(mapped):
            raise Malformed(f"values of {need - len(mapped)} bytes more than there are")


def _torn(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        "A torch checkpoint must be whole.",
        got=f"'{path}' of {path.stat().st_size} bytes ({reason})",
        remedy="It is truncated, corrupt or not written by torch.save: copy or make it again.",
    )


def _refused(path: Path, text: str) -> CheckpointError:
    found = re.search(r"GLOBAL ([\w.]+)", text)
    what = f"needs {found[1]}" if found else "holds a pickle that is not plain tensors"
    remedy = (
        "If you trust it, load it where it was made with torch.load(..., "
        "weights_only=False) and save the weights alone: torch.save(model.state_dict(), ...) "
        "or ridgeline.save(model.state_dict(), 'name.safetensors')."
    )
    if found and (named := _values(path) or [found[1]])[0].startswith(VALUES):
        remedy = (
            f"It holds settings beside the weights. Allow them: "
            f"torch.serialization.add_safe_globals([{', '.join(named)}]), before it is loaded "
            "(where a command loads it: in the module that builds the model). Or save the weights "
            "alone: torch.save(model.state_dict(), ...)."
        )
    return CheckpointError(
        "Reading a checkpoint must not execute code.",
        got=f"'{path}', which {what}; nothing was run",
        remedy=remedy,
    )


def _values(path: Path) -> list[str]:
    """All that would have to be allowed to read a file, if it holds values and does nothing."""
    try:
        named = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except Exception:  # an older format, or torn: what torch named first is all that is known
        return []
    return named if all(name.startswith(VALUES) for name in named) else [""]
