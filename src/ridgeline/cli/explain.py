"""``ridgeline explain``: why the loss falls as it does from a start to a minimum."""

import argparse
import json
import sys
from pathlib import Path

from ridgeline import io, report
from ridgeline.cli.setting import (
    Setting,
    check_out,
    load_points,
    progress_bar,
    stderr_console,
    stdout_console,
)
from ridgeline.explanations import Explanation, explain

__all__ = ["run"]


def run(chosen: argparse.Namespace) -> int:
    """See the options."""
    stderr_console()
    check_out(chosen)
    setting = Setting(chosen)
    a, b = load_points(setting, [chosen.a, chosen.b], chosen.key)
    split, objective = next(iter(setting.objectives.items()))
    with progress_bar() as tell:
        found = explain(
            a,
            b,
            objective,
            points=chosen.points,
            layers=not chosen.no_layers,
            progress=lambda what, done, of: tell(f"{what} ({split})", done, of),
        )
    about = setting.about(chosen) | {"split": split}
    if chosen.out:
        _write(found, about, chosen)
    if chosen.json:
        told = report.summarise_explanation(found) | {"provenance": about}
        print(json.dumps(told, allow_nan=False))
        return 0
    console = stdout_console()
    for heading, sentences in report.explained(found).items():
        console.print(heading, style="bold", highlight=False, markup=False)
        for sentence in sentences:
            console.print(f"  {sentence}", highlight=False, markup=False)
    return 0


def _write(found: Explanation, about: dict, chosen: argparse.Namespace) -> None:
    said = report.explained(found)
    paths, *layers = report.explanation_figures(found)
    shapes, *table = report.explanation_tables(found)
    whole = {h: s for h, s in said.items() if h != "Layers"}
    sections = [
        report.Section(
            "The line",
            text=[f"{heading}. {' '.join(sentences)}" for heading, sentences in whole.items()],
            figures=[paths],
            tables=[shapes],
        )
    ]
    if layers:
        sections.append(
            report.Section("Layer by layer", text=said["Layers"], figures=layers, tables=table)
        )
    page = report.Page(
        title=f"{Path(chosen.a).name} to {Path(chosen.b).name}, explained",
        lead=" ".join(said["Monotone or not"]),
        sections=sections,
        provenance=about,
    )
    profiles = {**found.profiles, **{f"layer {n}": p for n, p in found.layers.items()}}
    rows = [row for name, one in profiles.items() for row in report.rows(one, path=name)]
    with io.fresh_directory(chosen.out, overwrite=chosen.overwrite) as folder:
        report.to_json(
            report.summarise_explanation(found) | {"provenance": about},
            folder / "explanation.json",
        )
        report.write_parquet(rows, folder / "profiles.parquet")
        report.write_page(page, folder)
    print(f"written: {Path(chosen.out) / 'report.html'}", file=sys.stderr)
