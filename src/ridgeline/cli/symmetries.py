"""``ridgeline symmetries``: which units of a network may be permuted."""

import argparse
import sys

from ridgeline import io
from ridgeline.cli.consoles import progress_bar, stderr_console, stdout_console
from ridgeline.cli.matching import check_written, discovered
from ridgeline.cli.setting import Setting
from ridgeline.cli.streams import tell_json

__all__ = ["run"]


def run(chosen: argparse.Namespace) -> int:
    """See the options."""
    stderr_console()
    check_written(chosen, (".json",))
    setting = Setting(chosen, measured=False)
    with progress_bar() as tell:
        found = discovered(chosen, setting, tell)
    if chosen.out:
        io.save_symmetry(found, chosen.out, overwrite=chosen.overwrite)
    if chosen.json:
        told = io.symmetry_record(found) | {"covered": found.covered()}
        tell_json(told | {"provenance": setting.about(chosen)})
    else:
        stdout_console().print(str(found), highlight=False, markup=False, soft_wrap=True)
    if chosen.out:
        print(f"written: {chosen.out}", file=sys.stderr)
    return 0
