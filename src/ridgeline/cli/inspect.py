"""``ridgeline inspect``: what is in a checkpoint."""

import argparse
import json

from ridgeline import io
from ridgeline.cli.setting import stderr_console, stdout_console
from ridgeline.report import render_inspection

__all__ = ["run"]


def run(chosen: argparse.Namespace) -> int:
    """See the options."""
    stderr_console()
    found = io.inspect(chosen.checkpoint, key=chosen.key)
    if chosen.json:
        print(json.dumps(found.to_dict(), allow_nan=False))
    else:
        render_inspection(found, stdout_console())
    return 0
