"""Fetching published files, only when asked, and keeping only what has the right checksum."""

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from ridgeline.errors import DataError
from ridgeline.io.writing import atomic_path
from ridgeline.progress import Progress

__all__ = ["REMOTES", "Remote", "cache", "fetch"]


CHUNK = 1 << 18
TIMEOUT = 30.0


@dataclass(frozen=True)
class Remote:
    """A published file."""

    url: str
    md5: str
    """As its publisher states it: against damage, not against an adversary."""

    @property
    def file(self) -> str:
        """Its name."""
        return self.url.rpartition("/")[2]


_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_CIFAR = "https://www.cs.toronto.edu/~kriz/"

REMOTES: dict[str, tuple[Remote, ...]] = {
    "mnist": (
        Remote(f"{_MNIST}train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        Remote(f"{_MNIST}train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        Remote(f"{_MNIST}t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        Remote(f"{_MNIST}t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    ),
    "fashion-mnist": (
        Remote(f"{_FASHION}train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        Remote(f"{_FASHION}train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
        Remote(f"{_FASHION}t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
        Remote(f"{_FASHION}t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    ),
    "cifar10": (Remote(f"{_CIFAR}cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),),
    "cifar100": (Remote(f"{_CIFAR}cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85"),),
}


def cache() -> Path:
    """Return where downloads go when no place is given: the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ridgeline"


def fetch(remote: Remote, folder: Path, *, progress: Progress | None = None) -> Path:
    """Download a file unless it is there, check it, and only then give it its name.

    Args:
        remote: What to fetch.
        folder: Where to put it; made if missing.
        progress: Told of its bytes, after each chunk.

    Returns:
        Where it is.

    Raises:
        DataError: If the network fails, or the checksum is wrong; nothing is kept then.
        OutputError: If the folder cannot be written to.
    """
    target = folder / remote.file
    if target.is_file():
        return target
    digest = hashlib.md5(usedforsecurity=False)
    done = 0
    with atomic_path(target, overwrite=True) as temporary, temporary.open("wb") as out:
        try:
            with urllib.request.urlopen(remote.url, timeout=TIMEOUT) as source:
                length = source.headers.get("Content-Length")
                total = int(length) if length else 0
                while chunk := source.read(CHUNK):
                    digest.update(chunk)
                    out.write(chunk)
                    done += len(chunk)
                    if progress is not None:
                        progress(remote.file, done, total)
        except (
            urllib.error.URLError,
            TimeoutError,
            ConnectionError,
            http.client.HTTPException,
        ) as error:
            raise DataError(
                "A download needs a network that reaches the publisher.",
                got=f"{remote.url} ({getattr(error, 'reason', None) or error})",
                remedy=f"Try again later, or fetch the file elsewhere and put it into '{folder}'.",
            ) from error
        if digest.hexdigest() != remote.md5:
            raise DataError(
                "A download must have the checksum that its publisher states.",
                got=f"{remote.url}: {done} bytes with MD5 {digest.hexdigest()}, not {remote.md5}",
                remedy="It was cut short or is another file; nothing was kept. Try again.",
            )
    return target
