"""Data sets by name, the places where their files are looked for, and the user's own.

A spec is a name or ``module:function(arguments)``, then perhaps sizes:
``fashion-mnist?train=5000&test=1000&seed=1``.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ridgeline.data import cifar, digits, downloads, idx, mnist1d, own, table_sets
from ridgeline.data.images import STATISTICS, normalise, to_unit
from ridgeline.data.sets import DataSet, Split
from ridgeline.errors import Argument, DataError, Remedy, UnknownName, UsageError
from ridgeline.progress import Progress

__all__ = ["ENVIRONMENT", "known", "load"]

ENVIRONMENT = "RIDGELINE_DATA"
"""Environment variable that names a folder of data sets."""


@dataclass(frozen=True)
class OnDisk:
    """A set of images that is read from files."""

    description: str
    classes: int
    find: Callable[[Path], Callable[[str], Split] | None]
    """From a folder to the reader of a split; None if the files are not there."""
    folders: tuple[str, ...]
    """Names of its own folder under a folder of data sets: ours, torchvision's."""
    installed: Path | None = None
    """Where the operating system's package puts it."""
    package: str = ""


def _find_idx(folder: Path) -> Callable[[str], Split] | None:
    found = idx.find(folder)
    return None if found is None else lambda split: idx.read_split(found, split)


def _find_cifar(name: str) -> Callable[[Path], Callable[[str], Split] | None]:
    def find(folder: Path) -> Callable[[str], Split] | None:
        found = cifar.find(name, folder)
        return None if found is None else lambda split: cifar.read_split(*found, split)

    return find


ON_DISK: dict[str, OnDisk] = {
    "mnist": OnDisk(
        "Handwritten digits (LeCun et al. 1998): 28 x 28 grey pixels, 10 classes",
        10,
        _find_idx,
        ("mnist", "MNIST/raw"),
    ),
    "fashion-mnist": OnDisk(
        "Clothes (Xiao et al. 2017): 28 x 28 grey pixels, 10 classes",
        10,
        _find_idx,
        ("fashion-mnist", "FashionMNIST/raw"),
        Path("/usr/share/datasets/fashion-mnist"),
        "dataset-fashion-mnist",
    ),
    "cifar10": OnDisk(
        "Photographs (Krizhevsky 2009): 32 x 32 coloured pixels, 10 classes",
        10,
        _find_cifar("cifar10"),
        ("cifar10", "."),
    ),
    "cifar100": OnDisk(
        "Photographs (Krizhevsky 2009): 32 x 32 coloured pixels, 100 classes",
        100,
        _find_cifar("cifar100"),
        ("cifar100", "."),
    ),
}


def known() -> dict[str, str]:
    """The data sets that have a name, with a line about each."""
    bundled = {
        "digits": "Handwritten digits (Alpaydin & Kaynak 1998): 8 x 8 grey pixels, 10 classes",
        "mnist1d": "MNIST-1D (Greydanus 2020): 40 points, 10 classes",
    }
    on_disk = {name: entry.description for name, entry in ON_DISK.items()}
    return bundled | on_disk | table_sets.known()


def load(
    spec: str,
    *,
    root: str | os.PathLike[str] | None = None,
    download: bool = False,
    normalise: bool = True,
    progress: Progress | None = None,
) -> DataSet:
    """Load a data set into memory.

    Files are looked for in `root`, in ``$RIDGELINE_DATA``, in the user's cache folder, and
    where the operating system's package puts them. Nothing is downloaded unless asked.

    Args:
        spec: A name of `known`, or ``module:function(arguments)``, whose function returns a
            `DataSet`, a pair (inputs, targets), or a dict from split to pair. ``?train=5000``
            takes so many samples of a split, classes balanced; ``&seed=1`` takes others.
            ``?normalise=0`` leaves pixels in [0, 1], as `normalise` does. Tables, by name or by
            the path of a file, have options of their own: see `ridgeline.data.table_sets.load`.
        root: A folder of data sets, or the folder of this one.
        download: Fetch missing files, into `root`, ``$RIDGELINE_DATA`` or the cache folder.
        normalise: Shift and scale with the set's own constants; otherwise pixels are in [0, 1].
            MNIST-1D is standardised by definition, and the user's own data are left alone.
        progress: Told of the bytes of each file that is downloaded.

    Returns:
        Inputs float32: images (N, C, H, W), digits (N, 64), MNIST-1D (N, 40). Targets int64.

    Raises:
        UnknownName: If there is no such data set, split or option; the nearest come first.
        DataError: If files are missing or torn, or a size is out of range.
        UsageError: If the spec is malformed, or the user's function raises.
        MissingExtra: If `digits` is asked for without scikit-learn.
    """
    if table_sets.is_table(spec):
        return table_sets.load(spec, root=root, normalise=normalise)
    name, options = _parse(spec)
    seed = options.pop("seed", 0)
    if name == "digits" or name in ON_DISK:
        normalise = _flag(options.pop("normalise", int(normalise)), spec)
    if ":" in name:
        return _sized(own.load(name), options, seed, spec)
    if name == "digits":
        return _sized(digits.read(normalise=normalise), options, seed, spec)
    if name == "mnist1d":
        return _sized(mnist1d.generate(), options, seed, spec)
    if name not in ON_DISK:
        raise UnknownName(
            "data set", name, known(), "Or name a function of yours, as in my_project.data:build."
        )
    folder, read = _locate(name, Path(root) if root is not None else None, download, progress)
    entry = ON_DISK[name]
    raw = DataSet(
        name=name,
        splits={split: read(split) for split in ("train", "test")},
        classes=entry.classes,
        description=entry.description,
        source=str(folder),
    )
    # Chosen as bytes and only then made floats, which take four times the memory.
    chosen = _sized(raw, options, seed, spec)
    splits = {split: _finish(name, data, normalise) for split, data in chosen.splits.items()}
    return replace(chosen, splits=splits)


def _parse(spec: str) -> tuple[str, dict[str, int]]:
    """Split a spec into name and options; a question mark inside the arguments is not one."""
    name, mark, text = spec.strip().rpartition("?")
    if not mark or re.search(r"[()'\"]", text):
        return spec.strip(), {}
    options: dict[str, int] = {}
    for part in text.split("&"):
        key, _, value = part.partition("=")
        if not key or not re.fullmatch(r"\d+", value) or key in options:
            raise UsageError(
                "Options of a data set are whole numbers, each given once.",
                got=f"{part!r} in {spec!r}",
                remedy=f"Write {name}?train=5000&test=1000&seed=1.",
            )
        options[key] = int(value)
    return name, options


def _flag(value: int, spec: str) -> bool:
    if value not in (0, 1):
        raise UsageError("`normalise` is 0 or 1.", got=f"{value} in {spec!r}")
    return bool(value)


def _sized(data: DataSet, sizes: Mapping[str, int], seed: int, spec: str) -> DataSet:
    if not sizes:
        return data
    for split in sizes:
        if split not in data.splits:
            raise UnknownName(f"option of {data.name}", split, [*data.splits, "seed", "normalise"])
    splits = {
        name: split.subset(sizes[name], seed) if name in sizes else split
        for name, split in data.splits.items()
    }
    return replace(data, name=spec.strip(), splits=splits)


def _finish(name: str, split: Split, normalised: bool) -> Split:
    images = to_unit(split.inputs)
    return Split(normalise(images, *STATISTICS[name]) if normalised else images, split.targets)


def _locate(
    name: str, root: Path | None, download: bool, progress: Progress | None
) -> tuple[Path, Callable[[str], Split]]:
    entry = ON_DISK[name]
    given = Path(os.environ[ENVIRONMENT]) if os.environ.get(ENVIRONMENT) else None
    # The folder itself counts only where it was named for this call: MNIST and Fashion-MNIST
    # use the same file names, and one must not be taken for the other.
    places = [root] if root is not None else []
    for base in (root, given, downloads.cache()):
        places += [base / folder for folder in entry.folders] if base is not None else []
    places += [entry.installed] if entry.installed is not None else []
    for place in places:
        if (read := entry.find(place)) is not None:
            return place, read
    if download:
        target = (root or given or downloads.cache()) / entry.folders[0]
        for remote in downloads.REMOTES[name]:
            downloads.fetch(remote, target, progress=progress)
        if (read := entry.find(target)) is not None:
            return target, read
    install = f"`apt-get install {entry.package}`, or " if entry.package else ""
    raise DataError(
        f"The files of {name} must be on this machine.",
        got="none in " + ", ".join(f"'{place}'" for place in places),
        remedy=Remedy(
            f"Provide them with {install}`{{}}`, or say where they are with `{{}}` or "
            f"${ENVIRONMENT}.",
            Argument("download", True),
            Argument("data_root", "DIR", "root=DIR"),
        ),
    )
