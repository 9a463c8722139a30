"""``ridgeline inspect``: what is in a checkpoint."""

import argparse

from ridgeline import io
from ridgeline.cli.consoles import stderr_console, stdout_console
from ridgeline.cli.points import place_of
from ridgeline.cli.streams import tell_json
from ridgeline.report import render_inspection

__all__ = ["run"]


def run(chosen: argparse.Namespace) -> int:
    """See the options."""
    stderr_console()
    file, key = place_of(chosen.checkpoint)
    found = io.inspect(file, key=key)
    if chosen.json:
        tell_json(found.to_dict())
    else:
        render_inspection(found, stdout_console())
    return 0
