"""``ridgeline inspect``: what is in a checkpoint."""

import argparse
import json

from ridgeline import io
from ridgeline.cli.consoles import stderr_console, stdout_console
from ridgeline.cli.points import place_of
from ridgeline.report import render_inspection

__all__ = ["run"]


def run(chosen: argparse.Namespace) -> int:
    """See the options."""
    stderr_console()
    file, key = place_of(chosen.checkpoint)
    found = io.inspect(file, key=key)
    if chosen.json:
        print(json.dumps(found.to_dict(), allow_nan=False))
    else:
        render_inspection(found, stdout_console())
    return 0
