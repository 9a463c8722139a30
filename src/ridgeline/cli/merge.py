"""``ridgeline merge``: checkpoints into one, aligned before and repaired after if asked."""

import argparse
import json
from dataclasses import replace
from typing import Any

import torch

from ridgeline import report
from ridgeline.cli.align import repair_of
from ridgeline.cli.consoles import progress_bar, say, stderr_console, stdout_console
from ridgeline.cli.fitted import fitted_merged, read_estimators
from ridgeline.cli.matching import check_written
from ridgeline.cli.merging import check_merge, layers_of, merger, weights_of
from ridgeline.cli.points import in_format_of, load_points, save_like
from ridgeline.cli.results import Contents, Result, finish
from ridgeline.cli.setting import Setting
from ridgeline.cli.strategies import MIXED, prepared
from ridgeline.cli.together import many_of
from ridgeline.io.naming import fit
from ridgeline.matching import align, align_many
from ridgeline.merging import Merged, merge
from ridgeline.progress import Progress
from ridgeline.repairs import repaired_among
from ridgeline.report import Scores
from ridgeline.state import State

__all__ = ["run"]


def run(chosen: argparse.Namespace) -> int:
    """See the options."""
    stderr_console()
    if estimators := read_estimators(chosen.states):
        return fitted_merged(chosen, estimators)
    check_written(chosen, report=chosen.report)
    weights = weights_of(chosen.weights)
    check_merge(chosen, weights)
    setting = Setting(chosen)
    given = load_points(setting, [*chosen.states, *([chosen.base] if chosen.base else [])])
    base = given.pop() if chosen.base else None
    with progress_bar() as tell:
        said: list[str] = []
        carried = _aligned(chosen, setting, given, base, tell, said) if chosen.align else given
        by = merger(chosen, setting, carried, tell)
        layers = layers_of(chosen.layers)
        result = merge(carried, by=by, weights=weights, layers=layers, base=base)
        made = {"merged": result.state}
        if chosen.repair:
            tell("repair", 0, 1)
            final = _repaired(chosen, setting, carried, result, weights)
            made["merged and repaired"] = final
            stale = [n for n in result.averaged if torch.equal(final[n], result.state[n])]
            result = replace(result, state=final, averaged=tuple(stale))
            tell("repair", 1, 1)
        kept = in_format_of(chosen.states[0], result.state, setting.model) if chosen.out else None
        if kept is not None:  # its types are the first checkpoint's: what is scored is the file
            made[list(made)[-1]] = fit(kept, setting.model, where="what is written", tell=False)
        names = report.distinct([str(path) for path in chosen.states])
        scores = _scores(setting, dict(zip(names, given, strict=True)), made, tell)
    about = setting.about(chosen)
    told = report.summarise_merge(result, scores, said)
    told["said"] += _on_statistics(chosen, setting, result)
    told |= {"provenance": about}

    def save() -> None:
        assert kept is not None
        header = {"ridgeline.merged": json.dumps({"by": chosen.by, "of": chosen.states})}
        save_like(chosen.states[0], kept, setting, chosen, header)

    def contents() -> Contents:
        assert scores is not None  # a report without data was refused
        page = report.merge_page(scores, chosen.by, told["said"], about)
        return Contents(page=page, values={"merge": told})

    def show() -> None:
        say(told["said"])
        if scores is not None:
            report.render_table(report.score_table(scores), stdout_console())

    result = Result(told=lambda: told, show=show, contents=contents, save=save)
    return finish(chosen, result)


def _aligned(
    chosen: argparse.Namespace,
    setting: Setting,
    given: list[State],
    base: State | None,
    tell: Progress,
    said: list[str],
) -> list[State]:
    """The states in one frame: the base's, the first's, or for three and more a common one."""
    if base is None and len(given) < 2:
        return given
    # A strategy that looks at networks between the checkpoints finds running statistics there that
    # are those of no network, whichever the rows are measured with.
    looking = argparse.Namespace(**vars(chosen) | {"statistics": "recompute"})
    symmetry, by = prepared(looking, setting, chosen.align_by or "weights", tell, said)
    if base is None and len(given) == 2:
        found = align(given[0], given[1], symmetry, by=by, seed=chosen.seed, progress=tell)
        said.append(str(found).splitlines()[0])
        said += [MIXED] if found.transform is None else []
        return [given[0], found.state]
    everyone = given if base is None else [base, *given]
    many = many_of(chosen, by)
    together = align_many(everyone, symmetry, by=many, seed=chosen.seed, progress=tell)
    said += [str(together), *together.matched.notes]
    return list(together.states if base is None else together.states[1:])


def _repaired(
    chosen: argparse.Namespace,
    setting: Setting,
    carried: list[State],
    result: Merged,
    weights: list[float] | None,
) -> State:
    """The merge with the statistics of its layers set to the mean of the checkpoints'."""
    ends = carried if len(carried) > 1 else carried * 2
    shares = [1.0] * len(ends)
    # Running statistics alone are recomputed for the state as it is, wherever it lies.
    if chosen.repair != "statistics":
        shares = weights or ([1 - chosen.t, chosen.t] if chosen.t is not None else shares)
    objective = next(iter(setting.objectives.values()))
    return repaired_among(result.state, ends, shares, objective, repair_of(chosen, setting))


def _on_statistics(chosen: argparse.Namespace, setting: Setting, result: Merged) -> list[str]:
    """Note on running statistics: whose the numbers are, and what can be done."""
    said = []
    measured = next(iter(setting.objectives.values()), None)
    if measured is not None and measured.statistics == "recompute":
        own = "averaged ones" if result.averaged else "its own"
        said.append(
            "Measured with running statistics recomputed for each state (--statistics recompute); "
            f"the merge as written has {own}: without that option the numbers are the file's."
        )
    if result.averaged:
        need = "" if chosen.data else ", each with --data"
        said.append(
            "To recompute them here: --repair statistics, or --repair, which also sets the "
            f"statistics of each layer's outputs to the checkpoints'{need}."
        )
    return said


def _scores(
    setting: Setting, given: dict[str, State], made: dict[str, State], tell: Progress
) -> Scores | None:
    """Loss and metrics of what was given and what was made, sample by sample."""
    if not setting.objectives:
        return None
    everyone = given | made
    values: dict[str, dict[str, dict[str, Any]]] = {}
    for split, objective in setting.objectives.items():
        for k, (name, state) in enumerate(everyone.items()):
            tell(f"evaluating ({split})", k, len(everyone))
            found = objective(state)
            values.setdefault(name, {})[split] = {m: x.double().numpy() for m, x in found.items()}
        tell(f"evaluating ({split})", len(everyone), len(everyone))
    return Scores(tuple(given), tuple(made), values)
