"""Checkpoints as the command line names them: a file, or a state inside of one."""

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from ridgeline import io
from ridgeline.cli.setting import Setting
from ridgeline.state import State

__all__ = ["exists", "in_format_of", "load_points", "place_of"]


def place_of(text: str) -> tuple[str, str | None]:
    """The file that ``FILE`` or ``FILE:KEY`` names, and the key.

    A file whose own name holds the colon is meant before all else.
    """
    file, colon, key = text.rpartition(":")
    return (file, key) if colon and not exists(text) and exists(file) else (text, None)


def exists(path: str) -> bool:
    """Whether there is a file or a folder; none is where a name cannot be one."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # a name too long, a folder that may not be looked into
        return False


def load_points(setting: Setting, texts: Sequence[str]) -> list[State]:
    """Checkpoints as states of the setting's model."""
    places = [place_of(text) for text in texts]
    return [io.load(f, model=setting.model, dtype=setting.dtype, key=key) for f, key in places]


def in_format_of(text: str, state: State, model: nn.Module) -> State:
    """A state under the names and in the types of the checkpoint that it takes the place of."""
    file, key = place_of(text)
    return io.in_format_of(file, state, model=model, key=key)
