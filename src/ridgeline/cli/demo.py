"""``ridgeline demo``: the whole story on bundled data, in one page."""

import argparse
import sys
from pathlib import Path

from ridgeline import io, report
from ridgeline.cli.consoles import progress_bar, stderr_console, stdout_console
from ridgeline.cli.results import Contents, fill
from ridgeline.cli.writing import check_out
from ridgeline.studies.demo import MODEL, demo

__all__ = ["run"]


def run(chosen: argparse.Namespace) -> int:
    """See the options."""
    stderr_console()
    check_out(chosen)
    with progress_bar() as tell:
        found = demo(tell)
    with io.fresh_directory(chosen.out, overwrite=chosen.overwrite) as folder:
        states = folder / "states"
        for name, run_ in found.runs.items():
            made = {"made by": "ridgeline demo", "model": MODEL, "network": name}
            io.save(run_.initial, states / f"start_{name}.safetensors", metadata=made)
            io.save(run_.final, states / f"minimum_{name}.safetensors", metadata=made)
        profiles = {**found.descent, "minimum to minimum": found.between}
        rows = [row for n, one in profiles.items() for row in report.rows(one, path=n)]
        for layer, one in found.layers.items():
            rows += report.rows(one, path=f"layer {layer}")
        summaries = {name: report.summarise(one) for name, one in profiles.items()}
        tables = {"profiles": rows, "surface": report.surface_rows(found.surface)}
        page = report.demo_page(found, MODEL)
        fill(folder, Contents(page=page, tables=tables, values={"profiles": summaries}))
    console = stdout_console()
    for name, one in profiles.items():
        report.render_profile(one, console, title=name)
    report.render_layers(found.layers, console, whole=found.between)
    out = Path(chosen.out)
    print(f"written: {out / 'report.html'}", file=sys.stderr)
    print(
        "Try the same on the saved checkpoints:\n"
        f"  ridgeline profile {out / 'states/minimum_a.safetensors'} "
        f"{out / 'states/minimum_b.safetensors'} --model '{MODEL}' --data digits",
        file=sys.stderr,
    )
    return 0
