"""``ridgeline explain``: why the loss falls as it does from a start to a minimum."""

import argparse
import sys

import torch

from ridgeline import report
from ridgeline.cli.consoles import progress_bar, stderr_console, stdout_console
from ridgeline.cli.points import load_points
from ridgeline.cli.results import Contents, Result, finish
from ridgeline.cli.setting import Setting, words
from ridgeline.cli.writing import check_out
from ridgeline.errors import UnknownName, UsageError
from ridgeline.explanations import Explanation, explain, explained
from ridgeline.explanations.variants import ends
from ridgeline.objective import Objective
from ridgeline.state import State
from ridgeline.study.fitting import check_fit

__all__ = ["run"]


def run(chosen: argparse.Namespace) -> int:
    """See the options."""
    stderr_console()
    check_out(chosen)
    setting = Setting(chosen, measured=False)
    assert setting.data is not None
    names = words(chosen.split) or list(setting.data.splits)
    for name in names:
        if name not in setting.data.splits:
            raise UnknownName(f"split of {setting.data.name}", name, setting.data.splits)
    split = names[0]
    check_fit(
        setting.model,
        setting.data.splits[split],
        network=f"--model {chosen.model}",
        name=f"data {setting.data.name}",
        loss=chosen.loss,
    )
    objective = setting.objectives[split] = setting.objective(chosen, split)
    a, b = load_points(setting, [chosen.a, chosen.b])
    _check_ends(chosen, a, b, objective)
    if len(names) > 1:
        others = f"the first of {', '.join(names)}"
        print(f"explained on split {split}, {others}; --split takes another", file=sys.stderr)
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
    told = report.summarise_explanation(found) | {"provenance": about}
    profiles = {**found.profiles, **{f"layer {n}": p for n, p in found.layers.items()}}
    rows = [row for name, one in profiles.items() for row in report.rows(one, path=name)]
    result = Result(
        told=lambda: told,
        show=lambda: _show(found),
        notes=about["notes"],
        contents=lambda: Contents(
            page=report.explanation_page(found, (chosen.a, chosen.b), about),
            tables={"profiles": rows},
            values={"explanation": told},
        ),
    )
    return finish(chosen, result)


def _show(found: Explanation) -> None:
    console = stdout_console()
    for heading, sentences in explained(found).items():
        console.print(heading, style="bold", highlight=False, markup=False)
        for sentence in sentences:
            console.print(f"  {sentence}", highlight=False, markup=False)


def _check_ends(chosen: argparse.Namespace, a: State, b: State, objective: Objective) -> None:
    """Refuse a line that leads nowhere: the words are about a way down.

    Raises:
        UsageError: If both are equal, or the end is not better than the start.
    """
    if all(torch.equal(x, b[name]) for name, x in a.items()):
        raise UsageError(
            "START and MINIMUM are two states.", got=f"{chosen.a} and {chosen.b}: the two are equal"
        )
    first, last = ends(a, b, objective)
    if last < first:
        return
    rule = "The end is not better than the start: did you swap them?"
    got = f"a loss of {first:.4g} at {chosen.a} and of {last:.4g} at {chosen.b}"
    if not chosen.force:
        raise UsageError(rule, got=got, remedy="Swap them, or go on with --force.")
    print(f"warning: {rule} There is {got}.", file=sys.stderr)
