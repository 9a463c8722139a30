"""Checkpoints as the command line names them: a file, or a state inside of one."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn

from ridgeline import io
from ridgeline.cli.setting import Setting
from ridgeline.state import State, in_one_type

__all__ = ["exists", "in_format_of", "load_points", "place_of", "save_like"]


def place_of(text: str) -> tuple[str, str | None]:
    """The file that ``FILE`` or ``FILE:KEY`` names, and the key.

    A file whose own name holds the colon is meant before all else.
    """
    file, colon, key = text.rpartition(":")
    return (file, key) if colon and not exists(text) and exists(file) else (text, None)


def exists(path: str) -> bool:
    """True if there is a file or a folder; none is where a name cannot be one."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # a name too long, a folder that may not be looked into
        return False


def load_points(setting: Setting, texts: Sequence[str]) -> list[State]:
    """Checkpoints as states of the setting's model, each name in the widest of its types."""
    places = [place_of(text) for text in texts]
    found = [io.load(f, model=setting.model, dtype=setting.dtype, key=key) for f, key in places]
    return list(in_one_type(found, stacklevel=2))


def in_format_of(text: str, state: State, model: nn.Module) -> io.Stored:
    """A state under the names and in the types of the checkpoint that it takes the place of."""
    file, key = place_of(text)
    return io.in_format_of(file, state, model=model, key=key)


def save_like(
    text: str,
    state: io.Stored,
    setting: Setting,
    chosen: argparse.Namespace,
    metadata: Mapping[str, str],
) -> None:
    """Write what `in_format_of` gave to ``--out``, nested as the checkpoint is."""
    file, key = place_of(text)
    io.save_like(
        file,
        state,
        chosen.out,
        model=setting.model,
        key=key,
        metadata=metadata,
        overwrite=chosen.overwrite,
    )
