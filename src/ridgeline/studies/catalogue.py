"""Studies: found by looking into folders, and listed nowhere.

A study is a folder with scales, TOML files, beside the Python that says its `PAPER`: here, or one
of your own, which is named by its path.
"""

import importlib
import importlib.util
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from ridgeline.errors import UnknownName, UsageError
from ridgeline.study.papers import Paper
from ridgeline.study.scales import Scale, load_scale

__all__ = ["PAPERS", "folder", "paper", "parted", "scale", "scales"]

HERE = Path(__file__).parent
YEAR = re.compile(r"\d{4}")


def _found() -> tuple[str, ...]:
    names = (file.parent.name for file in HERE.glob("*/*.toml"))
    return tuple(sorted(set(names), key=lambda name: (YEAR.findall(name), name)))


PAPERS = _found()
"""Folders of `ridgeline.studies` that have scales, by year."""


def folder(name: str) -> Path:
    """The folder of a study.

    Args:
        name: Of one that comes with Ridgeline, or the path of a folder of your own.

    Raises:
        UnknownName: If there is none.
    """
    own = Path(name)
    if name not in PAPERS and own.is_dir() and any(own.glob("*.toml")):
        return own.resolve()
    if name not in PAPERS:
        raise UnknownName("paper", name, PAPERS, "Or give the folder of a study of your own.")
    return HERE / name


def parted(word: str) -> tuple[str, str]:
    """The study and the item that a word names: ``wang2023/flow``, ``./my_study/flow``.

    Args:
        word: A study's name or folder, alone or with an item after a slash.

    Returns:
        The study, as `paper` takes it, and the item's name; empty for all.
    """
    if word.partition("/")[0] in PAPERS:
        name, _, item = word.partition("/")
        return name, item
    if Path(word).is_dir() or "/" not in word:
        return word, ""
    name, _, item = word.rpartition("/")
    return (name, item) if Path(name).is_dir() else (word.partition("/")[0], item)


def paper(name: str) -> Paper:
    """A paper by its name.

    Args:
        name: As `folder` takes it.

    Raises:
        UnknownName: If there is none.
        UsageError: If a folder of your own has no `PAPER` of its name.
    """
    if (where := folder(name)).parent == HERE:
        return importlib.import_module(f"ridgeline.studies.{name}").PAPER
    found = getattr(_own(where), "PAPER", None)
    if not isinstance(found, Paper) or found.name != where.name:
        raise UsageError(
            "A study says its paper in the __init__.py of its folder, under the folder's name.",
            got=f"{where}: {found.name if isinstance(found, Paper) else 'no PAPER'}",
            remedy=f'PAPER = Paper(name="{where.name}", ...)',
        )
    return found


def _own(where: Path) -> ModuleType:
    """The package in a folder, imported under the folder's name."""
    if where.name in sys.modules:
        return sys.modules[where.name]
    file = where / "__init__.py"
    spec = importlib.util.spec_from_file_location(
        where.name, file, submodule_search_locations=[str(where)]
    )
    if not file.exists() or spec is None or spec.loader is None:
        raise UsageError("A study's folder is a Python package.", got=f"no {file}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[where.name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[where.name]
        raise
    return module


def scales(name: str) -> dict[str, Path]:
    """The scales of a paper: name to file, from small to large."""
    order = ("smoke", "laptop", "paper")
    found = {file.stem: file for file in sorted(folder(name).glob("*.toml"))}
    place = {scale: order.index(scale) if scale in order else len(order) for scale in found}
    return {scale: found[scale] for scale in sorted(found, key=lambda s: place[s])}


def scale(name: str, which: str, overrides: Sequence[str] = (), seeds: int | None = None) -> Scale:
    """A paper's scale.

    Args:
        name: Of the paper.
        which: The scale's name, or a TOML file of your own.
        overrides: As `load_scale` takes them.
        seeds: Of every population, in place of the file's.

    Raises:
        UnknownName: If there is no scale of this name.
        UsageError: If the file is for another paper.
    """
    known = scales(name)
    if which in known:
        return load_scale(known[which], overrides, seeds)
    if not which.endswith(".toml"):
        raise UnknownName(f"scale of {name}", which, known, "Or give a TOML file of your own.")
    found = load_scale(which, overrides, seeds)
    if found.paper != Path(name).name:
        raise UsageError("A scale is for the paper it names.", got=f"{found.paper!r}, not {name!r}")
    return found
